"""``secagent study power-control``: DPC and the certified optimum on random games, and the speed of many games."""

import json

import numpy as np
import pytest

from eval.bench import power_control as bench_power_control
from eval.command import cli
from eval.experiments.genainet_power.dpc_tables import PowerControlTables
from eval.stats.formatting import tabulated
from eval.sweep.engine import Sweep, run_sweep
from secagent_env.power_control import rates, sample_game
from solvers.power_control import dpc, optimum

STUDY = ["-q", "study", "power-control"]


def test_the_table_beside_the_paper(tmp_path, capsys):
    arguments = [*STUDY, "--pairs", "2", "3", "--draws", "20", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "power-control.md").read_text(encoding="utf-8") == printed
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("| ")]
    assert [row[:2] for row in rows[1:]] == [
        ["2", "initial"],
        ["2", "dpc"],
        ["2", "optimum"],
        ["2", "paper: DPC"],
        ["2", "paper: GenAI alone"],
        ["2", "paper: GenAINet"],
        ["3", "initial"],
        ["3", "dpc"],
        ["3", "optimum"],
    ]
    games = sample_game(2, 0, (20,), feasible=False)
    power = dpc(games)[-1]
    gap = np.abs(games.target_rate - rates(games, power)).mean()
    assert rows[2][2].startswith(f"{gap:.4f} [")
    assert rows[2][3].startswith(f"{power.sum(axis=-1).mean():.2f} [")
    assert rows[4][2:4] == ["1.747 kbps", "16.5"]
    assert rows[3][4].startswith(f"{100 * optimum(games).fraction.mean():.3g} %")
    assert cli.main([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out == "6 cells: 6 finished, 0 failed, 0 to be computed\n"


def test_where_all_targets_can_be_reached_the_optimum_leaves_no_gap(tmp_path):
    tables = PowerControlTables([2], 10, seed=1, games="feasible")
    results = tables.courses(lambda cells: run_sweep(Sweep(cells), tmp_path, workers=1))
    (best,) = (result for result in results if result.method == "optimum")
    assert best.rate_gap.max() < 1e-12
    assert best.share == pytest.approx(np.ones(10), rel=1e-12)


@pytest.mark.parametrize("arguments", [["--draws", "0"], ["--pairs", "0"], ["--of", "nothing"], ["--rounds", "0"]])
def test_bad_arguments(arguments, capsys, tmp_path):
    assert cli.main([*STUDY, *arguments, "--workers", "1", "--out", str(tmp_path)]) == 2
    assert "error:" in capsys.readouterr().err


def test_the_speed_of_many_games():
    figure = bench_power_control.measure(2, size=64, repeats=3, share=0.01)
    assert figure["over_sync"]["median"] > 5
    text = bench_power_control.report([json.loads(json.dumps(figure))], tabulated)
    assert f"{figure['over_sync']['median']:.1f} [" in text
