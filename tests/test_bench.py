"""`secagent bench`: it measures what it says, in turns, and prints the ratios."""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import eval.bench
from eval import scaling
from eval.bench import in_turns, random_decisions, report, spread
from eval.cli import main
from secagent_env import sample_instance

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
    assert "measuring evaluate" in errors
    results = json.loads((tmp_path / "bench.json").read_text())
    assert f"{results['evaluate']['ratio']['median']:.1f}" == ratio[1]
    assert report(results) + "\n" == output
    assert {row["num_agents"] for row in results["growth"]} == {10, 30}


def test_asc_is_measured_against_its_plain_version():
    pytest.importorskip("cvxpy")
    from secagent_env import Scenario

    figure = eval.bench._plain(Scenario.preset("small"), 1, lambda text: None)
    assert isinstance(figure, dict)
    assert figure["ratio"]["median"] > 1
    text = eval.bench._against_plain(figure, lambda rows, headers: f"{headers[0]} {rows[0][0]}")
    pattern = (
        r"asc takes .*s, its plain CVXPY version .*s: [\d.]+ times .* \(at least 20 is required: (NOT )?met\), .* 1"
    )
    assert re.match(pattern, text)
    assert text.endswith("at the same or a better objective on 1 of 1 instances:\n\ninstance 0")


def test_an_infeasible_decision_is_no_better_objective():
    assert eval.bench._at_most(1.0, 1.0)
    assert eval.bench._at_most(1.0, None)
    assert not eval.bench._at_most(None, 1.0)
    assert not eval.bench._at_most(1.1, 1.0)


def test_without_cvxpy_it_says_so(monkeypatch: pytest.MonkeyPatch):
    from secagent_env import Scenario

    monkeypatch.setitem(sys.modules, "cvxpy", None)
    sentence = eval.bench._plain(Scenario.preset("small"), 1, lambda text: None)
    assert isinstance(sentence, str)
    assert "cvxpy" in sentence
    assert eval.bench._against_plain(sentence, lambda rows, headers: "") == sentence


def test_scaling_prints_a_table_and_draws_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture):
    pytest.importorskip("matplotlib")
    sizes = ["--agents", "6", "8", "--antennas", "2", "--instances", "2"]
    scaling.main([*sizes, "--max-seconds", "5", "--out", str(tmp_path / "made")])
    output, errors = capsys.readouterr()
    assert [line.split("|")[1].strip() for line in output.splitlines() if line] == [
        "N",
        "-" * 5,
        "6",
        "8",
        "L",
        "-" * 5,
        "2",
    ]
    assert output.count("asc: time") == 2
    assert "solving with N = 8, L = 20" in errors
    assert (tmp_path / "made" / scaling.PICTURE).read_bytes().startswith(b"\x89PNG")


def test_scaling_copes_with_solves_that_found_nothing(tmp_path: Path):
    pytest.importorskip("matplotlib")
    nothing = {"axis": "N", "size": 9, "instance": 0, "status": "stopped", "seconds": 5.0}
    rows = [{**nothing, "solver": name, "gap": np.inf, "transmission_gap": np.inf} for name in scaling.SOLVERS]
    line = scaling.markdown(rows).splitlines()[-1]
    assert [cell.strip() for cell in line.split("|")[1:6]] == ["9", "5.00 s", "–", "–", "1 stopped"]
    scaling.save_picture(rows, tmp_path / "nothing.png")


def test_a_batch_is_much_cheaper(tmp_path: Path):
    # Half of what is required: other tests run at the same time. `secagent bench` shows the figure itself.
    from eval.bench import BATCH, REQUIRED_RATIO, _evaluate
    from secagent_env import Scenario

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
