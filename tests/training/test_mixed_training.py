"""Mixed training: one policy on several scenarios in turn."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.command.cli import main
from secagent_env import Scenario, sample_instance

pytest.importorskip("sb3_contrib")
pytest.importorskip("yaml")

import torch

import training
from training.learn import validation
from training.learn.checkpoint import Checkpoint
from training.learn.learner import Task, learner_class
from training.learn.sb3 import make_envs
from training.learn.settings import Settings
from training.learn.train import train
from training.learn.validation import AllocationValidation, MixedValidation

TINY = Scenario(num_agents=4, num_antennas=4, min_accuracy=0.5)
STREET = TINY.replace(path_loss="umi", fading="rician")
PPO = {"n_steps": 2, "batch_size": 32, "n_epochs": 2, "policy_kwargs": {"width": 8}}
L2O = {"batch_size": 64, "width": 8}
RLOO = {"batch_size": 16, "width": 8}
FORMATS = {"policy": "relational", "action_format": "selection", "observation_format": "pairwise"}


@pytest.fixture(autouse=True)
def few_validation_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate on a few instances: what they are is another test's."""
    monkeypatch.setattr(validation, "INSTANCES", 30)


def task(algo: str = "ppo", *, mixed_with: tuple[Scenario, ...] = (STREET,), scenario: Scenario = TINY, **fields):
    environment, arguments = fields.pop("environment", "allocation"), fields.pop("arguments", None)
    settings = Settings(
        **{"num_envs": 16, "segment_steps": 128, "steps": 384, **fields},
        arguments=arguments or {"ppo": PPO, "l2o": L2O, "rloo": RLOO}[algo],
    )
    return Task(algo=algo, environment=environment, scenario=scenario, settings=settings, seed=0, mixed_with=mixed_with)


def parameters(path: Path) -> dict:
    return Checkpoint.load(path / "checkpoint").state.tensors


def flat(tensors: dict) -> list[torch.Tensor]:
    return [leaf for v in tensors.values() for leaf in (flat(v) if isinstance(v, dict) else [v])]


def evaluations(path: Path) -> list[dict]:
    rows = map(json.loads, (path / "evaluations.jsonl").read_text().splitlines())
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in rows]


def test_environments_take_turns_and_play_what_each_scenario_alone_would():
    mixed, alone = task(num_envs=6), [task(mixed_with=(), scenario=s, num_envs=6) for s in (TINY, STREET)]
    observed, _ = make_envs(mixed).reset(seed=5)
    for turn, part in enumerate(alone):
        expected, _ = make_envs(part).reset(seed=5)
        np.testing.assert_array_equal(observed[turn::2], expected[turn::2])
        assert not np.array_equal(observed[1 - turn :: 2], expected[1 - turn :: 2])


