"""The agents' workload: accuracy (14), inference time (16), and the mean energy of selections."""

from __future__ import annotations

import math

import numpy as np

from secagent_env.model.scenario import Scenario


def scaling_law_accuracy(
    model_dim: np.ndarray, training_budget: np.ndarray, task_difficulty: float = 1.0
) -> np.ndarray:
    """Return Acc = 1 − exp((R − M(k) ln C) / δ), clipped to [0, 1]: (14) at the difficulty δ = 1.

    The paper leaves M and R open; M(k) = 0.45 / (1 + 3000/k) is the saturating form of arXiv 2509.25300 and
    R = 0.2, both fitted to the paper's typical case. δ is not in the paper.
    """
    exponent = 0.2 - 0.45 / (1 + 3000 / model_dim) * np.log(training_budget)
    return np.clip(-np.expm1(exponent / task_difficulty), 0.0, 1.0)


def accuracy_at_difficulty(accuracy: np.ndarray, ratio: float) -> np.ndarray:
    """Return the accuracies (…) of agents in a task whose δ is ``ratio`` times that of the task they are given for.

    By (14) this is 1 − (1 − Acc)^(1/ratio), whatever their models and budgets; 0 stays 0.
    """
    with np.errstate(divide="ignore"):  # the logarithm of an accuracy of 1
        return -np.expm1(np.log1p(-np.asarray(accuracy)) / ratio)


def inference_time(
    scenario: Scenario, model_dim: np.ndarray, compute_rate: np.ndarray, tool_unit: np.ndarray | float
) -> np.ndarray:
    """Return the inference times t_n (16), s, at tool-call lengths q_n from draws in [0, 1)."""
    low, high = scenario.tool_tokens
    tokens = np.floor(low + (high + 1 - low) * tool_unit)
    output = scenario.output_tokens
    operations = model_dim * (scenario.activation_ops + 1 + tokens + output + tokens**2 + output**2)
    return operations / compute_rate


def mean_execution_energy_j(scenario: Scenario) -> float:
    """Return the expectation of p_n^exe t_n, (19) with (16), over the scenario's ranges, J."""
    low, high = scenario.compute_rate
    mean_inverse_rate = 1 / low if low == high else math.log(high / low) / (high - low)
    first, last = scenario.tool_tokens
    count = last - first + 1
    mean_tokens = (first + last) / 2
    mean_square = mean_tokens**2 + (count**2 - 1) / 12
    output = scenario.output_tokens
    dims = scenario.model_dims
    mean_dim = sum(scenario.model_dim) / 2 if dims is None else sum(dims) / len(dims)
    operations = mean_dim * (scenario.activation_ops + 1 + mean_tokens + output + mean_square + output**2)
    return sum(scenario.compute_power_w) / 2 * operations * mean_inverse_rate


def reference_energy_j(scenario: Scenario) -> float:
    """Return the energy that has the reward −1 by default: N_min agents picked at random, expected, J."""
    return scenario.required_agents * mean_execution_energy_j(scenario)
