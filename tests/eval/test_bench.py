"""`secagent bench`: it measures what it says, in turns, and prints the ratios."""

import importlib.util
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import eval.bench.benchmark
from eval.bench import bulk as bench_bulk
from eval.bench import crossings as bench_crossings
from eval.bench import environments as bench_environments
from eval.bench.benchmark import random_decisions, report
from eval.bench.timing import in_turns, spread
from eval.command.cli import main
from eval.studies.scaling import study as scaling
from secagent_env import Scenario, sample_instance

pytest.importorskip("tabulate")


def test_quick_run_prints_the_ratios_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["bench", "--quick", "--out", str(tmp_path / "bench.json")]) == 0
    output, errors = capsys.readouterr()
    ratio = re.search(r"evaluate in a batch costs 1/([\d.]+) of a single call per instance \(at most 1/15", output)
    assert ratio
    for line in ("| evaluate ", "| sample_instance ", "| exact ", "| asc ", "| randas ", "An episode of "):
        assert line in output
    assert re.search(r"\d+ of \d+ cores usable, load .* Python 3\.\d+", output)
    assert "A quick run" in output
    for name, agents, limit in (("asc", 30, "130 ms"), ("exact", 30, "30.0 ms"), ("exact", 200, "150 ms")):
        goal = rf"{name} with N = {agents} takes .*s.* \(at most {limit} is the goal: (NOT )?met\)\."
        assert re.search(goal, output), (name, agents)
    shares = re.search(r"Where the time of asc goes: selection (\d+)%, beam (\d+)%, powers (\d+)%, the rest", output)
    assert shares
    assert 90 <= sum(map(int, shares.groups())) <= 101
    for line in (
        "| SyncVectorEnv ",
        "| vector environment ",
        "instances kept for 10 steps",
        "| the random numbers alone ",
    ):
        assert line in output
    assert re.search(r"Beside busy processes, exact takes .* times as long .* \(at most 1\.5 is required: ", output)
    assert re.search(r"\| umi +\| .* \| +[\d.]+ \[", output)
    assert re.search(r"exponential scatter take [\d.]+ times Rayleigh's sampling at most \(at most 1\.5 is", output)
    assert "The bridge to Stable-Baselines3 " in output
    assert re.search(r"A batch plays [\d.]+ times \[.*\] as many per second as one by one\.", output)
    for formats in ("flat", "guided", "guided, compact"):
        assert re.search(rf"\| {formats} +\| .* \| +[\d.]+ \[.*\]: (NOT )?met", output), formats
    assert "measuring evaluate" in errors
    results = json.loads((tmp_path / "bench.json").read_text())
    assert f"{results['evaluate']['ratio']['median']:.1f}" == ratio[1]
    assert report(results) + "\n" == output
    assert {row["num_agents"] for row in results["growth"]} == {10, 30}


def test_crossings_are_counted_by_hand():
    quartiles = {"low": 1.0, "high": 1.0, "repeats": 1}
    each = {"single": {"median": 0.05, **quartiles}, "batch": {"median": 0.002, **quartiles}}
    figures = {"size": 64, "per_crossing_s": each, "ratio": {"median": 25.0, **quartiles}}
    text = bench_crossings.report(figures, lambda rows, headers: "; ".join(" ".join(row[::2]) for row in rows))
    assert "one by one 20; 64 in a batch 500" in text
    assert text.endswith("A batch plays 25.0 times [1.0, 1.0] as many per second as one by one.")
    measured = bench_crossings.measure(6, 1, 0.0)
    single, batch = (measured["per_crossing_s"][name]["median"] for name in ("single", "batch"))
    assert measured["ratio"]["median"] == pytest.approx(single / batch)


