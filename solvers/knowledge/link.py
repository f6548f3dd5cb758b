"""The link from knowledge to the network: a scenario with the bits of a knowledge base and the accuracy it gives.

Compressed knowledge is a smaller D of (7) and an accuracy measured with it. The scaling law (14) has neither, so the
difficulty δ of the task is fitted: the agents' mean accuracy becomes the measured one, and (14) tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from secagent_env import Scenario
from secagent_env.model.workload import scaling_law_accuracy
from secagent_env.support.checks import number

_NODES = 48
"""Nodes of the Gauss–Legendre quadrature over the training budget; the integrand has a kink where (14) is clipped."""
_HARDEST, _EASIEST = 1e6, 1e-3


def mean_accuracy(scenario: Scenario) -> float:
    """Return the mean of Acc_n (14) over the agents' distribution in a scenario."""
    dim, dim_weight = _dimensions(scenario)
    log_budget, budget_weight = _uniform(*(math.log(bound) for bound in scenario.training_budget))
    accuracy = scaling_law_accuracy(dim[:, None], np.exp(log_budget), scenario.task_difficulty)
    return float(dim_weight @ accuracy @ budget_weight)


def with_knowledge(scenario: Scenario, knowledge_bits: float, accuracy: float) -> Scenario:
    """Return the scenario in which agents receive knowledge of a size, and have the accuracy measured with it.

    Parameters
    ----------
    scenario
        The source of all other parameters.
    knowledge_bits
        D of (7), bit, as in :attr:`solvers.knowledge.store.base.KnowledgeBase.size_bits`.
    accuracy
        The mean accuracy of the agents with this knowledge, between 0 and 1.

    Raises
    ------
    ValueError
        If no difficulty of the task gives agents of this scenario the accuracy.
    """
    number("accuracy", accuracy, above=0, below=1)
    difficulty = difficulty_at(accuracy, lambda delta: mean_accuracy(scenario.replace(task_difficulty=delta)), 1e-12)
    return scenario.replace(knowledge_bits=knowledge_bits, task_difficulty=difficulty)


def difficulty_at(accuracy: float, accuracy_of: Callable[[float], float], tolerance: float) -> float:
    """Return the difficulty δ of (14) at which agents have an accuracy; raise ValueError if there is none.

    ``accuracy_of`` a difficulty falls as the difficulty rises; the tolerance is the largest error of ln δ.
    """

    def excess(log_difficulty: float) -> float:
        return accuracy_of(math.exp(log_difficulty)) - accuracy

    bounds = math.log(_EASIEST), math.log(_HARDEST)
    if excess(bounds[0]) < 0 or excess(bounds[1]) > 0:
        low, high = (accuracy + excess(bound) for bound in reversed(bounds))
        advice = "; choose larger models or training budgets" * (accuracy > high)
        raise ValueError(
            f"no difficulty gives an accuracy of {accuracy:g}: it lies between {low:.3g} and {high:.3g}{advice}"
        )
    return math.exp(brentq(excess, *bounds, xtol=tolerance))


def _dimensions(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Return the widths of the agents' models, and their weights."""
    dims = scenario.model_dims
    if dims is not None:
        return np.array(dims), np.full(len(dims), 1 / len(dims))
    return _uniform(*scenario.model_dim)


def _uniform(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of the mean over a uniform distribution."""
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    return low + (high - low) * (node + 1) / 2, weight / 2
