"""The `secagent` command as users meet it: what it prints, what it writes, and its errors."""

import dataclasses
import json
import logging
import os
import re
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest

import secagent_env
from eval.command.cli import main
from eval.command.study import STUDIES
from eval.compare.convergence import _starts, save_convergence
from eval.compare.decisions import load_decision, save_decision
from eval.experiments.protocol import Experiment
from eval.sweep.store import Store
from secagent_env import Instance, Scenario, evaluate, sample_instance
from solvers import make

pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

COMPARE = ["compare", "--scenario", "small", "--solvers", "exact", "--instances", "2", "--workers", "1"]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    drawn = sample_instance("small", 1)
    drawn.save("instance.npz")
    return drawn


def command(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "eval.command.cli", *arguments], capture_output=True, text=True, **options
    )


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """Run a command that must fail in the way of all errors, and return its sentence."""
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert re.fullmatch(r"secagent: error: [^\n]+\n", errors)
    return errors.removeprefix("secagent: error: ").rstrip()


# --- the installation ------------------------------------------------------------------------------------------


def test_an_installed_distribution_of_the_former_name_is_told(tmp_path: Path):
    (tmp_path / "secagent-0.0.1.dist-info").mkdir()
    (tmp_path / "secagent-0.0.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: secagent\nVersion: 0.0.1\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    ran = command("sample", "--out", "x.npz", env=env)
    assert ran.returncode == 0
    assert ran.stderr.startswith("secagent: the distribution 'secagent' 0.0.1 is installed, which is not this one: ")
    assert "pip uninstall secagent" in ran.stderr
    assert "secagent-env" in ran.stderr


# --- compare ------------------------------------------------------------------------------------------------


def test_compare_prints_the_table_it_saves(capsys: pytest.CaptureFixture):
    assert main([*COMPARE, "--out", "out"]) == 0
    output, errors = capsys.readouterr()
    assert output == Path("out/table.md").read_text()
    assert re.search(r"^\| exact +\| 2/2 \(100%\)", output, re.MULTILINE)
    assert errors == "secagent: wrote table.md, rows.csv and compare.png in out\n"  # no progress bar in a file
    assert main([*COMPARE, "--out", "out"]) == 0
    assert "2 of 2 cells are taken from out/cells" in capsys.readouterr().err


def test_compare_by_default_writes_to_results(capsys: pytest.CaptureFixture):
    assert main(["-q", *COMPARE]) == 0
    assert Path("results/table.md").exists()
    assert capsys.readouterr().err == ""


def test_compare_takes_a_scenario_file_and_overrides(capsys: pytest.CaptureFixture):
    Path("mine.toml").write_text('preset = "small"\nnum_agents = 7\n')
    overrides = ["--set", "num_antennas=5", "area_m=[0, 50]", "--set", "colluding=true"]
    assert main(["compare", "--scenario", "mine.toml", *COMPARE[3:], *overrides, "--workers", "1"]) == 0
    options = cells("results")[0]["options"]
    expected = Scenario.preset("small", num_agents=7, num_antennas=5, area_m=(0, 50), colluding=True)
    assert Scenario(**options["scenario"]) == expected


def test_compare_with_the_default_solvers(capsys: pytest.CaptureFixture):
    assert main(["compare", "--scenario", "small", "--instances", "2", "--workers", "2"]) == 0
    output = capsys.readouterr().out
    for solver in ("exact", "asc", "randas"):
        assert output.count(f"| {solver} ") == 2


def test_a_plugin_brings_a_solver():
    code = "import solvers\nfrom solvers.exact.solver import Exact\nsolvers.register('mine', Exact)\n"
    Path("plug.py").write_text(code)
    done = command(
        "compare",
        "--scenario",
        "small",
        "--solvers",
        "mine",
        "--instances",
        "3",
        "--workers",
        "2",
        "--plugin",
        "plug",
    )
    assert done.returncode == 0, done.stderr
    assert "| mine " in done.stdout


def test_progress_bar_on_a_terminal_only():
    pty = pytest.importorskip("pty")
    arguments = [sys.executable, "-m", "eval.command.cli", *COMPARE]
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=child, text=True) as process:
        os.close(child)
        shown = b""
        try:
            while chunk := os.read(parent, 1 << 16):
                shown += chunk
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(parent)
        process.communicate()
    assert process.returncode == 0
    assert b"2/2" in shown