def test_networks_in_bulk_need_numba(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    figures = bench_bulk.measure(Scenario.preset("small"), 2, 1, 0.0, lambda text: None)
    assert bench_bulk.report(figures, lambda rows, headers: "") == figures
    assert re.fullmatch(r"rng='bulk' was not measured: .*pip install 'secagent-env\[fast\]'\.", figures)


def test_asc_is_measured_against_its_plain_version():
    pytest.importorskip("cvxpy")
    figure = eval.bench.benchmark._plain(Scenario.preset("small"), 1, lambda text: None)
    assert isinstance(figure, dict)
    assert figure["ratio"]["median"] > 1
    text = eval.bench.benchmark._against_plain(figure, lambda rows, headers: f"{headers[0]} {rows[0][0]}")
    pattern = (
        r"asc takes .*s, its plain CVXPY version .*s: [\d.]+ times .* \(at least 20 is required: (NOT )?met\), .* 1"
    )
    assert re.match(pattern, text)
    assert text.endswith("the objective is the same within 0.1% on 1 of 1 instances:\n\ninstance 0")


def test_an_infeasible_decision_has_another_objective():
    assert eval.bench.benchmark._alike(1.0, 1.0)
    assert eval.bench.benchmark._alike(1.0009, 1.0)
    assert eval.bench.benchmark._alike(None, None)
    assert not eval.bench.benchmark._alike(1.0, None)
    assert not eval.bench.benchmark._alike(None, 1.0)
    assert not eval.bench.benchmark._alike(1.0, 1.002)


def test_without_cvxpy_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    sentence = eval.bench.benchmark._plain(Scenario.preset("small"), 1, lambda text: None)
    assert isinstance(sentence, str)
    assert "cvxpy" in sentence
    assert eval.bench.benchmark._against_plain(sentence, lambda rows, headers: "") == sentence


def test_scaling_prints_a_table_and_draws_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture):
    pytest.importorskip("matplotlib")
    sizes = ["--agents", "6", "8", "--antennas", "2", "--instances", "2"]
    assert main(["study", "scaling", *sizes, "--max-seconds", "5", "--out", str(tmp_path / "made")]) == 0
    output = capsys.readouterr().out
    assert [line.split("|")[1].strip() for line in output.splitlines() if line] == [
        "N",
        "-" * 5,
        "6",
        "8",
        "L",
        "-" * 5,
        "2",
    ]
    assert output.count("asc-plus: time") == 2
    assert (tmp_path / "made" / "scaling.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "made" / "scaling.md").read_text() == output


def test_scaling_copes_with_solves_that_found_nothing(tmp_path: Path):
    pytest.importorskip("matplotlib")
    nothing = {"axis": "N", "size": 9, "instance": 0, "status": "stopped", "seconds": 5.0}
    rows = [{**nothing, "solver": name, "gap": np.inf, "transmission_gap": np.inf} for name in scaling.SOLVERS]
    line = scaling.markdown(rows).splitlines()[-1]
    assert [cell.strip() for cell in line.split("|")[1:6]] == ["9", "5.00 s", "–", "–", "1 stopped"]
    scaling.picture(rows).savefig(tmp_path / "nothing.png")


def test_the_vector_environment_is_much_faster():
    # A part of what is required: other tests run at the same time. `secagent bench` shows the figures themselves.
    figures = bench_environments.measure(Scenario(), 128, 3, 0.01, lambda text: None)
    assert figures["over_sync"]["median"] > bench_environments.REQUIRED_OVER_SYNC / 3
    assert figures["over_numbers"]["median"] < 3 * bench_environments.MOST_OVER_NUMBERS
    table, clock, lines = bench_environments.report(figures, lambda rows, headers: "\n".join(row[0] for row in rows))
    assert table.startswith("128 environments at once, each step on fresh instances:\n\nSyncVectorEnv\nvector environm")
    number = r"[\d.]+ times \[[\d.]+, [\d.]+\]"
    verdict = "(NOT )?met"
    rival = rf"takes {number} the steps per second of SyncVectorEnv on one thread, and {number} by the clock on \d"
    assert re.search(rf"{rival} \(at least 15 is required: {verdict} on one, {verdict} on \d\)\.", lines)
    assert re.search(r"vector environment, \d threads$", clock)
    assert re.search(rf"costs {number} the .* \(at most 4 is required: {verdict}; at most 2.5 is the goal: ", lines)
    if importlib.util.find_spec("stable_baselines3"):
        assert re.search(rf"keeps \d+% of its steps per second \(at least 80% is required: {verdict}\)\.", lines)


def test_without_stable_baselines3_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    figures = bench_environments.measure(Scenario.preset("small"), 2, 2, 1e-4, lambda text: None)
    table, _, lines = bench_environments.report(figures, lambda rows, headers: str(rows))
    assert "GymVecEnv" not in table
    assert "was not measured: this needs stable_baselines3" in lines


def test_the_numbers_alone_are_those_of_the_instances(monkeypatch: pytest.MonkeyPatch):
    generators = [np.random.default_rng(i) for i in range(3)]
    monkeypatch.setattr(np.random, "default_rng", lambda i: generators[i])
    scenario = Scenario(num_agents=5, num_antennas=3, num_eavesdroppers=2)
    bench_environments.random_numbers(scenario, 3)()
    monkeypatch.undo()
    for i, generator in enumerate(generators):
        same = np.random.default_rng(i)
        sample_instance(scenario, same)
        assert generator.bit_generator.state == same.bit_generator.state


def test_a_batch_is_much_cheaper(tmp_path: Path):
    # Half of what is required: other tests run at the same time. `secagent bench` shows the figure itself.
    from eval.bench.benchmark import BATCH, REQUIRED_RATIO, _evaluate

    assert _evaluate(Scenario(), BATCH, 5, 0.005)["ratio"]["median"] > REQUIRED_RATIO / 2


def test_tasks_are_measured_in_turns():
    order = []

    def slow() -> None:
        order.append("s")
        began = time.process_time()
        while time.process_time() - began < 0.002:
            pass

    tasks = {"slow": slow, "fast": lambda: order.append("f")}
    seconds = in_turns(tasks, repeats=3, share=1e-4)
    assert seconds["slow"].shape == (3,)
    assert (seconds["slow"] >= 0.002).all()
    assert (seconds["fast"] < seconds["slow"]).all()
    assert re.fullmatch("ssff(sf+){3}", "".join(order))


def test_spread_is_the_median_with_quartiles():
    assert spread(np.arange(5.0)) == {"median": 2.0, "low": 1.0, "high": 3.0, "repeats": 5}


def test_the_decisions_measured_are_within_the_limits():
    instances = sample_instance("small", 0, 3)
    decisions = random_decisions(instances, np.random.default_rng(0))
    assert decisions.batch_shape == (3,)
    assert (decisions.selection.sum(axis=-1) == 2).all()
    np.testing.assert_allclose((abs(decisions.beamformer) ** 2).sum(axis=-1), instances.scenario.bs_power_w)
