"""RLOO: selections learnt from rewards, levels from the gradient of the physics, both of the same few decisions.

For each fresh instance K selections are drawn from the network's scores, without replacement (Plackett and Luce), and
decided upon. What such a decision costs has a gradient in the jammers' and senders' levels, through the physics; the
beam is the best one for them and counts as a constant (envelope theorem). The scores get the policy gradient, in which
the mean cost of the other K − 1 decisions of the same instance is the baseline ("leave one out": Kool, van Hoof and
Welling 2019). The instance is solved in one step, so that nothing else has to be estimated: there is no critic.

A decision costs, in units of the execution energy of the N_min cheapest agents,

- its energy (18) + (19), the transmission's times taken for τ at most;
- ``price`` × the relative excess of (17) over τ, of which ``margin`` is to be left; the time of a message without
  enough secrecy goes on linearly;
- ``price`` × what the eavesdroppers take of each upload beyond ``leak``, as a share of its rate;
- 10 × ``price`` × the shortfall of (15);
- ``fixed`` where it is not feasible, in the policy gradient alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from secagent_env import Instance
from secagent_env.allocation.actions import BalancedFormat
from secagent_env.model.decision import Decision
from secagent_env.model.physics import (
    combine_eavesdroppers,
    downlink_sinr,
    secrecy_rate,
    transmission_energies,
    uplink_sinr,
)
from training.learn.physics_learner import PhysicsLearner
from training.networks.relational import RelationalNetwork

DEFAULTS: dict[str, float] = {
    "batch_size": 64,
    "samples": 8,
    "learning_rate": 1e-3,
    "width": 48,
    "layers": 2,
    "price": 2.0,
    "fixed": 3.0,
    "policy_weight": 0.1,
    "margin": 0.02,
    "leak": 0.9,
    "max_grad_norm": 1.0,
}
"""The hyperparameters and their defaults; ``docs/training.md`` explains them."""

_ACCURACY = 10.0
_ACCURACY_MARGIN = 0.001
_LARGEST_ADVANTAGE = 3.0
_LATE = 3.0
"""By how many τ a message without secrecy is late, at most."""
_LARGEST_SHARE = 4.0


class RLOOLearner(PhysicsLearner):
    """The learner; see the module and :class:`training.learn.learner.Learner`. A step is one instance."""

    defaults = DEFAULTS
    formats = ("relational", "balanced", "pairwise")

    def _network(self) -> RelationalNetwork:
        return RelationalNetwork(width=int(self._options["width"]), layers=int(self._options["layers"]))

    def _decided(self, parts: dict[str, Tensor]) -> tuple[Tensor, ...]:
        encoded = self.network.encode(**parts)
        count, samples = self._task.scenario.required_agents, int(self._options["samples"])
        order, log_probability = drawn_selections(encoded.scores, count, samples)
        return self.network.actions(encoded, order), log_probability

    def _terms(self, truth: Instance, known: Instance, *decided: Tensor) -> dict[str, Tensor]:
        actions, log_probability = decided  # (B, S, 2N + 1) and (B, S)
        each = np.repeat(np.arange(len(actions)), actions.shape[1])
        decision = BalancedFormat(truth.scenario).decide(actions.flatten(0, 1).double(), known[each])
        price = self._options["price"]
        cost = costs(truth[each], decision, self._options["margin"], self._options["leak"])
        smooth = cost.energy + price * (cost.late + cost.leaked + _ACCURACY * cost.short)
        total = smooth.detach() + self._options["fixed"] * (~cost.feasible).double()
        advantage = leave_one_out(total.view(log_probability.shape))
        return {
            "energy": cost.energy.mean(),
            "late": price * cost.late.mean(),
            "leaked": price * cost.leaked.mean(),
            "accuracy": price * _ACCURACY * cost.short.mean(),
            "policy": self._options["policy_weight"] * (advantage.to(log_probability.dtype) * log_probability).mean(),
        }


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


def leave_one_out(cost: Tensor) -> Tensor:
    """Return the costs (B, K), each less the mean of the others of its row, in units of their spread, within ±3."""
    samples = cost.shape[-1]
    advantage = (cost - cost.mean(-1, keepdim=True)) * samples / (samples - 1)
    return (advantage / (advantage.std() + 1e-6)).clamp(-_LARGEST_ADVANTAGE, _LARGEST_ADVANTAGE)


class Costs(NamedTuple):
    """What decisions cost, each (B), with gradients in the levels, and whether they are feasible, (B) bool.

    ``energy`` over that of the cheapest agents, ``late`` the relative excess of (17), ``leaked`` the sum over the
    uploads of the shares that are taken beyond what is tolerated, ``short`` the shortfall of (15).
    """

    energy: Tensor
    late: Tensor
    leaked: Tensor
    short: Tensor
    feasible: Tensor


def costs(instance: Instance, decision: Decision, margin: float, leak: float) -> Costs:
    """Return what decisions cost.

    Parameters
    ----------
    instance, decision
        (B) torch, float64; N_min agents are selected, and powers are within their budgets.
    margin
        The share of τ that is to be left.
    leak
        The share of an upload's rate that the eavesdroppers may take.
    """
    scenario, chosen = instance.scenario, decision.selection
    limit, bandwidth = scenario.latency_limit_s, scenario.bandwidth_hz
    execution = torch.where(chosen, instance.execution_energy_j, 0.0).sum(-1)
    cheapest = instance.execution_energy_j.topk(scenario.required_agents, dim=-1, largest=False).values.sum(-1)

    sinr, heard = downlink_sinr(instance, decision)
    weakest, strongest = torch.where(chosen, sinr, torch.inf).amin(-1), combine_eavesdroppers(heard, scenario.colluding)
    rate = (torch.log1p(weakest) - torch.log1p(strongest)) / np.log(2)
    needed = scenario.downlink_bits / (bandwidth * limit)
    downlink = _time(rate / needed, 1 + (1 - rate / needed).clamp(max=_LATE))

    sinr, heard = uplink_sinr(instance, decision)
    heard = combine_eavesdroppers(heard, scenario.colluding)
    rates, needed = secrecy_rate(sinr, heard), scenario.uplink_bits / (bandwidth * limit)
    share = torch.log1p(heard) / torch.log1p(sinr).clamp(min=1e-30)
    leaked = torch.where(chosen, torch.relu(share.clamp(max=_LARGEST_SHARE) - leak), 0.0).sum(-1)
    uplinks = torch.where(chosen, _time(rates / needed, 1 + torch.relu(1 - rates / needed)), 0.0)
    uplink = uplinks.amax(-1)

    inference = torch.where(chosen, instance.inference_time_s, 0.0).amax(-1) / limit
    latency = downlink + inference + uplink
    on_air = (downlink.clamp(max=1.0) + uplink.clamp(max=1.0)) * limit
    transmission = transmission_energies(chosen, decision.power_w, uplinks.clamp(max=1.0) * limit, on_air).sum(-1)
    accuracy = torch.where(chosen, instance.accuracy, 0.0).sum(-1) / chosen.sum(-1)
    return Costs(
        energy=(execution + transmission) / cheapest,
        late=torch.relu(latency - 1 + margin),
        leaked=leaked,
        short=torch.relu(scenario.min_accuracy + _ACCURACY_MARGIN - accuracy),
        feasible=(latency <= 1) & (accuracy >= scenario.min_accuracy),
    )


def _time(rate: Tensor, without: Tensor) -> Tensor:
    """Return times over τ at rates over the one that takes τ; ``without`` where the rate is less than that."""
    return torch.where(rate > 1, 1 / rate.clamp(min=0.5), without)
