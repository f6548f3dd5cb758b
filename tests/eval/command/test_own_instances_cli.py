"""`secagent import`, and the commands on what it wrote: the same instances in all of them, and errors in a sentence."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from eval.command.cli import main
from eval.compare.instances_file import described, own_instance
from secagent_env import Instance
from secagent_env.channels import example_campus
from secagent_env.model.instance_files import stored_digest

pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

SIZES = ["--set", "num_agents=6", "num_antennas=4", "min_selected=2"]
IMPORT = ["import", "campus.npz", "--as", "sionna", "--frequency-hz", "0", "--draw", "20", *SIZES]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder with a data set."""
    monkeypatch.chdir(tmp_path)
    np.savez("campus.npz", **example_campus(30, 4))


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """Run a command that must fail in the way of all errors, and return its sentence."""
    capsys.readouterr()
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert re.fullmatch(r"secagent: error: [^\n]+\n", errors), errors
    return errors.removeprefix("secagent: error: ").rstrip()


def test_import_says_what_it_made_and_a_file_is_a_folder(capsys):
    assert main([*IMPORT, "--out", "own"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "20 instances in own: 6 agents, 4 antennas, 1 eavesdropper",
        "from the file: channel_bs, channel_eve, position_m, eve_position_m",
        "derived from the positions: gain_agents, gain_eve",
        "drawn from the scenario: inference_time_s, compute_power_w, accuracy",
    ]
    assert main([*IMPORT, "--out", "own.npz"]) == 0
    folder, file = Instance.load("own"), Instance.load("own.npz")
    for name in Instance._arrays:
        np.testing.assert_array_equal(getattr(folder, name), getattr(file, name))
    assert folder.origin == file.origin


def test_import_tells_of_numbers_that_look_wrong(capsys):
    assert main([*IMPORT, "--scale-db", "80", "--out", "own.npz"]) == 0
    assert "looks normalised" in capsys.readouterr().err


def test_commands_work_on_the_same_instances(capsys):
    main([*IMPORT, "--out", "own"])
    capsys.readouterr()
    assert main(["solve", "--instances-file", "own", "--index", "1", "--solver", "exact", "--out", "d.json"]) == 0
    assert main(["solve", "own", "--index", "1", "--solver", "exact"]) == 0
    energy = re.search(r"energy +([\d.]+)", capsys.readouterr().out)
    compare = ["compare", "--instances-file", "own", "--solvers", "exact", "randas", "--instances", "2"]
    assert main([*compare, "--workers", "1", "--out", "results"]) == 0
    assert "2 instances of own, seed 0" in capsys.readouterr().out
    with open("results/rows.csv", newline="") as file:
        (row,) = (row for row in csv.DictReader(file) if (row["instance"], row["solver"]) == ("1", "exact"))
    assert float(row["energy_j"]) == pytest.approx(1e3 * float(energy[1]), rel=1e-3)


def test_a_comparison_is_of_as_many_as_there_are(capsys):
    main([*IMPORT, "--out", "own"])
    dry = ["compare", "--instances-file", "own", "--solvers", "randas", "--dry-run"]
    assert main(dry) == 0
    assert "20" in capsys.readouterr().out
    assert "instances must be at most the 20 that own holds, got 21" in refused(capsys, *dry, "--instances", "21")


def test_instances_that_were_changed_are_noticed():
    main([*IMPORT, "--out", "own.npz"])
    file = described("own.npz")
    np.testing.assert_array_equal(own_instance(file, 3).channel_bs, Instance.load("own.npz")[3].channel_bs)
    main([*IMPORT, "--seed", "1", "--out", "own.npz"])
    with pytest.raises(ValueError, match=r"the instances in .* were changed"):
        own_instance(file, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["solve", "own"], "own holds 20 instances: choose one with --index"),
        (["solve", "own", "--index", "20"], "--index must be an integer from 0 to 19, got 20"),
        (["solve"], "solve needs a file: either INSTANCE, or --instances-file with --index"),
        (["solve", "own", "--instances-file", "own"], "solve needs a file: either"),
        (["compare", "--instances-file", "own", "--set", "num_agents=5"], "--instances-file brings its own scenario"),
        (["compare", "--instances-file", "campus.npz"], "campus.npz: it holds no secagent instance"),
        ([*IMPORT[:4], "--out", "x.npz"], "campus.npz: path coefficients with tau need frequency_hz"),
        ([*IMPORT[:6], "--draw", "5", "--out", "x.npz"], "30 agents and 1 eavesdroppers need 31 receivers, got 30"),
        ([*IMPORT, "--axes", "nl", "--out", "x.npz"], "--axes needs NAME=VALUE, got 'nl'"),
        (["import", "campus.npz", "--as", "deepmimo", "--out", "x.npz"], "campus.npz holds no channel: name it with"),
        (["import", "none.npz", "--as", "npz", "--out", "x.npz"], "none.npz: No such file"),
        ([*IMPORT, "--out", "own"], "own is not empty: name a new folder"),
        ([*IMPORT, "--out", "taken.h5"], "--out must be a .npz file or a new folder, and taken.h5 is a file"),
        ([*IMPORT, "--convention", "Hw", "--out", "x.npz"], "--convention means nothing for arrays of the kind sionna"),
        (["compare", "--instances-file", "one.npz", "--dry-run"], "instances must be a batch of at least one"),
    ],
)
def test_errors_are_one_sentence(capsys, arguments, sentence):
    main([*IMPORT, "--out", "own"])
    Path("taken.h5").touch()
    Instance.load("own")[0].save("one.npz")
    assert sentence in refused(capsys, *arguments)


@pytest.mark.parametrize("out", ["own", "own.npz"])
def test_a_training_takes_them_and_validates_on_those_held_out(out, capsys, monkeypatch):
    pytest.importorskip("sb3_contrib")
    from training.learn.learner import Task

    main([*IMPORT, "--out", out])
    seen = []
    own = Task.own

    def watched(self, *, held_out=False):
        taken = own(self, held_out=held_out)
        seen.append((held_out, len(taken)))
        return taken

    monkeypatch.setattr(Task, "own", watched)
    command = ["train", "l2o", "--instances-file", out, "--steps", "256", "--set-hyper", "batch_size=64"]
    assert main([*command, "--out", "run"]) == 0
    assert re.match(r"best after \d+ steps: ", capsys.readouterr().out.splitlines()[-1])
    assert {(False, 18), (True, 2)} == set(seen)
    config = json.loads(Path("run/config.json").read_text())
    assert config["instances"] == stored_digest(out)
    main([*IMPORT, "--seed", "1", "--out", "other.npz"])
    assert "holds another training (instances is" in refused(
        capsys, *command[:2], "--instances-file", "other.npz", *command[4:], "--out", "run"
    )


def test_ppo_steps_a_thousand_times_without_a_random_network(monkeypatch):
    pytest.importorskip("sb3_contrib")
    main([*IMPORT, "--out", "own"])

    def forbidden(*_):
        raise AssertionError("a random network was drawn")

    for place in ("secagent_env.allocation.vector.draw_into", "training.learn.validation.validation_instances"):
        monkeypatch.setattr(place, forbidden)
    hyper = ["num_envs=16", "segment_steps=1024", "n_steps=8", "batch_size=64", "n_epochs=1"]
    command = ["train", "ppo", "--instances-file", "own", "--policy", "mlp", "--set-hyper", *hyper]
    assert main([*command, "--steps", "1024", "--out", "run"]) == 0
