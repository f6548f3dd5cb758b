"""The main job: rows that depend on their configuration alone, kept on disk, and what is made of them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import solvers
import training
from eval.compare.comparison import Comparison, describe, parse_solvers, run
from eval.compare.lineup import default_solvers, make
from eval.compare.rows import result_of, result_on_true_channels
from eval.compare.solving import instance_at, solver_seed
from eval.sweep.store import Store
from secagent_env import Decision, Scenario, __version__, evaluate, sample_instance
from secagent_env.sampling.estimation import estimate_eavesdroppers
from solvers.certificate.bounds import lower_bound
from solvers.certificate.selection import random_selection
from solvers.interface import registry
from solvers.interface.base import Infeasible, Solver

pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

SMALL = Scenario.preset("small")
CHEAP = {"exact": {}, "draw": {}}

# A solver of the user's, slow enough to be killed in the middle. It writes down each solve.
PLUGIN = """
import time
from pathlib import Path
import solvers
from solvers.exact.solver import Exact

class Slow(Exact):
    name = "slow"
    def _solve(self, run):
        with open({log!r}, "a") as file:
            file.write("solved\\n")
        time.sleep(0.15)
        super()._solve(run)

solvers.register("slow", Slow)
"""


class Broken(Solver):
    """Fails in a way that a solver should not."""

    name = "broken"

    def solve(self, *args, **options):
        raise ZeroDivisionError("one by nothing")

    def _solve(self, run):
        raise NotImplementedError


class Draw(Solver):
    """A random selection, a beam that avoids the eavesdropper, low powers: cheap, and depends on the seed."""

    name = "draw"

    def _solve(self, run):
        instance = run.instance
        selection = random_selection(instance, run.rng)
        if selection is None:
            raise Infeasible("accuracy: no selection is accurate enough")
        away, _ = np.linalg.qr(instance.channel_eve.T)
        beam = instance.channel_bs[selection].sum(axis=0)
        beam = beam - away @ (away.conj().T @ beam)
        beam *= np.sqrt(0.999 * instance.scenario.bs_power_w) / np.linalg.norm(beam)
        power = 1e-5 * instance.scenario.noise_power_w / instance.bs_gain
        run.consider(Decision(selection=selection, beamformer=beam, power_w=power * selection))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch):
    """Let the solvers of this file be known by name."""
    monkeypatch.setattr(registry, "_factories", {**registry._factories, "draw": Draw, "broken": Broken})


def read(folder: Path) -> list[dict]:
    """Rows of a results folder without what differs from run to run, in one order."""
    timing = {"seconds", "cell_seconds", "finished"}
    rows = Store(folder / "cells").table().to_pylist()
    return sorted(({k: v for k, v in row.items() if k not in timing} for row in rows), key=lambda row: row["key"])


def test_instances_are_those_of_the_batch():
    batch = sample_instance(SMALL, seed=7, batch=4)
    for i in range(4):
        one = instance_at(SMALL, 7, i)
        for name in one._arrays:
            np.testing.assert_array_equal(getattr(one, name), getattr(batch[i], name), strict=True)


def test_seeds_differ_and_depend_on_seed_and_index_alone():
    seeds = {solver_seed(seed, i) for seed in range(20) for i in range(50)}
    assert len(seeds) == 1000
    assert solver_seed(3, 5) == solver_seed(3, 5)


def test_the_default_is_the_main_job():
    default = Comparison()
    learned = [name for name in ("ppo", "l2o") if name in training.names()]
    assert list(default.solvers) == ["exact", "asc-plus", "asc", *learned, "randas"]
    assert (default.instances, default.seed, default.scenario) == (20, 0, Scenario.preset("paper"))
    assert describe(default).startswith("20 instances, seed 0; the paper's scenario; secagent ")
    text = describe(Comparison(scenario=SMALL, solvers=CHEAP, max_seconds=2))
    assert "num_agents = 6" in text
    assert "at most 2 s" in text
    assert "error variance" not in text
    assert "known with error variance 0.25;" in describe(Comparison(solvers=CHEAP, csi_error=0.25))


def test_rows_hold_the_configuration_and_the_result(tmp_path: Path):
    frame = run(Comparison(scenario=SMALL, solvers=CHEAP, instances=2, seed=3), tmp_path, workers=1)
    assert list(zip(frame["instance"], frame["solver"], strict=True)) == [
        (0, "exact"), (0, "draw"), (1, "exact"), (1, "draw")
    ]  # fmt: skip
    row = next(row for row in read(tmp_path) if (row["index"], row["scheme"]) == (1, "draw"))
    options = json.loads(row["options"])
    assert Scenario(**options["scenario"]) == SMALL
    assert (row["experiment"], row["seed"], options["solver"], options["solver_options"]) == ("compare", 3, "draw", {})
    assert (row["version"], row["error"]) == (__version__, None)
    solution = solvers.make("draw").solve(sample_instance(SMALL, 3, 2)[1], seed=solver_seed(3, 1))
    assert row["energy_j"] == solution.outcome.energy_j
    assert row["gap"] == pytest.approx(solution.gap, rel=1e-12)
    assert row["status"] == solution.status


def test_workers_change_nothing(tmp_path: Path):
    comparison = Comparison(scenario=SMALL, solvers=CHEAP, instances=6)
    run(comparison, tmp_path / "one", workers=1)
    run(comparison, tmp_path / "two", workers=2)
    assert read(tmp_path / "one") == read(tmp_path / "two")
    assert len(read(tmp_path / "one")) == 12


def test_finished_rows_are_never_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    solved = []
    original = Solver.solve

    def counting(self, *args, **options):
        solved.append(self.name)
        return original(self, *args, **options)

    monkeypatch.setattr(Solver, "solve", counting)
    run(Comparison(scenario=SMALL, solvers=CHEAP, instances=3), tmp_path, workers=1)
    before = read(tmp_path)
    assert len(solved) == 6
    run(Comparison(scenario=SMALL, solvers=CHEAP, instances=3), tmp_path, workers=1)
    assert len(solved) == 6
    run(Comparison(scenario=SMALL, solvers=CHEAP, instances=5), tmp_path, workers=1)  # more instances: only those
    assert len(solved) == 10
    run(Comparison(scenario=SMALL, solvers=CHEAP, instances=3), tmp_path, workers=1, fresh=True)
    assert len(solved) == 16
    assert [row for row in read(tmp_path) if row["index"] < 3] == before
    assert len(read(tmp_path)) == 10


def test_other_configurations_share_the_folder(tmp_path: Path):
    one = run(Comparison(scenario=SMALL, solvers={"exact": {}}, instances=2), tmp_path, workers=1)
    other = SMALL.replace(num_agents=8)
    run(Comparison(scenario=other, solvers={"exact": {}}, instances=2), tmp_path, workers=1)
    run(Comparison(scenario=SMALL, solvers={"exact": {"jamming": False}}, instances=2), tmp_path, workers=1)
    run(Comparison(scenario=SMALL, solvers={"exact": {}}, instances=2, seed=1), tmp_path, workers=1)
    run(Comparison(scenario=SMALL, solvers={"exact": {}}, instances=2, max_seconds=9), tmp_path, workers=1)
    assert len(read(tmp_path)) == 10
    again = run(Comparison(scenario=SMALL, solvers={"exact": {}}, instances=2), tmp_path, workers=1)
    assert again.equals(one)  # the seconds too: they are the old rows


def test_changed_code_does_not_take_over_old_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    comparison = Comparison(scenario=SMALL, solvers={"exact": {}}, instances=1)
    run(comparison, tmp_path, workers=1)
    monkeypatch.setattr("eval.sweep.cells.sources_digest", lambda names: "another")
    run(comparison, tmp_path, workers=1)
    assert len(read(tmp_path)) == 2


def start(folder: Path, *more: str) -> subprocess.Popen:
    """Start a comparison in a process of its own, with a slow solver out of a plugin."""
    (folder / "plug.py").write_text(PLUGIN.format(log=str(folder / "log")))
    arguments = ["compare", "--scenario", "small", "--solvers", "slow", "exact", "--instances", "12"]
    command = [sys.executable, "-m", "eval.command.cli", *arguments, "--plugin", "plug", "--workers", "2", *more]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_rows(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(Store(folder / "cells").table()) < count:
        assert time.monotonic() < deadline, "no rows were written"
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_runs_resume_to_the_same_rows(tmp_path: Path):
    results = tmp_path / "results"
    for target in (3, 9):
        process = start(tmp_path)
        wait_for_rows(results, target)
        process.kill()
        process.communicate()
    kept = len(read(results))
    solved = (tmp_path / "log").stat().st_size
    time.sleep(0.5)
    assert (tmp_path / "log").stat().st_size - solved <= 2 * len("solved\n")  # workers do not outlive the run
    process = start(tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"{kept} of 24 cells are taken from results/cells" in errors
    solves = len((tmp_path / "log").read_text().splitlines())
    # Done twice were at most those in flight at the two kills, and one more per worker before it noticed.
    assert 12 <= solves <= 12 + 2 * 2 * 2
    process = start(tmp_path, "--out", "uninterrupted")
    assert process.wait(timeout=60) == 0
    process.communicate()
    assert read(results) == read(tmp_path / "uninterrupted")


def test_an_interrupt_keeps_the_rows_and_says_so(tmp_path: Path):
    process = start(tmp_path)
    wait_for_rows(tmp_path / "results", 2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert output == ""
    assert errors == ("secagent: interrupted; the same command resumes the run, finished rows are kept in results\n")
    assert 2 <= len(read(tmp_path / "results")) < 24


FATAL = """
import os
import solvers
from solvers.exact.solver import Exact

