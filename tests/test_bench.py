"""`secagent bench`: it measures what it says, in turns, and prints the ratios."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

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
    assert "measuring evaluate" in errors
    results = json.loads((tmp_path / "bench.json").read_text())
    assert f"{results['evaluate']['ratio']['median']:.1f}" == ratio[1]
    assert report(results) + "\n" == output
    assert {row["num_agents"] for row in results["growth"]} == {10, 30}


def test_a_batch_is_much_cheaper(tmp_path: Path):
    # Half of what is required: other tests run at the same time. `secagent bench` shows the figure itself.
    from eval.bench import BATCH, REQUIRED_RATIO, _evaluate
    from secagent_env import Scenario

    assert _evaluate(Scenario(), BATCH, 5, 0.005)["ratio"]["median"] > REQUIRED_RATIO / 2


def test_tasks_are_measured_in_turns():
    order = []
    tasks = {"slow": lambda: (order.append("s"), time.sleep(0.002)), "fast": lambda: order.append("f")}
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
