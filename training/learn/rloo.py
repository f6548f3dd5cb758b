"""RLOO: selections learnt from rewards, each against the mean reward of others that were drawn for the same instance.

For each fresh instance K selections are drawn from the network's scores, without replacement (Plackett and Luce), and
served in nearly the best way (:mod:`secagent_env.model.serving`). The scores get the policy gradient of the
environment's reward, in which the mean of the other K − 1 draws of the same instance is the baseline ("leave one out":
Kool, van Hoof and Welling 2019). The instance is solved in one step, so that nothing else has to be estimated: there is
no critic.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from secagent_env import Instance, Scenario
from secagent_env.allocation.actions import SelectionFormat
from secagent_env.allocation.rules import AllocationRules
from secagent_env.support import checks
from training.learn.instance_learner import InstanceLearner
from training.learn.learner import Task
from training.networks.relational import RelationalNetwork

DEFAULTS: dict[str, float] = {
    "batch_size": 32,
    "samples": 8,
    "learning_rate": 1e-3,
    "width": 48,
    "layers": 2,
    "max_grad_norm": 1.0,
}
"""The hyperparameters and their defaults; ``docs/training.md`` explains them."""

_LARGEST_ADVANTAGE = 3.0


class RLOOLearner(InstanceLearner):
    """The learner; see the module and :class:`training.learn.learner.Learner`. A step is one instance."""

    defaults = DEFAULTS
    formats = ("relational", "selection", "pairwise")

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        checks.integer("samples", int(self._options["samples"]), 2)  # each is judged by the others
        options = {**task.settings.environment_options, "action_format": "selection"}
        self._rules = {part.scenario: AllocationRules(scenario=part.scenario, **options) for part in task.parts}

    def _network(self) -> RelationalNetwork:
        return RelationalNetwork(width=int(self._options["width"]), layers=int(self._options["layers"]))

    def _decided(self, scenario: Scenario, parts: dict[str, Tensor]) -> tuple[Tensor, ...]:
        scores = SelectionFormat.RANGE * self.network(**parts)
        return drawn_selections(scores, scenario.required_agents, int(self._options["samples"]))

    def _terms(self, truth: Instance, known: Instance, *decided: Tensor) -> dict[str, Tensor]:
        order, log_probability = decided  # (B, S, K) and (B, S)
        each = np.repeat(np.arange(len(order)), order.shape[1])
        rules = self._rules[truth.scenario]
        assert isinstance(rules.actions, SelectionFormat)
        decision = rules.actions.serve(known[each], order.flatten(0, 1).cpu().numpy())
        _, reward, _ = rules.score(truth[each], decision)
        advantage = leave_one_out(torch.from_numpy(reward).to(log_probability).view_as(log_probability))
        return {"policy": -(advantage * log_probability).mean()}


def drawn_selections(scores: Tensor, count: int, samples: int) -> tuple[Tensor, Tensor]:
    """Return selections of ``count`` agents drawn without replacement, (B, S, K), and their log-probabilities (B, S).

    ``scores`` are (B, N), ``samples`` is S. The logarithm is that of the order of the draws, one after the other with
    probabilities proportional to exp(scores), which has the same gradient in the mean as that of the set.
    """
    with torch.no_grad():
        unit = torch.rand(*scores.shape[:-1], samples, scores.shape[-1], dtype=scores.dtype, device=scores.device)
        gumbel = -torch.log(-torch.log(unit.clamp(1e-9, 1 - 1e-7)))
        order = (scores[:, None] + gumbel).topk(count, -1).indices
    likely = scores - torch.logsumexp(scores, -1, keepdim=True)
    logits = likely[:, None].expand(-1, samples, -1).gather(-1, order)
    before = torch.cumsum(logits.exp(), -1) - logits.exp()
    return order, (logits - torch.log1p(-before.clamp(max=1 - 1e-6))).sum(-1)


def leave_one_out(reward: Tensor) -> Tensor:
    """Return the rewards (B, K), each less the mean of the others of its row, in units of their spread, within ±3."""
    samples = reward.shape[-1]
    advantage = (reward - reward.mean(-1, keepdim=True)) * samples / (samples - 1)
    return (advantage / (advantage.std() + 1e-6)).clamp(-_LARGEST_ADVANTAGE, _LARGEST_ADVANTAGE)