def test_compare_takes_options_of_solvers(capsys: pytest.CaptureFixture):
    variants = ["--solvers", "exact", "exact( jamming = false )"]
    assert main([*COMPARE[:3], *variants, *COMPARE[5:], "--csi-error", "0.1"]) == 0
    output = capsys.readouterr().out
    assert "eavesdroppers' channels known with error variance 0.1;" in output
    assert re.search(
        r"^\| solver +\| feasible +\| believed feasible +\| secrecy outage +\| energy ", output, re.MULTILINE
    )
    assert output.count("| exact(jamming=false) ") == 2
    rows = sorted(cells("results"), key=lambda row: (row["index"], row["scheme"]))
    assert [row["options"]["solver_options"] for row in rows] == [{}, {"jamming": False}] * 2
    assert {row["options"]["csi_error"] for row in rows} == {0.1}


def test_compare_counts_and_estimates_in_a_dry_run(capsys: pytest.CaptureFixture):
    assert main([*COMPARE, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown == "2 cells: 0 finished, 0 failed, 2 to be computed, in about 1 s on 1 worker\n"
    assert not Path("results").exists()
    assert main([*COMPARE]) == 0
    capsys.readouterr()
    assert main([*COMPARE, "--instances", "3", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("3 cells: 2 finished, 0 failed, 1 to be computed, in about ")
    assert main([*COMPARE, "--dry-run"]) == 0
    assert capsys.readouterr().out == "2 cells: 2 finished, 0 failed, 0 to be computed\n"
    assert main([*COMPARE, "--fresh", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("2 cells: 0 finished, 0 failed, 2 to be computed, in about ")


def cells(folder: str) -> list[dict]:
    rows = Store(Path(folder, "cells")).table().to_pylist()
    return [{**row, "options": json.loads(row["options"])} for row in rows]


# --- study --------------------------------------------------------------------------------------------------


def test_every_study_can_be_loaded_and_is_listed(capsys: pytest.CaptureFixture):
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    assert main(["study", "--help"]) == 0
    listed = capsys.readouterr().out
    for name, study in STUDIES.items():
        assert issubclass(study.load(), Experiment)
        assert re.search(rf"^  {name} +{re.escape(study.title)}$", overview, re.MULTILINE)
        assert re.search(rf"^    {name}\s", listed, re.MULTILINE)
        assert main(["study", name, "--help"]) == 0
        options = capsys.readouterr().out
        for option in ("--out", "--workers", "--scheduler", "--fresh", "--retry-failed", "--dry-run"):
            assert f"{option} " in options


def test_an_unknown_study_is_answered_with_the_nearest(capsys: pytest.CaptureFixture):
    sentence = refused(capsys, "study", "hardnes")
    assert sentence.startswith("unknown study 'hardnes'; did you mean 'hardness'? valid are: ")
    assert "required: NAME" in refused(capsys, "study")


def test_a_study_resumes_and_rehearses(capsys: pytest.CaptureFixture):
    arguments = ["study", "scaling", "--agents", "6", "--antennas", "--instances", "2"]
    assert main([*arguments, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert planned.startswith("4 cells: 0 finished, 0 failed, 4 to be computed")
    assert "on 1 worker" in planned  # by default, since times are compared
    assert not Path("results").exists()
    assert main(["-q", *arguments]) == 0
    first = capsys.readouterr()
    assert first.err == ""
    assert first.out == Path("results/scaling/scaling.md").read_text()
    assert main([*arguments, "-q", "--workers", "2"]) == 0
    assert capsys.readouterr().out == first.out
    assert len(cells("results/scaling")) == 4
    assert len(Path("results/scaling/scaling.csv").read_text().splitlines()) == 5


def test_a_study_refuses_bad_numbers(capsys: pytest.CaptureFixture):
    assert "instances must be an integer ≥ 1, got 0" in refused(capsys, "study", "law", "--instances", "0")
    assert "did you mean 'paper'" in refused(capsys, "study", "law", "--scenario", "papr")
    assert "must end with" in refused(capsys, "study", "law", "--picture", "law.txt")
    assert "invalid choice: 'papr'" in refused(capsys, "study", "hardness", "papr")


# --- solve and sample ---------------------------------------------------------------------------------------


def test_sample_then_solve(capsys: pytest.CaptureFixture):
    assert main(["sample", "--scenario", "small", "--seed", "4", "--index", "2", "--out", "instance.npz"]) == 0
    drawn = Instance.load("instance.npz")
    np.testing.assert_array_equal(drawn.channel_bs, sample_instance("small", 4, 3)[2].channel_bs)
    assert main(["solve", "instance.npz", "--solver", "exact", "--out", "decision.json", "--set", "jamming=false"]) == 0
    output, errors = capsys.readouterr()
    for name in ("status", "energy", "lower bound", "latency", "violated", "selected", "jamming"):
        assert re.search(rf"^{name} ", output, re.MULTILINE)
    assert "secagent: wrote decision.json" in errors
    decision, content = load_decision("decision.json"), json.loads(Path("decision.json").read_text())
    outcome = evaluate(drawn, decision)
    assert outcome.feasible
    assert outcome.energy_j == content["outcome"]["energy_j"]
    assert content["status"] == "optimal"
    assert content["options"] == {"jamming": False}
    assert content["secagent"] == secagent_env.__version__


def test_solve_tells_that_an_instance_is_infeasible(capsys: pytest.CaptureFixture):
    sample_instance(Scenario.preset("small", min_accuracy=1.0), 1).save("instance.npz")
    assert main(["solve", "instance.npz", "--solver", "exact", "--out", "decision.json"]) == 0
    output = capsys.readouterr().out
    assert "infeasible: accuracy" in output
    assert "violated     selected by" in output or "violated     accuracy by" in output
    content = json.loads(Path("decision.json").read_text())
    assert content["lower_bound_j"] is None
    assert not content["outcome"]["feasible"]
    load_decision("decision.json")


def test_solve_draws_the_convergence(instance: Instance, capsys: pytest.CaptureFixture):
    for name, magic in (("picture.png", b"\x89PNG"), ("picture.pdf", b"%PDF"), ("picture.svg", b"<?xml")):
        for solver in ("exact", "asc", "randas"):
            assert main(["solve", "instance.npz", "--solver", solver, "--plot", name]) == 0
            assert f"secagent: wrote {name}" in capsys.readouterr().err
            assert Path(name).read_bytes().startswith(magic)
            Path(name).unlink()


def test_solve_says_that_there_is_nothing_to_draw(capsys: pytest.CaptureFixture):
    sample_instance(Scenario.preset("small", min_accuracy=1.0), 1).save("instance.npz")
    assert main(["solve", "instance.npz", "--plot", "picture.png"]) == 0
    output, errors = capsys.readouterr()
    assert "infeasible: accuracy" in output
    assert errors == "secagent: asc left no history of iterations, so picture.png is not written\n"
    assert not Path("picture.png").exists()


HISTORIES = {
    "nothing feasible, infinite": [
        {"iteration": 1, "sub_problem": step, "energy_j": np.inf, "transmission_energy_j": np.inf, "violation": np.inf,
         "feasible": False, "best_energy_j": np.inf, "seconds": 0.1}
        for step in ("selection", "beam", "powers")
    ],
    "violated, then not": [
        {"iteration": i, "sub_problem": "powers", "energy_j": 9.0 - i, "transmission_energy_j": 10.0**-i,
         "violation": max(0.0, 1e3 * (3 - i)), "feasible": i > 2, "best_energy_j": 9.0 - i if i > 2 else np.inf,
         "seconds": i}
        for i in range(1, 6)
    ],
    "the best alone": [{"generation": i, "best_energy_j": 5.0 - i, "seconds": i} for i in range(4)],
    "one record": [{"best_energy_j": 5.0, "seconds": 0.0}],
    "two kinds of records": [
        {"iteration": 1, "sub_problem": "generation", "best_energy_j": 5.0, "seconds": 1.0},
        {"iteration": 1, "sub_problem": "beam", "energy_j": 4.0, "best_energy_j": 4.0, "seconds": 2.0},
    ],
    "no energy at all": [{"iteration": 1, "sub_problem": "beam", "energy_j": 0.0, "transmission_energy_j": 0.0,
                          "best_energy_j": np.inf, "seconds": 0.0}],
}  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
def test_every_history_can_be_drawn(instance: Instance, name: str):
    solution = dataclasses.replace(make("exact").solve(instance), history=tuple(HISTORIES[name]))
    save_convergence(solution, Path("picture.png"))
    assert Path("picture.png").stat().st_size > 5000


def test_where_searches_start_again():
    steps = [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (1, "a"), (1, "b"), (1, "b"), (2, "b"), (1, "b")]
    assert _starts([{"iteration": i, "sub_problem": name} for i, name in steps]) == [0, 4, 6, 8]
    assert _starts([{"generation": i} for i in (1, 2, 1)]) == [0]


def test_solve_is_reproducible(instance: Instance, capsys: pytest.CaptureFixture):
    for name in ("a.json", "b.json"):
        assert main(["solve", "instance.npz", "--solver", "exact", "--seed", "5", "--out", name]) == 0
    a, b = (json.loads(Path(name).read_text()) for name in ("a.json", "b.json"))
    differs = {"wall_time_s": 0, "digest": ""}
    assert a | differs == b | differs
    assert a["seed"] == 5
    assert sorted(path.name for path in Path().iterdir()) == ["a.json", "b.json", "instance.npz"]


def test_decisions_survive_their_file(instance: Instance):
    solution = make("exact").solve(instance, seed=1)
    save_decision("decision.json", solution)
    decision = load_decision("decision.json")
    for name in ("selection", "beamformer", "power_w"):
        np.testing.assert_array_equal(getattr(decision, name), getattr(solution.decision, name), strict=True)
    assert decision.noise_covariance is None
    assert "noise_covariance_real" not in json.loads(Path("decision.json").read_text())


def test_artificial_noise_survives_the_file(instance: Instance):
    solution = make("exact").solve(instance, seed=1)
    factor = np.arange(16).reshape(4, 4) + 1j * np.eye(4)
    noisy = solution.decision.replace(noise_covariance=factor @ factor.conj().T)
    save_decision("decision.json", dataclasses.replace(solution, decision=noisy))
    assert json.loads(Path("decision.json").read_text())["version"] == 2  # an earlier secagent refuses it
    read = load_decision("decision.json").noise_covariance
    np.testing.assert_array_equal(read, noisy.noise_covariance, strict=True)


def unsealed(content: dict) -> dict:
    return {name: value for name, value in content.items() if name != "digest"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "something"}, "holds no secagent decision"),
        ({"version": 3}, "format version 3, this secagent reads 1 and 2; upgrade"),
        ({"version": 2}, "noise_covariance_real is missing"),
        (
            {"version": 2, "noise_covariance_real": [[0.0] * 4], "noise_covariance_imag": []},
            "noise_covariance_real must be a list of 4 rows",
        ),
        ({"num_agents": 0}, "num_agents must be an integer ≥ 1, got 0"),
        ({"num_agents": 7}, "power_w must be a list of 7 numbers"),
        ({"selected": [6]}, "indices from 0 to 5"),
        ({"selected": [1, 1]}, "name each agent once"),
        ({"selected": [True]}, "indices from 0 to 5"),
        ({"power_w": [None] * 6}, "power_w must be a list of 6 numbers"),
        ({"power_w": [1e999] * 6}, "Infinity is not a number"),
        ({"beamformer_real": [0.0]}, "beamformer_real must be a list of 4 numbers"),
        ({"beamformer_imag": "none"}, "beamformer_imag must be a list of 4 numbers"),
        ({"power_w": [10**400] * 6}, "more than 40 digits"),
    ],
)
def test_broken_decisions_are_refused(instance: Instance, change: dict, sentence: str):
    save_decision("decision.json", make("exact").solve(instance))
    content = json.loads(Path("decision.json").read_text())
    Path("decision.json").write_text(json.dumps({**unsealed(content), **change}))
    with pytest.raises(ValueError, match=f"^cannot load a decision from decision.json: .*{sentence}"):
        load_decision("decision.json")


def test_a_changed_decision_is_refused_unless_its_digest_goes(instance: Instance, caplog: pytest.LogCaptureFixture):
    save_decision("decision.json", make("exact").solve(instance))
    content = json.loads(Path("decision.json").read_text())
    changed = {**content, "power_w": [0.25] * 6}
    Path("decision.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=r"^cannot load a decision from decision.json: it is damaged: .*its digest"):
        load_decision("decision.json")
    Path("decision.json").write_text(json.dumps(unsealed(changed)))
    for _ in range(2):
        assert load_decision("decision.json").power_w.tolist() == [0.25] * 6
    assert [record.message for record in caplog.records] == ["decision.json holds no digest: it is read unverified"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3", b"[" * 100_000, b'{"format": 1}'])
def test_foreign_decision_files_are_refused(content: bytes):
    Path("decision.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"^cannot load a decision from decision\.json: "):
        load_decision("decision.json")


def test_an_incomplete_decision_names_what_is_missing(instance: Instance):
    save_decision("decision.json", make("exact").solve(instance))
    content = json.loads(Path("decision.json").read_text())
    for name in ("version", "num_antennas", "selected", "beamformer_real", "power_w"):
        Path("decision.json").write_text(
            json.dumps({key: value for key, value in unsealed(content).items() if key != name})
        )
        with pytest.raises(ValueError, match=f"{name} is missing"):
            load_decision("decision.json")


# --- errors: one sentence, exit status 2 --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare", "--scenario", "papr"], "unknown preset 'papr'; did you mean 'paper'?"),
        (["compare", "--scenario", "none.toml"], "none.toml: No such file or directory"),
        (["compare", "--scenario", "bad.toml"], "bad.toml is not a valid TOML file"),
        (
            ["compare", "--scenario", "wrong.toml"],
            "wrong.toml: unknown scenario field 'num_agent'; did you mean",
        ),
        (
            ["compare", "--scenario", "small", "--set", "name=5"],
            "unknown scenario field 'name'; valid are: activation_ops",
        ),
        (
            ["compare", "--scenario", "small", "--set", "num_agent=5"],
            "unknown scenario field 'num_agent'; did you",
        ),
        (
            ["compare", "--scenario", "small", "--set", "num_agents=0"],
            "num_agents must be an integer ≥ 1, got 0",
        ),
        (
            ["compare", "--scenario", "small", "--set", "num_agents=1"],
            "min_selected must be an integer from 1 to 1",
        ),
        (
            ["compare", "--scenario", "small", "--set", "num_antennas=0"],
            "num_antennas must be an integer ≥ 1, got 0",
        ),
        (
            ["compare", "--scenario", "small", "--set", "max_power_w=-1"],
            "max_power_w must be a finite number > 0",
        ),
        (
            ["compare", "--scenario", "small", "--set", "min_accuracy=nan"],
            "min_accuracy must be a finite number from 0 to 1",
        ),
        (
            ["compare", "--scenario", "small", "--set", "min_accuracy=NaN"],
            "--set min_accuracy needs a value as in TOML",
        ),
        (
            ["compare", "--scenario", "small", "--set", "area_m=[0]"],
            "area_m must be a (low, high) range, got [0]",
        ),
        (
            ["compare", "--scenario", "small", "--set", "num_agents"],
            "--set needs name=value, got 'num_agents'",
        ),
        (["compare", "--scenario", "small", "--set", "=3"], "--set needs name=value, got '=3'"),
        (
            ["compare", "--scenario", "small", "--set", "num_agents=7\nnum_antennas=2"],
            "--set num_agents needs a value",
        ),
        (["compare", "--solvers", "exakt"], "unknown solver 'exakt'; did you mean 'exact'?"),
        (["compare", "--solvers", "asc(draws=1"], "a solver is given as name or as name(option=value, …) with values"),
        (["compare", "--solvers", "asc(drows=1)"], "unknown option of asc 'drows'; did you mean 'draws'?"),
        (["compare", "--solvers", "asc(draws=-1)"], "draws must be an integer ≥ 0, got -1"),
        (["compare", "--solvers", "asc", "exact", "asc()"], "the solver asc is given twice"),
        (["compare", "--csi-error", "1"], "csi_error must be a finite number ≥ 0 and < 1, got 1.0"),
        (["compare", "--csi-error", "little"], "argument --csi-error: invalid float value: 'little'"),
        (["compare", "--instances", "0"], "instances must be an integer ≥ 1, got 0"),
        (["compare", "--instances", "two"], "argument --instances: invalid int value: 'two'"),
        (["compare", "--seed", "-1"], "seed must be an integer ≥ 0, got -1"),
        (["compare", "--max-seconds", "0"], "max_seconds must be a finite number > 0, got 0.0"),
        (["compare", "--workers", "0"], "workers must be an integer ≥ 1, got 0"),
        (["compare", "--solvers", "exact", "--out", "bad.toml"], "bad.toml: File exists"),
        (["compare", "--solvers", "exact", "--out", "bad.toml/x"], "bad.toml/x: Not a directory"),
        (["compare", "--scheduler", "somewhere"], "'somewhere' is no scheduler's address"),
        (["compare", "--scheduler", "ftp://here:1"], "one is tcp://host:8786"),
        (
            ["compare", "--scheduler", "tcp://127.0.0.1:9", "--workers", "2"],
            "the workers of a scheduler are its own: give workers or a scheduler, not both",
        ),
        (["compare", "--plugin", "no_such_module"], "No module named 'no_such_module'"),
        (["compare", "--inst", "3"], "unrecognized arguments: --inst 3"),
        (["compare", "more"], "unrecognized arguments: more"),
        (["solve"], "solve needs a file: either INSTANCE, or --instances-file with --index"),
        (["solve", "none.npz"], "none.npz: No such file or directory"),
        (["solve", "."], "cannot load an instance from .: the folder has no header.json"),
        (["solve", "bad.toml"], "cannot load an instance from bad.toml: "),
        (["solve", "truncated.npz"], "cannot load an instance from truncated.npz: "),
        (["solve", "future.npz"], "future.npz: it has format version 3, this secagent reads 2; upgrade"),
        (["solve", "batch.npz", "--solver", "exact"], "batch.npz holds 3 instances: choose one with --index"),
        (["solve", "good.npz", "--solver", "exakt"], "unknown solver 'exakt'"),
        (
            ["solve", "good.npz", "--solver", "exact", "--set", "jaming=true"],
            "unknown option of exact 'jaming'; did you",
        ),
        (["solve", "good.npz", "--solver", "exact", "--seed", "-3"], "seed must be an integer ≥ 0, got -3"),
        (["solve", "good.npz", "--solver", "exact", "--max-seconds", "nan"], "max_seconds must be > 0"),
        (["solve", "good.npz", "--out", "none/decision.json"], "none: No such file or directory"),
        (["solve", "good.npz", "--out", "foreign"], "foreign: Is a directory"),
        (["solve", "good.npz", "--plot", "x.gif"], "a picture's name must end with .png, .pdf or .svg, got 'x.gif'"),
        (["solve", "good.npz", "--plot", "none/x.png"], "none: No such file or directory"),
        (["sample", "--scenario", "small"], "the following arguments are required: --out"),
        (["sample", "--scenario", "small", "--out", "none/x.npz"], "none: No such file or directory"),
        (
            ["sample", "--scenario", "small", "--seed", "-1", "--out", "x.npz"],
            "seed must be an integer ≥ 0, got -1",
        ),
        (
            ["sample", "--scenario", "small", "--index", "-1", "--out", "x.npz"],
            "index must be an integer ≥ 0, got -1",
        ),
        (
            ["sample", "--scenario", "small", "--set", "num_agents=1000000", "--out", "x.npz"],
            "not enough memory",
        ),
        (["bench", "--quick", "--out", "none/bench.json"], "none: No such file or directory"),
        (["compare", "--scenario", "/dev/zero"], "/dev/zero has more than 1.05 MB, and is not read"),
        (["compare", "--scenario", "deep.toml"], "deep.toml is not a valid TOML file: it is nested more than 100"),
        (["compare", "--set", f"area_m={'[' * 5000}"], "--set area_m needs a value as in TOML"),
        (["compare", "--solvers", f"asc(x={'[' * 5000})"], "a solver is given as name or as name(option=value, …)"),
        (["compare", "--plugin", ".x"], "--plugin takes the name of a Python module, as in package.module, got '.x'"),
        (["compare", "--plugin", "broken_plugin"], "--plugin broken_plugin cannot be imported (ZeroDivisionError: "),
        (["solve", "/dev/zero"], "/dev/zero has more than 537 MB, and is not read"),
        (["compair"], "argument command: invalid choice: 'compair'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_errors(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture):
    Path("bad.toml").write_text("num_agents = \n")
    Path("wrong.toml").write_text("num_agent = 3\n")
    Path("deep.toml").write_text(f"area_m = {'[' * 3000}\n")
    Path("broken_plugin.py").write_text("1 / 0\n")
    Path("foreign/cells").mkdir(parents=True)
    Path("foreign/cells/mine.parquet").write_text("not a row\n")
    good = sample_instance("small", 1)
    good.save("good.npz")
    sample_instance("small", 1, 3).save("batch.npz")
    Path("truncated.npz").write_bytes(Path("good.npz").read_bytes()[:1000])
    with np.load("good.npz") as archive:
        header = json.dumps({**json.loads(str(archive["header"])), "version": 3})
        np.savez("future.npz", **{**archive, "header": np.array(header)})
    assert sentence in refused(capsys, *arguments)
    assert not Path("results/table.md").exists()
    assert not Path("x.npz").exists()


def test_an_unwritable_folder(capsys: pytest.CaptureFixture, instance: Instance, monkeypatch: pytest.MonkeyPatch):
    if os.geteuid():
        Path("locked").mkdir(mode=0o555)
    else:  # root may write anywhere but here
        monkeypatch.setattr(os, "access", lambda *_: False)
    folder = "locked" if os.geteuid() else "."
    message = refused(capsys, "solve", "instance.npz", "--solver", "exact", "--out", f"{folder}/decision.json")
    assert message == f"{folder}: Permission denied"


def test_a_disk_that_fills_up_is_told_and_the_run_resumes():
    arguments = [*COMPARE, "--out", "out"]
    small_disk = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        "from eval.command.cli import main; sys.exit(main())"
    )
    full = subprocess.run([sys.executable, "-c", small_disk, *arguments], capture_output=True, text=True)
    assert (full.returncode, full.stdout) == (2, "")
    assert full.stderr.endswith("secagent: error: out/cells: File too large\n")
    assert not Path("out/table.md").exists()
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert len(cells("out")) == 2


def test_a_missing_extra_names_the_command_that_installs_it(capsys: pytest.CaptureFixture, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    message = refused(capsys, *COMPARE)
    assert "this needs tqdm" in message
    assert "pip install 'secagent-env[eval]'" in message


def test_verbose_shows_the_traceback_in_the_log(capsys: pytest.CaptureFixture):
    for arguments in (["-v", "solve", "none.npz"], ["solve", "none.npz", "-v"]):
        assert main(arguments) == 2
        errors = capsys.readouterr().err
        assert "Traceback" in errors
        assert errors.endswith("\nsecagent: error: none.npz: No such file or directory\n")


def test_an_unexpected_fault_is_not_hidden(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Instance, "load", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["solve", "instance.npz"])


# --- the rest -----------------------------------------------------------------------------------------------


def test_version_and_help(capsys: pytest.CaptureFixture):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"secagent {secagent_env.__version__}\n"
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    for name in ("compare", "solve", "sample", "bench"):
        assert f"    {name} " in output
        assert main([name, "--help"]) == 0
    assert main([]) == 2  # the help, as an error
    assert "usage: secagent" in capsys.readouterr().err


def test_as_a_process():
    assert command("--version").stdout == f"secagent {secagent_env.__version__}\n"
    done = command("solve", "none.npz")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "secagent: error: none.npz: No such file or directory\n"


def test_a_reader_that_leaves_early_is_no_error(instance: Instance):
    read, write = os.pipe()
    os.close(read)
    arguments = [sys.executable, "-m", "eval.command.cli", "solve", "instance.npz", "--solver", "exact"]
    done = subprocess.run(arguments, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_processes_of_a_run_use_one_blas_thread(monkeypatch: pytest.MonkeyPatch):
    from eval import one_blas_thread

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_blas_thread():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_command_leaves_the_logger_as_it_was(capsys):
    logger = logging.getLogger("secagent")
    level = logger.level
    main(["-q", "reproduce", "nothing"])
    main(["-v", "reproduce", "nothing"])
    assert logger.level == level
    assert not logger.handlers


def test_ctrl_c_while_options_are_read_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("eval.command.cli.Parser.parse_args", interrupted)
    assert main(["study", "law"]) == 130
    assert capsys.readouterr().err == "secagent: interrupted\n"
