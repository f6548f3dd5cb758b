"""The start of Algorithm 2, line 1, which knows no costs: a selection, a beam and powers.

The paper leaves it open. Here α⁰ is a random selection that meets (13) and (15), w⁰ is matched to the sum of its
channels, and p⁰ has one receive SNR for senders and one low power for jammers.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Instance
from secagent_env.allocation.guided import LOWEST_POWER_W
from solvers.asc.costs import Costs, SelectionProblem
from solvers.asc.greedy import reconstruct
from solvers.certificate.selection import eligible_agents, random_selection

INITIAL = ("random", "greedy")
"""Ways to choose α⁰."""


def starting_point(
    instance: Instance, rng: np.random.Generator, *, initial: str, sender_snr: float, jamming: bool
) -> tuple[np.ndarray, SelectionProblem]:
    """Return α⁰ (N,) bool, and w⁰ and p⁰ as a selection problem. The instance has a selection that meets (13) and (15).

    With ``initial="greedy"`` α⁰ is the greedy method's, at the energies of computing. The senders are received with
    ``sender_snr``, jammers have −70 dBm, or nothing without ``jamming``.
    """
    if initial == "random":
        selection = random_selection(instance, rng)
    else:
        selection = reconstruct(
            execution_costs(instance, eligible_agents(instance)), np.zeros(instance.scenario.num_agents, bool)
        )
    assert selection is not None
    low = min(LOWEST_POWER_W, instance.scenario.max_power_w) if jamming else 0.0
    return selection, SelectionProblem(
        instance,
        matched_beam(instance, selection),
        sender_w=sender_powers(instance, sender_snr),
        jammer_w=np.full(selection.size, low),
    )


def matched_beam(instance: Instance, selection: np.ndarray) -> np.ndarray:
    """Return the full-power beam (L,), √W, along the sum of the selected agents' channels."""
    total = instance.channel_bs[selection].sum(axis=0)
    return np.asarray(total / max(np.linalg.norm(total), 1e-300) * np.sqrt(instance.scenario.bs_power_w))


def sender_powers(instance: Instance, snr: float | np.ndarray, lowest_w: float = 0.0) -> np.ndarray:
    """Return powers (…, N), W, at which each agent alone is received with the SNR ``snr`` (…), within the budget."""
    scenario = instance.scenario
    power = np.asarray(snr)[..., None] * scenario.noise_power_w / np.maximum(instance.bs_gain, 1e-300)
    return np.clip(power, lowest_w, scenario.max_power_w)


def execution_costs(instance: Instance, allowed: np.ndarray) -> Costs:
    """Return the costs of selecting agents, of which only those of computing are counted."""
    energy = instance.execution_energy_j
    unit = float(energy.mean()) or 1.0
    return Costs(
        change=energy / unit,
        accuracy=instance.accuracy,
        min_accuracy=instance.scenario.min_accuracy,
        allowed=allowed,
        required=instance.scenario.required_agents,
        unit_j=unit,
        uplink_time_s=np.zeros_like(energy),
    )
