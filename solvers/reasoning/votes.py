"""Votes: one answer from the answers of many agents, o = V(α_1 o_1, …, α_n o_n) of section III-B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secagent_env.support.checks import integer

VOTING = ("majority", "weighted")
"""Ways to vote: all votes count alike, or by the log odds of the agents' accuracies."""
_SURE = 1e-9
"""Accuracies are clipped to this distance from 0 and 1, so that no vote has an infinite weight."""


@dataclass(frozen=True)
class Tally:
    """The result of a vote.

    Attributes
    ----------
    option
        The index of the option that won; None where nobody voted, which counts as wrong.
    counts
        The number of votes for each option, or the sum of their weights.
    tied
        The options with the largest count: more than one where chance decided, none where nobody voted.
    """

    option: int | None
    counts: tuple[float, ...]
    tied: tuple[int, ...]


def vote(
    options: Sequence[int | None],
    num_options: int,
    weights: Sequence[float] | np.ndarray | None = None,
    rng: np.random.Generator | None = None,
) -> Tally:
    """Return the result of a vote.

    Parameters
    ----------
    options
        The index of each agent's option; None for an agent without an answer, which has no vote.
    num_options
        The number of options.
    weights
        The weights of the agents' votes; negative ones count against an option. None: all weights are 1.
    rng
        Decides among tied options, all with the same probability. None: the lowest index wins.

    Raises
    ------
    ValueError
        If a vote is for none of the options, or the weights are not one finite number for each agent.
    """
    integer("num_options", num_options, 1)
    if weights is None:
        weights = [1.0] * len(options)
    elif len(weights) != len(options) or not np.isfinite(weights).all():
        raise ValueError(f"weights must hold a finite number for each of the {len(options)} agents, got {weights!r}")
    counts = [0.0] * num_options
    voted = False
    for option, weight in zip(options, weights, strict=True):
        if option is None:
            continue
        if not 0 <= option < num_options:
            raise ValueError(f"a vote must be for an option from 0 to {num_options - 1}, or None, got {option!r}")
        counts[option] += float(weight)
        voted = True
    if not voted:
        return Tally(None, tuple(counts), ())
    most = max(counts)
    # Counts that differ by rounding, as sums in another order do, are tied.
    near = 1e-12 * max(map(abs, counts))
    tied = tuple(i for i, count in enumerate(counts) if count >= most - near)
    return Tally(tied[0] if rng is None or len(tied) == 1 else int(rng.choice(tied)), tuple(counts), tied)


def vote_weights(voting: str, accuracies: np.ndarray | None, num_options: int) -> np.ndarray | None:
    """Return the weights of agents' votes; None for a majority. No agent counts as worse than a guess, 1/m."""
    if voting == "majority" or accuracies is None:
        return None
    return log_odds_weights(np.maximum(accuracies, 1 / num_options), num_options)


def log_odds_weights(accuracies: Sequence[float] | np.ndarray, num_options: int) -> np.ndarray:
    """Return the weights that make a vote of independent agents right most often, ln((m − 1) p / (1 − p)).

    With them the vote is the maximum-likelihood answer, if wrong agents choose all wrong options equally often (Nitzan
    and Paroush, 1982, for two options). An agent that guesses, p = 1/m, has the weight 0, and a worse one a negative
    weight.

    Parameters
    ----------
    accuracies
        The accuracy p of each agent, from 0 to 1, clipped to [1e-9, 1 − 1e-9].
    num_options
        The number of options, m.

    Raises
    ------
    ValueError
        If an accuracy is out of range, or there are fewer than two options.
    """
    p = checked_accuracies(accuracies)
    integer("num_options", num_options, 2)
    p = np.clip(p, _SURE, 1 - _SURE)
    return np.asarray(np.log((num_options - 1) * p / (1 - p)))


def checked_accuracies(accuracies: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return accuracies (N,) as an array; raise ValueError unless all are from 0 to 1."""
    p = np.asarray(accuracies, float)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"accuracies must be numbers from 0 to 1, one for each agent, got {accuracies!r}")
    return p
