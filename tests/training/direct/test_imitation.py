"""Imitation of a search, and trainings that start from another one's policy."""

import json

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import Logger

import training
from eval.command.cli import main
from eval.learners.runs import Training
from secagent_env import Scenario, sample_instance
from secagent_env.allocation.observations import observe
from solvers.best_first.solver import BestFirst
from training.direct.imitation import ImitationLearner
from training.direct.rloo import drawn_selections, log_probability
from training.learn.learner import Task, learner_class
from training.learn.seeds import train_seed
from training.learn.settings import load_settings
from training.learn.train import train

TIGHT = Scenario.preset("tight-latency", num_agents=8, min_selected=3)
SHORT = {"steps": 32, "segment_steps": 16, "batch_size": 16, "passes": 2, "width": 8, "layers": 1, "most": 2}


def task(algo="imitation", scenarios=(TIGHT,), seed=3, start_from=None, csi_error=None, **hyper) -> Task:
    settings = load_settings(
        algo,
        environment="allocation",
        preset=None,
        arguments=learner_class(algo).arguments(algo),
        overrides=SHORT | hyper if algo == "imitation" else hyper,
    )
    first, *others = scenarios
    return Task(
        algo=algo,
        environment="allocation",
        scenario=first,
        settings=settings,
        seed=seed,
        mixed_with=tuple(others),
        start_from=start_from,
        csi_error=csi_error,
    )


def learnt(learner: ImitationLearner, segment: int = 1, steps: int = 16) -> ImitationLearner:
    learner.learn(segment, steps, Logger(None, []), lambda done: None)
    return learner


def test_the_probability_of_an_order_by_hand():
    scores = torch.log(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    found = log_probability(scores, torch.tensor([[[3, 1], [0, 2]]]))
    assert found.exp().tolist()[0] == pytest.approx([0.4 * 2 / 6, 0.1 * 3 / 9])
    order, drawn = drawn_selections(scores.expand(4, -1), 2, 3)
    assert torch.equal(drawn, log_probability(scores.expand(4, -1), order))


def test_demonstrations_are_the_teachers_selections_of_what_the_network_sees():
    learner = learnt(ImitationLearner(task()))
    arrays = learner.state().arrays
    instances = sample_instance(TIGHT, np.random.default_rng(train_seed(3, 1)), (16,))
    solutions = [BestFirst(most=2, polished=False).solve(each) for each in instances]
    served = [k for k, each in enumerate(solutions) if each.outcome is not None and each.outcome.feasible]
    assert 0 < len(served) < 16  # what is not served is not learnt from
    assert np.array_equal(arrays["shown_0"], observe(instances, "pairwise")[served])
    chosen = [np.flatnonzero(solutions[k].decision.selection) for k in served]
    assert np.array_equal(arrays["chosen_0"], chosen)


def test_it_learns_to_draw_what_the_teacher_selects():
    def likelihood(learner: ImitationLearner) -> float:
        arrays = teacher.state().arrays
        parts = teacher._parts(arrays["shown_0"])
        with torch.no_grad():
            scores = 16 * learner.network(**parts)
        chosen = torch.from_numpy(arrays["chosen_0"])
        return float(torch.log_softmax(scores, -1).gather(-1, chosen).mean())

    teacher = learnt(ImitationLearner(task(passes=1)))
    before = ImitationLearner(task(passes=25, learning_rate=0.1))
    after = learnt(ImitationLearner(task(passes=25, learning_rate=0.1)))
    assert likelihood(after) > likelihood(before) + 0.2


def test_a_resumed_training_ends_bit_for_bit_like_another_one():
    whole = learnt(learnt(ImitationLearner(task())), 2)
    first = learnt(ImitationLearner(task()))
    resumed = ImitationLearner(task())
    resumed.load_state(first.state())
    learnt(resumed, 2)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name])
    assert len(whole.state().arrays["shown_0"]) > len(first.state().arrays["shown_0"])


def test_mixtures_and_estimates():
    larger = Scenario.preset("contested", num_agents=9, min_selected=3)
    learner = learnt(ImitationLearner(task(scenarios=(TIGHT, larger), most=9)))
    arrays = learner.state().arrays
    assert {name: array.shape[0] > 0 for name, array in arrays.items()} == dict.fromkeys(arrays, True)
    assert len(arrays) == 4
    assert arrays["shown_0"].shape[1] != arrays["shown_1"].shape[1]
    uncertain = learnt(ImitationLearner(task(csi_error=0.3))).state().arrays
    known = learnt(ImitationLearner(task())).state().arrays
    assert np.array_equal(uncertain["chosen_0"], known["chosen_0"])  # the teacher sees the truth
    assert not np.array_equal(uncertain["shown_0"], known["shown_0"])


def test_where_the_teacher_serves_nothing_it_says_so():
    hopeless = TIGHT.replace(latency_limit_s=1e-6)
    with pytest.raises(ValueError, match="best-first serves none of the first 16 networks, so that there is nothing"):
        learnt(ImitationLearner(task(scenarios=(hopeless,))))


# --- Start from another training ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The folder of a finished training."""
    run = tmp_path_factory.mktemp("teacher") / "run"
    best = train(task(seed=4, steps=16, best_of=2), run, progress=False)
    assert training.load_agent(run).samples == 2
    return run, best


def test_a_training_starts_from_the_best_policy_of_another(teacher, tmp_path):
    run, best = teacher
    hyper = {"steps": 32, "segment_steps": 32, "width": 8, "layers": 1, "samples": 4, "best_of": 2}
    train(task("rloo", start_from=str(run), **hyper), tmp_path / "started", progress=False)
    first = json.loads((tmp_path / "started" / "evaluations.jsonl").read_text().splitlines()[0])
    assert first["steps"] == 0
    assert first["score"] == best["score"]
    fresh = learner_class("rloo")(task("rloo", **hyper), "cpu").policy_state()
    begun = torch.load(run / "checkpoint" / "best.pt")
    assert any(not torch.equal(fresh[name], begun[name]) for name in fresh)
    assert Training.read(tmp_path / "started").learner == "rloo-started"
    assert Training.read(run).learner == "imitation"
    with pytest.raises(ValueError, match=r"holds another training \(start_from is '[0-9a-f]{64}' there, None here\)"):
        train(task("rloo", **hyper), tmp_path / "started", progress=False)


def test_what_cannot_be_started_from_is_told(teacher, tmp_path, capsys):
    run, _ = teacher
    with pytest.raises(ValueError, match="run, of imitation, is another network than the one that is trained"):
        train(task("rloo", start_from=str(run), steps=32), tmp_path / "wider", progress=False)
    assert not (tmp_path / "wider").exists()
    assert main(["train", "rloo", "--start-from", str(tmp_path / "none"), "--out", str(tmp_path / "new")]) == 2
    assert (
        capsys.readouterr().err == f"secagent: error: {tmp_path / 'none'} holds no policy of a training to start from\n"
    )
    assert not (tmp_path / "new").exists()
