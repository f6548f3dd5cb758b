"""Learning to optimise: the equivariant network trained through the differentiable physics, without rewards.

Each step draws fresh instances, decides them all in one forward pass, and follows the gradient of what the decisions
cost. Beam and powers have a gradient through :func:`secagent_env.evaluate`. The selection is discrete: it is scored as
it is and differentiated as a soft selection (a straight-through estimator), in which energy (19) and accuracy (15) are
linear. Everything is relative, so that no unit matters:

- energy: the execution energy over that of the N_min cheapest agents, less 1; the transmission energy over the same;
- accuracy: ``price`` × the shortfall of (15), wanted with a ``margin``;
- secrecy: per message, how much of its rate the strongest eavesdropper takes, beyond what is tolerated;
- latency: the logarithm of (17) over τ, and agents that are too slow on their own;
- a small weight on the logarithm of the transmission energy over its floor, which the total cannot see.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from secagent_env import Decision, Instance, Scenario, evaluate
from secagent_env.allocation.guided import GuidedFormat
from secagent_env.model.physics import LN2, combine_eavesdroppers, downlink_sinr, uplink_sinr
from training.direct.base import PhysicsLearner
from training.networks.equivariant import EquivariantNetwork

DEFAULTS: dict[str, float] = {
    "batch_size": 256,
    "learning_rate": 1e-3,
    "width": 32,
    "rounds": 2,
    "price": 20.0,
    "margin": 0.006,
    "temperature": 0.25,
    "max_grad_norm": 1.0,
}
"""The hyperparameters and their defaults; ``docs/training.md`` explains them."""

TOLERATED_LEAK = 0.9
"""The share of a message's rate that the strongest eavesdropper may take before it is penalised."""
LATENCY_MARGIN = 0.97
AIR_WEIGHT = 0.002


class L2OLearner(PhysicsLearner):
    """The learned optimiser; see :class:`training.learn.learner.Learner`. A step is one instance."""

    defaults = DEFAULTS
    formats = ("equivariant", "guided", "compact")

    def _network(self) -> EquivariantNetwork:
        return EquivariantNetwork(width=int(self._options["width"]), rounds=int(self._options["rounds"]))

    def _decided(self, scenario: Scenario, parts: dict[str, Tensor]) -> tuple[Tensor, ...]:
        return (self.network(**parts),)

    def _terms(self, truth: Instance, known: Instance, *decided: Tensor) -> dict[str, Tensor]:
        [action] = decided
        device = action.device
        seen = None if known is truth else known.to(torch, device=device)
        weights = {name: self._options[name] for name in ("price", "margin", "temperature")}
        return losses(action, truth.to(torch, device=device), GuidedFormat(truth.scenario), seen=seen, **weights)


def losses(
    action: Tensor,
    instance: Instance,
    action_format: GuidedFormat,
    *,
    price: float,
    margin: float,
    temperature: float,
    seen: Instance | None = None,
) -> dict[str, Tensor]:
    """Return the terms of the loss, means over the batch; their sum is what is minimised.

    Parameters
    ----------
    action
        (B, 2N + 5) guided actions of the network, which carry the gradient.
    instance
        (B) instances, torch, float64.
    action_format
        Of the instances' scenario.
    price, margin
        Of the mean accuracy: the cost of 1 too little, and by how much Acc_min is to be exceeded.
    temperature
        Of the soft selection that stands for the hard one in the gradient.
    seen
        The instances as the network sees them, in which an action means what it does; None: as they are.
    """
    scenario = instance.scenario
    agents, required = scenario.num_agents, scenario.required_agents
    action = action.double()
    decision = action_format.decide(action, instance if seen is None else seen)
    scores = 2 * torch.atanh(action[:, :agents].clamp(-1 + 1e-6, 1 - 1e-6)) / temperature
    soft = torch.sigmoid(scores - soft_threshold(scores, required))
    chosen = decision.selection.double() + soft - soft.detach()

    energy = instance.execution_energy_j
    cheapest = energy.topk(required, dim=1, largest=False).values.sum(1)
    shortfall = (chosen * (scenario.min_accuracy - instance.accuracy)).sum(1) / required
    too_slow = (chosen * (instance.inference_time_s > scenario.latency_limit_s)).sum(1)
    late, air, transmission = _on_the_air(instance, decision)
    return {
        "energy": ((chosen * energy).sum(1) / cheapest - 1).mean(),
        "accuracy": price * torch.relu(shortfall + margin).mean(),
        "secrecy": _leaks(instance, decision).mean(),
        "latency": (too_slow.sum() + late.sum()) / len(cheapest),
        "transmission": (transmission / cheapest).mean() + AIR_WEIGHT * air.mean(),
    }


def soft_threshold(scores: Tensor, count: int) -> Tensor:
    """Return the threshold t (B, 1) at which Σ_n σ(s_n − t) = ``count``, for scores (B, N).

    Found by bisection; its gradient is that of the implicit function, by one Newton step.
    """
    with torch.no_grad():
        low = scores.amin(-1, keepdim=True) - 20
        high = scores.amax(-1, keepdim=True) + 20
        for _ in range(30):
            middle = (low + high) / 2
            above = torch.sigmoid(scores - middle).sum(-1, keepdim=True) > count
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        threshold = (low + high) / 2
    soft = torch.sigmoid(scores - threshold)
    slope = (soft * (1 - soft)).sum(-1, keepdim=True).detach().clamp(min=1e-3)
    return threshold + (soft.sum(-1, keepdim=True) - count) / slope


def _leaks(instance: Instance, decision: Decision) -> Tensor:
    """Return (B) by how much more than tolerated the eavesdroppers take, over the downlink and all uplinks."""
    colluding = instance.scenario.colluding

    def excess(sinr: Tensor, heard: Tensor) -> Tensor:
        share = torch.log1p(combine_eavesdroppers(heard, colluding)) / torch.log1p(sinr).clamp(min=1e-12)
        return torch.relu(share.clamp(max=4.0) - TOLERATED_LEAK)

    sinr, heard = downlink_sinr(instance, decision)
    downlink = excess(torch.where(decision.selection, sinr, math.inf).amin(1), heard)
    uplink = torch.where(decision.selection, excess(*uplink_sinr(instance, decision)), 0.0)
    return downlink + uplink.sum(1)


def _on_the_air(instance: Instance, decision: Decision) -> tuple[Tensor, Tensor, Tensor]:
    """Return log latency over τ where late, log10 of transmission energy over its floor, and that energy, J.

    Each is (B), and zero where a message has no secrecy: there times are infinite, and gradients undefined.
    """
    scenario = instance.scenario
    with torch.no_grad():
        secret = torch.isfinite(evaluate(instance, decision).latency_s)
    results = torch.zeros(3, len(secret), dtype=torch.float64, device=secret.device)
    if not secret.any():
        return results[0], results[1], results[2]
    instance, decision = instance[secret], decision[secret]
    outcome = evaluate(instance, decision)
    unit = scenario.uplink_bits * LN2 * scenario.noise_power_w / scenario.bandwidth_hz
    floor = unit * torch.where(decision.selection, 1 / instance.bs_gain, 0.0).sum(1)
    values = torch.stack(
        [
            torch.relu(torch.log(outcome.latency_s / (LATENCY_MARGIN * scenario.latency_limit_s))),
            torch.log10(outcome.transmission_energy_j / floor),
            outcome.transmission_energy_j,
        ]
    )
    where = secret.nonzero()[:, 0]
    results = results.index_copy(1, where, values)
    return results[0], results[1], results[2]
