"""Bounds against every energy that is achieved, by solvers and by trained agents, over all presets.

A tenth of the instances is drawn unless SECAGENT_INSTANCES says how many; all 5000 take somewhat more than an hour on
one core. They come in parts of ten, by preset:
``SECAGENT_INSTANCES=5000 make test-slow ARGS="-k 'achieved and contested'"``.
"""

import functools
import os

import numpy as np
import pytest

import solvers
from secagent_env import Instance, evaluate, sample_instance
from secagent_env.model.presets import PRESETS
from solvers.certificate.bounds import lower_bound
from training import load_agent

INSTANCES = int(os.environ.get("SECAGENT_INSTANCES", 500))
SHARES = {"small": 0.50, "paper": 0.21, "qwen": 0.08, "tight-latency": 0.09, "contested": 0.03, "dense": 0.01}
SHARES |= dict.fromkeys(("uncertain", "urban-micro", "indoor", "line-of-sight"), 0.02)
"""Of the instances, by preset: more where solvers are fast."""
SEARCHED = 0.06
"""The share of them on which the slow searches run as well."""
PART = 10

EXACT_SECONDS, OTHER_SECONDS = 1.0, 2.0
SCHEMES = ("asc", "asc-plus", "fixedtp", "fixedbf")
SEARCHES = ("ga", "de", "law")
AGENTS = ("ppo", "ppo-mlp", "l2o")


@functools.cache
def agents_for(preset: str) -> list:
    """The trained agents that take instances of this size."""
    taking = []
    for agent in map(load_agent, AGENTS):
        try:
            agent.check(sample_instance(preset, 0).scenario)
        except ValueError:
            continue
        taking.append(agent)
    return taking


def solutions(preset: str, instance: Instance, seed: int, searched: bool) -> list[solvers.Solution]:
    names = SCHEMES + SEARCHES * searched
    return [
        solvers.make("exact").solve(instance, seed, max_seconds=EXACT_SECONDS),
        *(solvers.make(name).solve(instance, seed, max_seconds=OTHER_SECONDS) for name in names),
        *(agent.solve(instance, seed) for agent in agents_for(preset)),
    ]


def check_bounds(instance: Instance, found: list[solvers.Solution]) -> list[float]:
    """Compare each bound with each energy that ``evaluate`` confirms; return these energies, J."""
    achieved = {}
    for solution in found:
        outcome = evaluate(instance, solution.decision)
        assert outcome.energy_j == solution.outcome.energy_j, solution.solver
        assert outcome.feasible == solution.outcome.feasible, solution.solver
        if outcome.feasible:
            achieved[solution.solver] = float(outcome.energy_j)
            assert solution.transmission_bound_j <= outcome.transmission_energy_j, solution.solver
    bounds = {solution.solver: solution.lower_bound_j for solution in found}
    least = min(achieved.values(), default=np.inf)
    assert max(lower_bound(instance).energy_j, *bounds.values()) <= least, (bounds, achieved)
    assert not achieved or all(solution.status != "infeasible" for solution in found)
    return list(achieved.values())


def parts() -> list:
    """The parts of each preset: its name, and a range of its instances."""
    assert SHARES.keys() == PRESETS.keys()
    cases = []
    for preset, share in SHARES.items():
        count = round(share * INSTANCES)
        for i, first in enumerate(range(0, count, PART)):
            chosen = range(first, min(first + PART, count))
            cases.append(pytest.param(preset, chosen, id=f"{preset}-{i}"))
    return cases


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "chosen"), parts())
def test_no_bound_is_above_what_is_achieved(preset, chosen):
    for index in chosen:
        searched = int((index + 1) * SEARCHED) > int(index * SEARCHED)
        instance = sample_instance(preset, 50_000 + index)
        energies = check_bounds(instance, solutions(preset, instance, index, searched))
        assert energies or preset == "tight-latency", index
