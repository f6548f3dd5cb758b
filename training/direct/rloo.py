"""RLOO: selections learnt from what they cost, each beside others that were drawn for the same instance.

For each fresh instance S selections are drawn from the network's scores, without replacement (Plackett and Luce), and
served in nearly the best way (:mod:`secagent_env.model.serving`). What is learnt is that the best of k draws is good:
the scores get the policy gradient of the expected least cost of k draws ("max@k", Walder and Karkhanis 2025), which for
k = 1 is the expected cost. The baseline of a draw is what the others reach without it ("leave one out": Kool, van Hoof
and Welling 2019). The instance is solved in one step, so that nothing else has to be estimated: there is no critic.

The cost of a feasible selection is its energy above the least of the draws, relative to it and bounded; that of others
is greater than any of these, and grows with the violation. Energies themselves vary too much: a single dear jammer
would outweigh what hundreds of selections tell.
"""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np
import torch
from torch import Tensor

from secagent_env import Instance, Outcome, Scenario, evaluate
from secagent_env.allocation.guided import SelectionFormat
from secagent_env.allocation.rules import decoder
from secagent_env.support import checks
from secagent_env.support.extras import installed
from solvers.interface.ranking import INFEASIBLE, rank_by_violation
from training.direct.base import PhysicsLearner
from training.learn.learner import Task
from training.networks.relational import RelationalNetwork

DEFAULTS: dict[str, float] = {
    "batch_size": 32,
    "samples": 16,
    "best_of": 8,
    "learning_rate": 1e-3,
    "width": 48,
    "layers": 2,
    "max_grad_norm": 1.0,
}
"""The hyperparameters and their defaults; ``docs/training.md`` explains them."""

DEAREST, MISSED, VIOLATED, MOST_VIOLATED = 0.5, 1.0, 0.3, 2.0
"""The greatest cost of a feasible selection; that of others, by how much it grows with the sum of relative violations,
and the greatest such sum that counts."""

_LARGEST_ADVANTAGE = 3.0


class RLOOLearner(PhysicsLearner):
    """The learner; see the module and :class:`training.learn.learner.Learner`. A step is one instance."""

    defaults = DEFAULTS
    formats = ("relational", "selection", "pairwise")

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        self._drawn, self.samples = int(self._options["samples"]), int(self._options["best_of"])
        checks.integer("samples", self._drawn, self.samples + 1)  # each is judged by as many others
        if unused := sorted(task.settings.environment_options):
            raise ValueError(f"rloo learns from costs of its own: leave {unused[0]} out of environment_options")

    def _network(self) -> RelationalNetwork:
        return RelationalNetwork(width=int(self._options["width"]), layers=int(self._options["layers"]))

    def _decided(self, scenario: Scenario, parts: dict[str, Tensor]) -> tuple[Tensor, ...]:
        scores = SelectionFormat.RANGE * self.network(**parts)
        return drawn_selections(scores, scenario.required_agents, self._drawn)

    def _terms(self, truth: Instance, known: Instance, *decided: Tensor) -> dict[str, Tensor]:
        order, log_probability = decided  # (B, S, K) and (B, S)
        each = np.repeat(np.arange(len(order)), order.shape[1])
        form = decoder("selection", truth.scenario, compiled=installed("numba"))
        assert isinstance(form, SelectionFormat)
        decision = form.serve(known[each], order.flatten(0, 1).cpu().numpy())
        cost = costs(truth[each], evaluate(truth[each], decision), self._drawn)
        advantage = leave_one_out(cost, self.samples)
        return {"policy": -(torch.from_numpy(advantage).to(log_probability) * log_probability).mean()}


def costs(instances: Instance, outcome: Outcome, samples: int) -> np.ndarray:
    """Return the costs (B, S) of the outcomes (B · S) of S selections for each of B instances; see the module."""
    rank = rank_by_violation(instances, outcome).reshape(-1, samples)
    feasible = rank < INFEASIBLE
    above = rank / np.where(feasible, rank, np.inf).min(-1, keepdims=True) - 1  # −1 where none is feasible
    violation = np.minimum(rank / INFEASIBLE - 1, MOST_VIOLATED)
    return np.where(feasible, np.minimum(above, DEAREST), MISSED + VIOLATED * violation)


def drawn_selections(scores: Tensor, count: int, samples: int) -> tuple[Tensor, Tensor]:
    """Return selections of ``count`` agents drawn without replacement, (B, S, K), and their log-probabilities (B, S).

    ``scores`` are (B, N), ``samples`` is S. The logarithm is that of the order of the draws, one after the other with
    probabilities proportional to exp(scores), which has the same gradient in the mean as that of the set.
    """
    with torch.no_grad():
        unit = torch.rand(*scores.shape[:-1], samples, scores.shape[-1], dtype=scores.dtype, device=scores.device)
        gumbel = -torch.log(-torch.log(unit.clamp(1e-9, 1 - 1e-7)))
        order = (scores[:, None] + gumbel).topk(count, -1).indices
    return order, log_probability(scores, order)


def log_probability(scores: Tensor, order: Tensor) -> Tensor:
    """Return the log-probabilities (B, S) that agents are drawn from scores (B, N) in an order (B, S, K)."""
    likely = scores - torch.logsumexp(scores, -1, keepdim=True)
    logits = likely[:, None].expand(-1, order.shape[1], -1).gather(-1, order)
    before = torch.cumsum(logits.exp(), -1) - logits.exp()
    return (logits - torch.log1p(-before.clamp(max=1 - 1e-6))).sum(-1)


def leave_one_out(cost: np.ndarray, best_of: int) -> np.ndarray:
    """Return by how much each draw lowers the expected least cost of k draws, in units of the spread, within ±3.

    ``cost`` is (B, S), ``best_of`` is k < S. It is the mean least cost of all sets of k of the instance's draws without
    this one, less that of all sets with it.
    """
    order = np.argsort(cost, axis=-1, kind="stable")
    advantage = np.empty_like(cost)
    np.put_along_axis(advantage, order, np.take_along_axis(cost, order, -1) @ _weights(cost.shape[-1], best_of), -1)
    return np.clip(advantage / (advantage.std() + 1e-6), -_LARGEST_ADVANTAGE, _LARGEST_ADVANTAGE)


@cache
def _weights(samples: int, best_of: int) -> np.ndarray:
    """Return the matrix (S, S) from sorted costs to advantages: how much the r-th least weighs for the i-th."""
    weights = np.empty((samples, samples))
    for i in range(samples):
        for r in range(samples):
            dearer = samples - 1 - r - (r < i)  # than r, without i
            without = comb(dearer, best_of - 1) * (r != i) / comb(samples - 1, best_of)
            beside = comb(dearer, best_of - 2) * (r < i) if best_of > 1 else 0
            within = (comb(samples - 1 - i, best_of - 1) if r == i else beside) / comb(samples - 1, best_of - 1)
            weights[r, i] = without - within
    return weights
