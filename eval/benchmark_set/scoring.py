"""What the decisions of an entry are worth: the share of the certified bound in their energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.benchmark_set.entries import Decided
from eval.benchmark_set.frozen import Frozen
from secagent_env import evaluate

ROUNDING = 1e-6
"""Relative: no feasible decision can be further below its bound."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Decisions on the solvable networks of a preset.

    Attributes
    ----------
    score
        (K,), in [0, 1]: lower bound / energy, 0 where the decision is not feasible or there is none.
    feasible
        (K,) bool.
    gap
        (K,): energy over the lower bound; NaN where it is not feasible.
    seconds
        (K,), s, as the maker of the entry says.
    """

    score: np.ndarray
    feasible: np.ndarray
    gap: np.ndarray
    seconds: np.ndarray


def scored(decided: Decided, networks: Frozen) -> Scored:
    """Return what decisions are worth on those networks that are not proved infeasible.

    Raises
    ------
    ValueError
        If a decision is feasible where that is proved impossible, or takes less energy than is proved necessary: then
        a certificate or the physics is wrong.
    """
    outcome = evaluate(networks.instances, decided.decision)
    feasible, energy = np.asarray(outcome.feasible) & decided.decided, np.asarray(outcome.energy_j)
    bound = networks.lower_bound_j
    if (wrong := feasible & ~(energy >= bound * (1 - ROUNDING))).any():
        [first, *_] = np.flatnonzero(wrong)
        raise ValueError(
            f"network {first} of {networks.preset} has a feasible decision of {energy[first]:.6g} J, and a certificate "
            f"that says at least {bound[first]:.6g} J: please report this"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(feasible, np.maximum(energy / bound - 1, 0), np.nan)
        score = np.where(feasible, np.minimum(bound / energy, 1), 0.0)
    known = networks.solvable
    return Scored(score[known], feasible[known], gap[known], decided.seconds[known])
