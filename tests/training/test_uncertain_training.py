"""Trainings on estimated channels: policies see the estimates, and learn and are judged by the truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.command.cli import main
from secagent_env import Scenario, sample_instance
from secagent_env.allocation.rules import AllocationRules
from secagent_env.sampling.estimation import estimate_eavesdroppers

pytest.importorskip("sb3_contrib")
pytest.importorskip("yaml")

import torch

import training
from eval.learners.runs import Training
from training.bridge import GymVecEnv
from training.direct import l2o
from training.learn import validation
from training.learn.learner import Task
from training.learn.sb3 import make_envs
from training.learn.seeds import VALIDATION, validation_instances
from training.learn.settings import Settings
from training.learn.train import train

TINY = Scenario(num_agents=4, num_antennas=3, min_accuracy=0.5, eve_area_m=(20.0, 100.0))
L2O = {"batch_size": 32, "width": 8}


@pytest.fixture(autouse=True)
def few_validation_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate on a few instances: what they are is another test's."""
    monkeypatch.setattr(validation, "INSTANCES", 20)


def task(csi_error: float | None = 0.3, *, algo: str = "l2o", environment: str = "allocation", **fields) -> Task:
    arguments = {"arguments": L2O} if algo == "l2o" else {}
    settings = Settings(**{"num_envs": 4, "steps": 64, "segment_steps": 32, **arguments, **fields})
    return Task(
        algo=algo, environment=environment, scenario=TINY, settings=settings, seed=0, csi_error=csi_error
    )  # fmt: skip


def test_environments_of_a_training_show_estimates():
    for error, environment in ((None, "allocation"), (0.0, "allocation"), (0.3, "allocation"), (0.3, "lifetime")):
        envs = make_envs(task(error, algo="ppo", environment=environment))
        envs.reset(seed=0)
        envs = envs.unwrapped
        hidden = np.abs(envs.truth.gain_eve / envs.instance.gain_eve - 1) > 1e-3
        assert hidden.any() == bool(error)
        assert ("csi_error" in task(error).environment_options()) == (error is not None)


def test_the_bridge_passes_the_truth_on():
    envs = make_envs(task(algo="ppo"))
    bridge = GymVecEnv(envs, info_keys=["truth"])
    bridge.seed(0)
    bridge.reset()
    truth = envs.truth
    *_, infos = bridge.step(np.stack([bridge.action_space.sample()] * 4))
    np.testing.assert_array_equal([info["truth"]["gain_eve"] for info in infos], truth.gain_eve)


def test_a_policy_is_judged_on_what_the_truth_makes_of_its_decisions(tmp_path: Path):
    judged = validation.AllocationValidation(task(), tmp_path / "bounds.json")
    truth = validation_instances(TINY, 20)
    estimate = estimate_eavesdroppers(truth, 0.3, VALIDATION.start)
    rules = AllocationRules(scenario=TINY, action_format="guided", observation_format="compact")
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (len(judged._lower), *rules.actions.space.shape))
    actions[:, -5:] = (-0.75, 0, 0, 1, 0)
    feasible = [i for i in range(20) if (truth.channel_bs[i] == judged._instances.channel_bs).all((1, 2)).any()]
    decisions = rules.actions.decode(actions, estimate[feasible])
    outcome, reward, _ = rules.score(truth[feasible], decisions)
    figures = judged.measure(lambda observations: actions)
    assert figures["score"] == pytest.approx(reward.mean(), rel=1e-12)
    assert figures["feasible"] == outcome.feasible.mean()
    assert figures["score"] != rules.score(truth[feasible], rules.actions.decode(actions, truth[feasible]))[1].mean()


def test_l2o_learns_from_the_same_networks_and_sees_their_estimates(monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple] = []
    original = l2o.losses

    def noting(action, truth, made, **options):
        seen.append((truth, options["seen"]))
        return original(action, truth, made, **options)

    class Silent:
        record = record_mean = dump = staticmethod(lambda *args, **more: None)

    monkeypatch.setattr(l2o, "losses", noting)
    for error in (None, 0.3):
        l2o.L2OLearner(task(error)).learn(1, 64, Silent(), lambda steps: None)
    plain, uncertain = seen[:2], seen[2:]
    assert all(shown is None for _, shown in plain)  # the truth
    for (same, _), (truth, shown) in zip(plain, uncertain, strict=True):
        assert torch.equal(truth.gain_eve, same.gain_eve)
        assert torch.equal(shown.channel_bs, truth.channel_bs)
        assert not torch.isclose(shown.gain_eve, truth.gain_eve, rtol=1e-6, atol=0).any()
    first = [shown.gain_eve[0] / truth.gain_eve[0] for truth, shown in uncertain]
    assert not torch.allclose(*first)  # errors of their own


def test_losses_decide_on_what_is_seen_and_count_the_truth():
    truth = sample_instance(TINY, 0, (8,))
    made = l2o.GuidedFormat(TINY)
    seen = estimate_eavesdroppers(truth, 0.9).to(torch)
    action = torch.tensor(np.random.default_rng(0).uniform(-1, 1, (8, *made.space.shape)))
    weights = {name: l2o.DEFAULTS[name] for name in ("price", "margin", "temperature")}
    terms = l2o.losses(action, truth.to(torch), made, seen=seen, **weights)
    leaks = l2o._leaks(truth.to(torch), made.decide(action, seen)).mean()
    assert terms["secrecy"] == leaks
    assert terms["secrecy"] != l2o.losses(action, truth.to(torch), made, **weights)["secrecy"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"csi_error": 1.0}, "csi_error must be a finite number ≥ 0 and < 1, got 1.0"),
        ({"csi_error": None, "environment_options": {"csi_error": 0.1}}, "csi_error is no environment_option of a"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        task(**changes)


def test_own_instances_of_which_nothing_is_known_beforehand_are_refused(tmp_path: Path):
    path = tmp_path / "bare.npz"
    sample_instance(TINY, 0, 20).replace(position_m=None, eve_position_m=None).save(path)
    bare = Task(**{**vars(task()), "instances": str(path)})
    with pytest.raises(ValueError, match=r"^nothing is known of the eavesdroppers beforehand"):
        train(bare, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_names_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.chdir(tmp_path)
    changes = ["--set", "num_agents=4", "num_antennas=4", "min_accuracy=0.5"]
    hyper = ["--set-hyper", "batch_size=32", "segment_steps=32", "width=8"]
    command = ["-q", "train", "l2o", *changes, *hyper, "--steps", "32", "--csi-error", "0.1"]
    assert main(command) == 0
    run = Path("runs/l2o-allocation-paper-csi0.1-0")
    assert json.loads((run / "config.json").read_text())["csi_error"] == 0.1
    assert Training.read(run).learner == "l2o-csi0.1"
    metadata = training.load_agent(run)._session.get_modelmeta().custom_metadata_map
    assert metadata["csi_error"] == "0.1"
    capsys.readouterr()
    assert main([*command[:-1], "0.2", "--out", str(run)]) == 2
    assert "csi_error is 0.1 there, 0.2 here" in capsys.readouterr().err