@pytest.mark.parametrize("number", [2, 3])
def test_every_scenario_is_seen_equally(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int):
    from secagent_env.allocation.vector import AllocationVectorEnv

    scenarios, seen = [TINY, STREET, TINY.replace(latency_limit_s=900.0)][:number], {}
    step = AllocationVectorEnv.step

    def counted(envs, actions):
        seen[envs.scenario] = seen.get(envs.scenario, 0) + envs.num_envs
        return step(envs, actions)

    monkeypatch.setattr(AllocationVectorEnv, "step", counted)
    train(task(num_envs=24, segment_steps=96, steps=192, mixed_with=tuple(scenarios[1:])), tmp_path)
    assert seen == dict.fromkeys(scenarios, 192 // number)


def test_a_batch_of_the_learned_optimiser_holds_all_scenarios_equally():
    learner = learner_class("l2o")(task("l2o", arguments={"batch_size": 7, "width": 8}), "cpu")
    batches = learner._instances(np.random.default_rng(0), 7)
    assert [(batch.scenario, batch.batch_shape) for batch in batches] == [(TINY, (4,)), (STREET, (3,))]


def test_the_loss_of_a_mixture_is_the_mean_over_its_instances():
    mixed = learner_class("l2o")(task("l2o"), "cpu")
    before = mixed.policy_state()
    batches = mixed._instances(np.random.default_rng(0), 10)
    together = mixed._update([*batches, batches[0]])
    alone = []
    for batch in batches:
        mixed.load_policy_state(before)
        alone.append(mixed._update([batch]))
    for name, value in together.items():
        assert value == pytest.approx((2 * alone[0][name] + alone[1][name]) / 3)


def test_a_mixture_of_equal_scenarios_learns_as_one(tmp_path: Path):
    train(task(mixed_with=(TINY,)), tmp_path / "twice")
    train(task(mixed_with=()), tmp_path / "once")
    first, second = (flat(parameters(tmp_path / name)["policy"]) for name in ("twice", "once"))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_validation_is_on_each_scenario_and_scores_their_mean(tmp_path: Path):
    mixed = task()
    parts = [AllocationValidation(part, tmp_path / f"{k}.json") for k, part in enumerate(mixed.parts)]
    learner = learner_class("ppo")(mixed, "cpu")
    figures = MixedValidation(parts).measure(learner.act)
    alone = [part.measure(learner.act) for part in parts]
    assert alone[0]["score"] != alone[1]["score"]
    for name in ("feasible", "score"):
        assert figures[name] == pytest.approx((alone[0][name] + alone[1][name]) / 2)
        assert [figures[f"{k}/{name}"] for k in (1, 2)] == [own[name] for own in alone]
    learner.close()


@pytest.mark.parametrize("algo", ["ppo", "l2o"])
def test_a_mixed_training_that_is_resumed_ends_as_one_that_was_not(
    algo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(task(algo), whole)
    save = Checkpoint.save

    def interrupted(checkpoint: Checkpoint, folder: Path) -> None:
        save(checkpoint, folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(task(algo), parts)
    assert len(evaluations(parts)) == 2
    train(task(algo), parts)
    assert len(evaluations(parts)) == 4
    assert evaluations(whole) == evaluations(parts)
    assert (whole / "policy.onnx").read_bytes() == (parts / "policy.onnx").read_bytes()
    for one, other in zip(flat(parameters(whole)), flat(parameters(parts)), strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_another_mixture_in_the_same_folder_is_refused(tmp_path: Path):
    train(task(steps=128), tmp_path)
    for others in ((), (STREET, STREET), (TINY,)):
        with pytest.raises(ValueError, match=r"holds another training \(mixed_with is "):
            train(task(steps=128, mixed_with=others), tmp_path)


def test_lifetime_mixes_too(tmp_path: Path):
    arguments = {**PPO, "n_steps": 4}
    best = train(task(environment="lifetime", arguments=arguments, steps=128, num_envs=4), tmp_path)
    assert best["score"] == pytest.approx((best["1/score"] + best["2/score"]) / 2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_agents": 6}, "num_agents is 4 in the first and 6 in number 2: set it alike, as in --set num_agents=4"),
        ({"num_eavesdroppers": 2}, "num_eavesdroppers is 1 in the first and 2 in number 2"),
    ],
)
def test_scenarios_that_no_policy_sees_alike_are_refused(changes: dict, sentence: str):
    with pytest.raises(ValueError, match=f"^one policy sees all scenarios of a mixed training, but {sentence}"):
        task(mixed_with=(TINY.replace(**changes),))


def test_antennas_may_differ_where_the_formats_do_not_show_them():
    more = TINY.replace(num_antennas=6)
    assert task(mixed_with=(more,)).parts[1].scenario == more
    with pytest.raises(ValueError, match="num_antennas is 4 in the first and 6 in number 2"):
        task(mixed_with=(more,), policy="mlp", action_format="flat", observation_format="flat")


def test_a_mixture_needs_room_for_each_scenario_and_draws_its_networks():
    for algo, fields in (("ppo", {"num_envs": 1}), ("l2o", {"arguments": {"batch_size": 1, "width": 8}})):
        with pytest.raises(ValueError, match="a mixture of 2 needs at least 2 to deal out, got 1"):
            learner_class(algo)(task(algo, **fields), "cpu")
    with pytest.raises(ValueError, match="a mixed training draws its networks"):
        Task(
            algo="ppo", environment="allocation", scenario=TINY, settings=Settings(), seed=0, instances="x.npz",
            mixed_with=(STREET,),
        )  # fmt: skip


def test_scenario_is_given_several_times_on_the_command_line(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ["--set", "num_agents=4", "num_antennas=4", "min_accuracy=0.5"]
    hyper = ["--set-hyper", "num_envs=16", "segment_steps=64", "n_steps=2", "batch_size=32", "n_epochs=1"]
    mixture = ["--scenario", "paper", "--scenario", "line-of-sight"]
    assert main(["-q", "train", "ppo", *mixture, *small, *hyper, "--steps", "64"]) == 0
    run = Path("runs/ppo-allocation-paper+line-of-sight-0")
    config = json.loads((run / "config.json").read_text())
    assert config["scenario"]["fading"] == "rayleigh"
    assert [(one["fading"], one["num_agents"]) for one in config["mixed_with"]] == [("rician", 4)]
    assert {path.name for path in run.glob("bounds*")} == {"bounds-1.json", "bounds-2.json"}
    capsys.readouterr()
    assert main(["-q", "train", "ppo", "--scenario", "paper", "--scenario", "small"]) == 2
    assert "num_agents is 30 in the first and 6 in number 2" in capsys.readouterr().err


@pytest.mark.parametrize("algo", ["l2o", "rloo"])
def test_learners_of_instances_mix_networks_of_any_size(algo: str, tmp_path: Path):
    larger = TINY.replace(num_agents=6, num_eavesdroppers=2, num_antennas=3)
    made = task(algo, mixed_with=(larger,), **(FORMATS if algo == "rloo" else {}))
    best = train(made, tmp_path, progress=False)
    assert {"1/feasible", "2/feasible"} <= set(best)
    agent = training.load_agent(tmp_path / "policy.onnx")
    for scenario in (TINY, larger):
        assert agent.solve_batch(sample_instance(scenario, 0, (3,))).selection.shape == (3, scenario.num_agents)


def test_observations_of_one_size_and_other_parts_are_told():
    one, other = (TINY.replace(num_agents=n, num_eavesdroppers=e, min_selected=1) for n, e in ((4, 1), (2, 5)))
    with pytest.raises(ValueError, match="two scenarios have other observations of the same size: change num_agents"):
        learner_class("l2o")(task("l2o", scenario=one, mixed_with=(other,)), "cpu")
