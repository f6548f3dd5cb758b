"""Agents that are too dear to serve together: no selection that holds them has a cheap decision."""

import itertools
import math

import numpy as np
import pytest

from secagent_env import Instance, Scenario, evaluate, sample_instance
from solvers.certificate.bounds import uplink_energy_floor
from solvers.interface.scaling import scaled
from solvers.jamming.cores import dear_core
from solvers.jamming.search import SetBoxes

SCENARIO = Scenario.preset("contested", num_agents=6, num_antennas=3, num_eavesdroppers=2, min_selected=3)


def spent(instance: Instance, selection: np.ndarray, base_j: float) -> float:
    """Return what the jammers of the best design of a selection spend, J; infinite if none is feasible."""
    boxes, least = SetBoxes(instance, selection, cutoff_j=math.inf), math.inf
    while not boxes.done and boxes.steps < 12:
        for decision in boxes.step(least):
            outcome = evaluate(instance, decision)
            least = min(least, float(outcome.energy_j) if outcome.feasible else math.inf)
    return least - base_j


@pytest.mark.parametrize("seed", [0])
def test_jammers_beside_a_core_spend_the_budget_whoever_else_is_selected(seed):
    instance = scaled(sample_instance(SCENARIO, seed))
    cost = instance.execution_energy_j + uplink_energy_floor(instance)
    found = {}
    for agents in itertools.combinations(range(6), 3):
        selection = np.isin(np.arange(6), agents)
        found[agents] = spent(instance, selection, float(cost[selection].sum()))
    feasible = sorted(value for value in found.values() if math.isfinite(value))
    assert feasible
    smaller = 0
    for budget in (0.9 * feasible[0], 1.1 * feasible[len(feasible) // 2]):
        for agents in list(found)[::3]:
            selection = np.isin(np.arange(6), agents)
            boxes = SetBoxes(instance, selection, cutoff_j=float(cost[selection].sum()) + budget)
            while not boxes.done and boxes.steps < 2:
                boxes.relax()
            if math.isfinite(boxes.lower_j):
                continue
            core = dear_core(instance, selection, cost, budget, 2)
            assert core.any()
            assert not (core & ~selection).any()
            smaller += int(core.sum()) < 3
            holding = [value for others, value in found.items() if set(np.flatnonzero(core)) <= set(others)]
            assert min(holding) >= budget * (1 - 1e-9)
    assert smaller > 3


def test_agents_that_matter_stay_in_the_core():
    instance = scaled(sample_instance(SCENARIO, 1))
    cost = instance.execution_energy_j + uplink_energy_floor(instance)
    for agents in itertools.combinations(range(6), 3):
        core = dear_core(instance, np.isin(np.arange(6), agents), cost, 1e3, 2)
        for agent in np.flatnonzero(core):
            fewer = core & (np.arange(6) != agent)
            if fewer.any():
                boxes = SetBoxes(instance, fewer, cutoff_j=float(cost[fewer].sum()) + 1e3)
                while not boxes.done and boxes.steps < 2:
                    boxes.relax()
                assert math.isfinite(boxes.lower_j)  # else it could have been left out


def test_time_may_end_between_newton_steps():
    instance = scaled(sample_instance(SCENARIO, 1))
    cost = instance.execution_energy_j + uplink_energy_floor(instance)

    def over() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        dear_core(instance, np.arange(6) < 3, cost, 1.0, 2, over)