class Fatal(Exact):
    name = "fatal"
    def _solve(self, run):
        if run.seed == {seed}:
            os._exit(9)
        super()._solve(run)

solvers.register("fatal", Fatal)
"""


def test_a_worker_that_dies_is_replaced_and_the_solver_that_killed_it_fails(tmp_path: Path):
    (tmp_path / "fatal.py").write_text(FATAL.format(seed=solver_seed(0, 2)))
    command = [
        sys.executable,
        "-m",
        "eval.command.cli",
        "compare",
        "--scenario",
        "small",
        "--solvers",
        "fatal",
        "exact",
    ]
    done = subprocess.run(
        [*command, "--instances", "4", "--workers", "2", "--plugin", "fatal"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "secagent: a worker process died; another takes its place" in done.stderr
    assert "fatal has no feasible decision for 1 of 4 (instances 2); the first: failed, the worker" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_solver_that_raises_fails_its_rows_only(tmp_path: Path):
    frame = run(Comparison(scenario=SMALL, solvers={"broken": {}, "exact": {}}, instances=2), tmp_path, workers=1)
    assert frame.groupby("solver")["feasible"].sum().to_dict() == {"broken": 0, "exact": 2}
    table = (tmp_path / "table.md").read_text()
    assert "broken has no feasible decision for 2 of 2" in table
    assert "ZeroDivisionError: one by nothing" in table


def test_a_missing_extra_is_told_before_anything_is_solved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tabulate", None)
    with pytest.raises(ImportError, match=r"pip install 'secagent-env\[eval\]'"):
        run(Comparison(scenario=SMALL, solvers=CHEAP, instances=1), tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_files(tmp_path: Path):
    frame = run(Comparison(scenario=SMALL, solvers=CHEAP, instances=3), tmp_path, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cells",
        "compare.png",
        "rows.csv",
        "table.md",
    ]
    table = (tmp_path / "table.md").read_text()
    for column in (
        "feasible",
        "energy",
        "execution",
        "transmission",
        "latency",
        "gap",
        "evaluations",
        "time",
    ):
        assert column in table
    assert "3/3 (100%)" in table
    assert table.count("| exact ") == 2
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert len(lines) == 7
    assert set(lines[0].split(",")) == set(frame.columns)


def test_picture(tmp_path: Path):
    from matplotlib.image import imread

    run(Comparison(scenario=SMALL, solvers=CHEAP, instances=3), tmp_path, workers=1)
    pixels = imread(tmp_path / "compare.png")
    assert pixels.shape[1] == 1560
    assert (pixels[..., :3].min(axis=-1) < 0.9).mean() > 0.01  # something is drawn


def test_picture_of_one_instance_and_of_none_that_is_feasible(tmp_path: Path):
    impossible = SMALL.replace(min_accuracy=1.0)
    frame = run(Comparison(scenario=impossible, solvers=CHEAP, instances=2), tmp_path / "none", workers=1)
    assert not frame["feasible"].any()
    assert set(frame["status"]) == {"infeasible"}
    run(Comparison(scenario=SMALL, solvers=CHEAP, instances=1), tmp_path / "one", workers=1)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"instances": 0}, "instances must be an integer ≥ 1, got 0"),
        ({"instances": 2.0}, "instances must be an integer ≥ 1, got 2.0"),
        ({"seed": -1}, "seed must be an integer ≥ 0, got -1"),
        ({"max_seconds": 0}, "max_seconds must be a finite number > 0, got 0"),
        ({"max_seconds": float("nan")}, "max_seconds must be a finite number > 0, got nan"),
        ({"csi_error": 1}, "csi_error must be a finite number ≥ 0 and < 1, got 1"),
        ({"csi_error": float("nan")}, "csi_error must be a finite number ≥ 0 and < 1, got nan"),
        ({"solvers": {}}, "at least one solver"),
        ({"solvers": {"exakt": {}}}, "did you mean 'exact'"),
        ({"solvers": {"exact": {"jaming": True}}}, "did you mean 'jamming'"),
    ],
)
def test_bad_comparisons(fields: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        Comparison(**{"solvers": CHEAP, **fields})


# --- solvers with options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "label", "options"),
    [
        ("asc", "asc", {}),
        (" asc ( ) ", "asc", {}),
        ("asc(jamming=false)", "asc(jamming=false)", {"jamming": False}),
        (
            "asc( polished = 2,max_iterations=3 )",
            "asc(max_iterations=3, polished=2)",
            {"polished": 2, "max_iterations": 3},
        ),
        ("mine(tol=1e-3)", "mine(tol=0.001)", {"tol": 1e-3}),
        ('mine(a=[1, 2], b="x (y), z")', 'mine(a=[1, 2], b="x (y), z")', {"a": [1, 2], "b": "x (y), z"}),
        ("my solver-2(a=1)", "my solver-2(a=1)", {"a": 1}),
    ],
)
def test_solvers_with_options(text: str, label: str, options: dict):
    assert parse_solvers([text]) == {label: options}


@pytest.mark.parametrize(
    "text",
    ["", "()", "(a=1)", "asc(", "asc)", "asc(a)", "asc(a=)", "asc(a=True)", "asc(a=1", "asc(a=1)x", "asc(a=1, a=2)",
     "asc(a=1}\nb={c=2)", "asc\n(a=1)x"],
)  # fmt: skip
def test_unreadable_solvers(text: str):
    with pytest.raises(ValueError, match=r"^a solver is given as name or as name\(option=value, …\)"):
        parse_solvers([text])


def test_a_solver_twice_is_refused():
    with pytest.raises(ValueError, match=r"^the solver asc\(a=1, b=2\) is given twice$"):
        parse_solvers(["asc(a=1,b=2)", "exact", "asc(b=2, a=1)"])


def test_variants_of_a_solver_are_compared(tmp_path: Path):
    variants = parse_solvers(["exact", "exact(jamming=false)"])
    frame = run(Comparison(scenario=SMALL, solvers=variants, instances=2), tmp_path, workers=1)
    assert list(frame["solver"]) == ["exact", "exact(jamming=false)"] * 2
    assert {row["scheme"]: json.loads(row["options"])["solver_options"] for row in read(tmp_path)} == variants
    made = Comparison(solvers={"exact(without help)": {"jamming": False}}).make_solvers()
    assert not made["exact(without help)"].jamming


# --- estimated channels --------------------------------------------------------------------------------------


def test_without_error_nothing_is_believed(tmp_path: Path):
    plain = run(Comparison(scenario=SMALL, solvers=CHEAP, instances=2), tmp_path, workers=1)
    zero = run(Comparison(scenario=SMALL, solvers=CHEAP, instances=2, csi_error=0), tmp_path, workers=1)
    assert zero.equals(plain)
    assert len(read(tmp_path)) == 4
    assert "outage" not in (tmp_path / "table.md").read_text()
    assert not {"believed_feasible", "secrecy_outage"} & {*plain.columns, *read(tmp_path)[0]}


def test_decided_on_the_estimate_and_judged_on_the_truth(tmp_path: Path):
    comparison = Comparison(scenario=SMALL, solvers={"draw": {}}, instances=25, seed=2, csi_error=0.9)
    frame = run(comparison, tmp_path, workers=1)
    truth = sample_instance(SMALL, 2, 25)
    known = estimate_eavesdroppers(truth, 0.9, 2)
    for i, row in frame.iterrows():
        solution = solvers.make("draw").solve(known[i], seed=solver_seed(2, i))
        outcome = evaluate(truth[i], solution.decision)
        assert row["feasible"] == outcome.feasible
        assert row["believed_feasible"] == solution.outcome.feasible
        assert row["secrecy_outage"] == (solution.outcome.feasible and not outcome.feasible)
        assert row["status"] == solution.status
        if outcome.feasible:
            assert row["energy_j"] == outcome.energy_j
            assert row["lower_bound_j"] == lower_bound(truth[i]).energy_j
            assert row["gap"] >= 0
        if outcome.feasible < solution.outcome.feasible:
            assert row["message"].startswith("but only on the estimate; on the true channels ")
    believed, outages = int(frame["believed_feasible"].sum()), int(frame["secrecy_outage"].sum())
    assert 0 < outages < believed
    table = (tmp_path / "table.md").read_text()
    assert f"| {believed}/25 ({believed / 25:.0%})" in table
    assert f"| {100 * outages / believed:.3g} % [" in table
    assert "error variance 0.9" in table


def test_outages_grow_with_the_error(tmp_path: Path):
    def outages(csi_error: float) -> int:
        comparison = Comparison(scenario=SMALL, solvers={"draw": {}}, instances=30, csi_error=csi_error)
        return int(run(comparison, tmp_path, workers=1)["secrecy_outage"].sum())

    counts = [outages(csi_error) for csi_error in (1e-9, 0.1, 0.6)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


def test_judged_by_hand():
    instance = sample_instance(SMALL, 1)
    solution = solvers.make("exact").solve(instance)
    agent = int(np.flatnonzero(solution.decision.selection)[0])
    # In its own instance nothing changes.
    assert result_on_true_channels(solution, instance) == {
        **result_of(solution),
        "believed_feasible": True,
        "secrecy_outage": False,
    }
    # The eavesdropper has the channel of a selected agent: what that agent hears, it hears too.
    row = result_on_true_channels(solution, instance.replace(channel_eve=instance.channel_bs[agent : agent + 1]))
    assert (row["feasible"], row["believed_feasible"], row["secrecy_outage"]) == (False, True, True)
    assert row["message"] == "but only on the estimate; on the true channels the downlink is not secret"
    assert row["latency_s"] is None
    # It hears the agents as well as the base station does.
    row = result_on_true_channels(solution, instance.replace(gain_eve=instance.bs_gain[:, None]))
    assert row["message"] == "but only on the estimate; on the true channels the uplink is not secret"
    # It hears them a little less well: they can send in secret, and take too long.
    row = result_on_true_channels(solution, instance.replace(gain_eve=0.999 * instance.bs_gain[:, None]))
    assert row["secrecy_outage"]
    assert row["latency_s"] > SMALL.latency_limit_s
    assert row["message"] == "but only on the estimate; on the true channels latency_s is violated"
    # A decision that was infeasible already is no outage, nor is one that turns out to be feasible.
    silent = solvers.make("exact").solve(sample_instance(SMALL.replace(min_accuracy=1.0), 1))
    row = result_on_true_channels(silent, instance)
    assert (row["feasible"], row["believed_feasible"], row["secrecy_outage"]) == (False, False, False)


def test_a_solver_that_raises_believes_nothing(tmp_path: Path):
    comparison = Comparison(scenario=SMALL, solvers={"broken": {}, "exact": {}}, instances=2, csi_error=0.1)
    frame = run(comparison, tmp_path, workers=1)
    assert not frame.loc[frame["solver"] == "broken", ["believed_feasible", "secrecy_outage"]].any(axis=None)
    lines = [line for line in (tmp_path / "table.md").read_text().splitlines() if line.startswith("| broken")]
    assert [cell.strip() for cell in lines[0].split("|")[2:5]] == ["0/2 (0%)", "0/2 (0%)", "–"]


# --- solvers that ask a language model -----------------------------------------------------------------------


class Asking(Draw):
    """Says that it asked a language model."""

    def __init__(self, calls: int = 3):
        self.calls = calls

    @property
    def name(self) -> str:
        return f"asking ({'gpt' if self.calls else 'no LLM'})"

    def _solve(self, run):
        run.usage = {"calls": 3, "prompt_tokens": 1000, "completion_tokens": 500, "cost": 0.25, "faults": {"cut": 1}}
        super()._solve(run)


def test_what_a_language_model_was_asked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(registry._factories, "asking", Asking)
    given = parse_solvers(["asking(calls=3)", "asking(calls=0)", "draw"])
    frame = run(Comparison(scenario=SMALL, solvers=given, instances=2), tmp_path, workers=1)
    assert list(frame["solver"])[:3] == ["asking(calls=3)", "asking (no LLM, calls=0)", "draw"]
    told = frame.loc[frame["instance"] == 0, ["calls", "tokens", "cost"]].to_numpy()
    np.testing.assert_array_equal(told, [[3, 1500, 0.25], [3, 1500, 0], [np.nan] * 3])
    lines = [
        line for line in (tmp_path / "table.md").read_text().splitlines() if "| calls " in line or "calls=" in line
    ]
    columns = [cell.strip() for cell in next(line for line in lines if "| calls " in line).split("|")]
    at = columns.index("calls")
    assert columns[at : at + 3] == ["calls", "tokens", "cost"]
    assert [cell.strip() for cell in lines[3].split("|")][at : at + 3] == ["3", "1500", "0.25"]
    assert [cell.strip() for cell in lines[4].split("|")][at : at + 3] == ["3", "1500", "0"]
    assert "| calls " not in markdown_of_solvers(tmp_path)


def test_rules_that_stand_in_for_a_language_model_are_called_so():
    variants = parse_solvers(["law", "law(rounds=1)", 'law(model="gpt", base_url="http://127.0.0.1:9/v1")'])
    comparison = Comparison(scenario=SMALL, solvers=variants)
    assert list(comparison.solvers) == [
        "law (no LLM)",
        "law (no LLM, rounds=1)",
        'law(base_url="http://127.0.0.1:9/v1", model="gpt")',
    ]
    assert Comparison(scenario=SMALL, solvers=comparison.solvers).solvers == comparison.solvers
    assert comparison.make_solvers()["law (no LLM, rounds=1)"].rounds == 1
    assert [cell.paid for cell in comparison.cells()[:3]] == [False, False, True]


def test_a_key_is_not_written_to_files():
    with pytest.raises(ValueError, match=r"^api_key is no option here, .*; set OPENAI_API_KEY instead$"):
        Comparison(scenario=SMALL, solvers={"law": {"api_key": "sk-secret"}})


# --- Trained agents ------------------------------------------------------------------------------------------


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return a run's folder with a policy that ranks the agents by an untrained network."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    (tmp_path / "runs" / "ppo-seed3").mkdir(parents=True)
    return exported(torch, tmp_path / "runs" / "ppo-seed3" / "policy.onnx", 0).parent


def exported(torch, path: Path, seed: int) -> Path:
    from training.learn.export import export_policy, policy_metadata

    class Shared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(5, 1)

        def forward(self, task, agents, eavesdroppers):
            scores = torch.tanh(self.layer(agents[..., :5]))[..., 0]
            rest = torch.tensor([[-0.4, 0.0, 0.0, 0.8, 0.0]]).expand(agents.shape[0], -1) + 0 * eavesdroppers[:, 0]
            return torch.cat([scores, -torch.ones_like(scores), rest + 0 * task[:, :1]], -1)

    torch.manual_seed(seed)
    inputs = {"task": torch.rand(2, 6), "agents": torch.rand(2, 6, 6), "eavesdroppers": torch.rand(2, 1, 1)}
    export_policy(path, Shared(), inputs, policy_metadata("ppo", SMALL))
    return path


def test_trained_agents_compare_as_solvers_do(policy: Path, tmp_path: Path):
    given = parse_solvers(["draw", str(policy), f"{policy}(repair=false)", f"{policy / 'policy.onnx'}(refine=9)"])
    comparison = Comparison(scenario=SMALL, solvers=given, instances=8)
    frame = run(comparison, tmp_path / "one", workers=1)
    run(comparison, tmp_path / "two", workers=2)
    assert read(tmp_path / "one") == read(tmp_path / "two")
    repaired, plain, refined = (frame[frame["solver"] == label].reset_index() for label in list(given)[1:])
    acted = repaired["repaired"].astype(bool)
    assert acted.any()
    assert not acted.all()
    assert not plain["repaired"].any()
    np.testing.assert_array_equal(acted, ~plain["feasible"].astype(bool))
    assert repaired["feasible"].all()
    assert (refined["energy_j"] <= repaired["energy_j"] * (1 + 1e-12)).all()
    assert frame.loc[frame["solver"] == "draw", "repaired"].isna().all()
    table = (tmp_path / "one" / "table.md").read_text()
    assert f"{acted.sum()}/8 ({acted.mean():.0%})" in table
    assert "repaired" not in markdown_of_solvers(tmp_path)


def markdown_of_solvers(folder: Path) -> str:
    run(Comparison(scenario=SMALL, solvers={"draw": {}}, instances=2), folder / "without", workers=1)
    return (folder / "without" / "table.md").read_text()


def test_rows_of_an_agent_hold_its_weights(policy: Path, tmp_path: Path):
    comparison = Comparison(scenario=SMALL, solvers={str(policy): {}, "draw": {}}, instances=1)
    first = comparison.cells()
    assert [cell.options.get("policy") for cell in first] == [training.load_agent(policy).digest, None]
    assert ["training.play.agents" in cell.code for cell in first] == [True, False]
    exported(pytest.importorskip("torch"), policy / "policy.onnx", 1)
    second = comparison.cells()
    assert first[0].key != second[0].key
    assert first[1].key == second[1].key
    with pytest.raises(ValueError, match=r"the policy of .* was changed"):
        first[0].load()(first[0])


def test_agents_are_made_by_name_and_path_with_options(policy: Path, monkeypatch: pytest.MonkeyPatch):
    assert make(str(policy), refine=2).refine == 2
    with pytest.raises(ValueError, match=r"unknown option of .*; did you mean 'refine'"):
        make(str(policy), refin=2)
    monkeypatch.setattr("training.play.shipped.POLICIES", policy)
    (policy / "policy.onnx").rename(policy / "l2o.onnx")
    assert make("l2o").name == "l2o"
    assert default_solvers() == ("exact", "asc-plus", "asc", "l2o", "randas")
    with pytest.raises(ValueError, match=r"unknown solver 'l20'; did you mean 'l2o'\? valid are: l2o, .*asc"):
        make("l20")


def test_an_agent_that_does_not_take_the_scenario_is_refused_before_anything_is_solved(policy: Path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(policy / "policy.onnx")
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != "digest"}
    onnx.helper.set_model_props(model, kept | {"any_agents": "false"})
    onnx.save(model, policy / "policy.onnx")
    with pytest.raises(ValueError, match=r"trained for 6 agents, .*the instance has 7 agents"):
        Comparison(scenario=SMALL.replace(num_agents=7), solvers={str(policy): {}})


def test_an_agent_solves_on_the_command_line(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    from eval.command.cli import main

    assert main(["sample", "--scenario", "small", "--out", str(tmp_path / "i.npz")]) == 0
    picture = tmp_path / "convergence.png"
    solve = ["solve", str(tmp_path / "i.npz"), "--solver", str(policy), "--set", "refine=3", "--plot", str(picture)]
    assert main(solve) == 0
    assert ", refined" in capsys.readouterr().out
    assert picture.stat().st_size > 0
