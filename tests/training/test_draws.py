"""The best of several selections: the one that serving all of them would find, with fewer of them served."""

from pathlib import Path

import numpy as np
import pytest
import torch

import training
from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.guided import SelectionFormat
from secagent_env.allocation.observations import observation_shapes
from secagent_env.allocation.rules import decoder
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.serving import serve
from solvers.interface.ranking import rank_by_violation
from training.learn.export import export_policy, policy_metadata
from training.networks.relational import RelationalNetwork
from training.play.draws import best_drawn

CONTESTED = Scenario.preset("contested", num_agents=10, min_selected=3)


class Counting(SelectionFormat):
    """The selection format; it remembers which selections it has served."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.served: list[tuple[int, ...]] = []

    def serve(self, instance: Instance, chosen: np.ndarray) -> Decision:
        self.served += [tuple(sorted(each)) for each in chosen.reshape(-1, chosen.shape[-1]).tolist()]
        return super().serve(instance, chosen)


def scores_of(instances: Instance) -> np.ndarray:
    """Scores that draw the cheaper agents more often."""
    energy = instances.execution_energy_j
    return np.tanh(-3 * np.log(energy / energy.mean(-1, keepdims=True)) / SelectionFormat.RANGE)


def drawn_of(scores: np.ndarray, samples: int, count: int) -> np.ndarray:
    """The selections (S, K) of one instance, as the docstring of best_drawn has it."""
    noise = np.random.default_rng(0).gumbel(size=(samples - 1, scores.size))
    return np.argsort(-(8 * scores + np.concatenate([np.zeros((1, scores.size)), noise])), -1, stable=True)[:, :count]


@pytest.mark.parametrize("samples", [1, 2, 8])
def test_it_is_the_best_of_all_that_are_drawn(samples: int):
    instances = sample_instance(CONTESTED, 0, (30,))
    scores = scores_of(instances)
    form = Counting(CONTESTED)
    decision, served = best_drawn(form, instances, scores, samples)
    assert served.sum() == len(form.served)
    ranks = rank_by_violation(instances, evaluate(instances, decision))
    for one, own, rank, count in zip(instances, scores, ranks, served, strict=True):
        drawn = drawn_of(own, samples, 3)
        each = Instance.stack([one] * samples)
        assert rank == rank_by_violation(each, evaluate(each, serve(each, np.sort(drawn)))).min()
        assert 1 <= count <= len({tuple(sorted(chosen)) for chosen in drawn.tolist()})
    if samples == 8:
        assert served.mean() < 6
        assert (served == 1).any()
        assert served.max() > 3


def test_the_cheapest_that_is_accurate_enough_is_served_first():
    instance = sample_instance(CONTESTED.replace(min_accuracy=0.6), 4)
    cheap = np.argsort(instance.execution_energy_j)
    accuracy = np.full(10, 0.7)
    accuracy[cheap[0]] = 0.3  # whoever computes with the cheapest agent is not accurate enough
    instance = instance.replace(accuracy=accuracy)
    form = Counting(instance.scenario)
    best_drawn(form, instance, scores_of(instance), 12)
    wanted = [tuple(sorted(each)) for each in drawn_of(scores_of(instance), 12, 3).tolist()]
    right = [each for each in wanted if cheap[0] not in each]
    assert form.served[0] == min(right, key=lambda each: instance.execution_energy_j[list(each)].sum())


def test_batches_of_any_shape():
    instances = sample_instance(CONTESTED, 1, (6,))
    form = SelectionFormat(CONTESTED)
    decision, served = best_drawn(form, instances, scores_of(instances), 4)
    grid = instances[np.arange(6).reshape(2, 3)]
    other, counts = best_drawn(form, grid, scores_of(grid), 4)
    np.testing.assert_array_equal(other.power_w.reshape(6, -1), decision.power_w)
    np.testing.assert_array_equal(counts.ravel(), served)
    alone, count = best_drawn(form, instances[5], scores_of(instances[5]), 4)
    np.testing.assert_array_equal(alone.beamformer, decision.beamformer[5])
    assert count == served[5]


def agent_file(path: Path, **metadata: str) -> Path:
    """An untrained agent, which selects the cheapest agents."""
    shapes = observation_shapes(CONTESTED, "pairwise")
    inputs = {name: torch.rand(2, *shape) for name, shape in shapes.items()}
    told = policy_metadata("drawn", CONTESTED, observation_format="pairwise", action_format="selection")
    export_policy(path, RelationalNetwork(), inputs, {**told, **metadata})
    return path


def test_an_agent_draws_as_many_as_its_training_was_for(tmp_path):
    path = agent_file(tmp_path / "policy.onnx", samples="6")
    agent = training.load_agent(path, repair=False)
    assert agent.samples == 6
    assert training.load_agent(path, samples=2).samples == 2
    assert training.load_agent(agent_file(tmp_path / "plain.onnx")).samples == 1
    instances = sample_instance(CONTESTED, 2, (5,))
    expected, served = best_drawn(SelectionFormat(CONTESTED), instances, scores_of(instances), 6)
    np.testing.assert_array_equal(agent.solve_batch(instances).selection, expected.selection)
    solution = agent.solve(instances[0])
    assert solution.evaluations == served[0]
    assert "the best of 6 selections" in solution.message


def test_compiled_decisions_are_the_same_to_rounding(tmp_path):
    pytest.importorskip("numba")
    path = agent_file(tmp_path / "policy.onnx", samples="4")
    instances = sample_instance(CONTESTED, 3, (8,))
    plain, fast = (
        training.load_agent(path, repair=False, compiled=compiled).solve_batch(instances) for compiled in (False, True)
    )
    np.testing.assert_array_equal(fast.selection, plain.selection)
    np.testing.assert_allclose(evaluate(instances, fast).energy_j, evaluate(instances, plain).energy_j, rtol=1e-6)
    for name, other in (("selection", True), ("guided", True), ("flat", False)):
        kinds = [type(decoder(name, CONTESTED, compiled=compiled)) for compiled in (False, True)]
        assert (kinds[0] is not kinds[1]) == other


def test_scores_are_checked():
    instances = sample_instance(CONTESTED, 1, (2,))
    form = SelectionFormat(CONTESTED)
    for scores, said in ((np.full((2, 10), np.nan), "NaN"), (np.zeros((2, 9)), "shape"), (np.zeros((2, 11)), "shape")):
        with pytest.raises(ValueError, match=said):
            best_drawn(form, instances, scores, 4)


def test_what_misses_the_accuracy_is_not_served_once_another_is_feasible():
    instances = sample_instance("paper", 1, (20,))
    form = Counting(instances.scenario)
    _, served = best_drawn(form, instances, scores_of(instances), 8)
    assert (served == 1).mean() > 0.9  # the cheapest accurate one is nearly always feasible there


@pytest.mark.parametrize("samples", ["0", "many", "1.5"])
def test_a_file_with_a_wrong_number_of_samples_is_refused(tmp_path, samples: str):
    path = agent_file(tmp_path / "policy.onnx", samples=samples)
    with pytest.raises(ValueError, match="cannot load a policy from"):
        training.load_agent(path)
