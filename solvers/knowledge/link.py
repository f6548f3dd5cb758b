"""The link to the network: what knowledge costs to send and what it is worth, as a scenario.

Compressed knowledge is a smaller D of (7) and an accuracy measured with it. The scaling law (14) knows neither, so the
task becomes harder: the difficulty δ is chosen such that the agents' mean accuracy is the measured one, while (14)
still says how they differ.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq

from secagent_env import Scenario
from secagent_env.model.workload import scaling_law_accuracy

_NODES = 48
"""Of the Gauss–Legendre quadrature over the training budget; the integrand has a kink where (14) is clipped."""
_HARDEST, _EASIEST = 1e6, 1e-3


def mean_accuracy(scenario: Scenario) -> float:
    """Return the mean of Acc_n (14) over what agents of a scenario can be."""
    dim, dim_weight = _dimensions(scenario)
    log_budget, budget_weight = _uniform(*(math.log(bound) for bound in scenario.training_budget))
    accuracy = scaling_law_accuracy(dim[:, None], np.exp(log_budget), scenario.task_difficulty)
    return float(dim_weight @ accuracy @ budget_weight)


def with_knowledge(scenario: Scenario, knowledge_bits: float, accuracy: float) -> Scenario:
    """Return the scenario in which agents get knowledge of so many bits and are as accurate with it as was measured.

    Parameters
    ----------
    scenario
        Of everything else.
    knowledge_bits
        D of (7), bit, as in :attr:`solvers.knowledge.store.base.KnowledgeBase.size_bits`.
    accuracy
        The mean accuracy of the agents with this knowledge, between 0 and 1.

    Raises
    ------
    ValueError
        If no difficulty of the task makes agents of this scenario so accurate.
    """
    if not 0 < accuracy < 1:
        raise ValueError(f"accuracy must be a number between 0 and 1, got {accuracy!r}")

    def excess(log_difficulty: float) -> float:
        return mean_accuracy(scenario.replace(task_difficulty=math.exp(log_difficulty))) - accuracy

    bounds = math.log(_EASIEST), math.log(_HARDEST)
    if excess(bounds[0]) < 0 or excess(bounds[1]) > 0:
        raise ValueError(
            f"agents of this scenario cannot have a mean accuracy of {accuracy:g}: by (14) it stays below "
            f"{accuracy + excess(bounds[0]):.3g} however easy the task is; choose larger models or training budgets"
        )
    difficulty = math.exp(brentq(excess, *bounds, xtol=1e-12))
    return scenario.replace(knowledge_bits=knowledge_bits, task_difficulty=difficulty)


def _dimensions(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Return widths of models, and their weights."""
    dims = scenario.model_dims
    if dims is not None:
        return np.array(dims), np.full(len(dims), 1 / len(dims))
    return _uniform(*scenario.model_dim)


def _uniform(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of the mean over a uniform distribution."""
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    return low + (high - low) * (node + 1) / 2, weight / 2
