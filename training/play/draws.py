"""The best of several selections that are drawn from a policy's scores (Kool, van Hoof and Welling 2019)."""

from __future__ import annotations

import math

import numpy as np

from secagent_env import Decision, Instance, evaluate
from secagent_env.allocation.guided import SelectionFormat
from secagent_env.gym_bases.spaces import action_array
from solvers.certificate.requirements import TOLERANCE
from solvers.interface.ranking import INFEASIBLE, rank_by_violation


def best_drawn(
    form: SelectionFormat, instances: Instance, scores: np.ndarray, samples: int
) -> tuple[Decision, np.ndarray]:
    """Return the best decision of each instance, and how many selections were served for it, (…) integers.

    The first selection is that of the highest scores, the others are drawn without replacement, the same in every run.
    They are served in the order of what computing costs, those that miss the accuracy (15) last, where this is less
    than the energy of the best so far: the decision is the best of all.

    Parameters
    ----------
    form
        What serves a selection.
    instances
        With batch dimensions (…).
    scores
        (…, N), the policy's actions.
    samples
        How many selections are decided upon, S ≥ 1.

    Raises
    ------
    ValueError
        If scores are NaN, or not one for each agent.
    """
    batch = instances.batch_shape
    places = np.arange(math.prod(batch))
    flat = instances[np.unravel_index(places, batch)] if batch else Instance.stack([instances])
    scores = action_array("action", scores, instances.scenario.num_agents).reshape(len(flat), -1)
    chosen = _selections(scores, instances.scenario.required_agents, samples)
    cost = np.take_along_axis(flat.execution_energy_j[:, None], chosen, -1).sum(-1)
    accuracy = np.take_along_axis(flat.accuracy[:, None], chosen, -1).mean(-1)
    short = accuracy < instances.scenario.min_accuracy - TOLERANCE
    order = np.lexsort((cost, short), axis=-1)
    chosen = np.take_along_axis(chosen, order[..., None], 1)
    cost, short = (np.take_along_axis(each, order, 1) for each in (cost, short))
    again = np.zeros(cost.shape, bool)
    again[:, 1:] = (chosen[:, 1:] == chosen[:, :-1]).all(-1)
    decision = form.serve(flat, chosen[:, 0])
    best = {name: part for name, part in decision._fields().items() if part is not None}
    rank, served = rank_by_violation(flat, evaluate(flat, decision)), np.ones(len(flat), int)
    for k in range(1, samples):
        able = (cost[:, k] < rank) & ~(short[:, k] & (rank < INFEASIBLE))
        [left] = np.nonzero(able & ~again[:, k])
        if left.size:
            other = form.serve(flat[left], chosen[left, k])
            others = rank_by_violation(flat[left], evaluate(flat[left], other))
            better = others < rank[left]
            for name, part in best.items():
                part[left[better]] = getattr(other, name)[better]
            rank[left], served[left] = np.minimum(rank[left], others), served[left] + 1
    back = places.reshape(batch)
    return Decision._trusted(**best)[back], served[back]


def _selections(scores: np.ndarray, count: int, samples: int) -> np.ndarray:
    """Return the sorted indices of S selections, (B, S, count), of scores (B, N)."""
    noise = np.zeros((samples, scores.shape[-1]))
    noise[1:] = np.random.default_rng(0).gumbel(size=noise[1:].shape)
    drawn = SelectionFormat.RANGE * np.clip(scores, -1, 1)[:, None] + noise
    return np.sort(np.argsort(-drawn, axis=-1, stable=True)[..., :count], axis=-1)
