"""Transmit powers at a given selection and beam (50): successive convex approximation.

Each step solves the convex program of :mod:`solvers.power.power_program`, which is tight at the current powers: every
iterate is feasible and the transmission energy never rises.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from secagent_env.allocation.actions import LOWEST_POWER_W
from solvers.interface.base import at_powers
from solvers.numerics.barrier import minimise
from solvers.power.power_program import PowerProgram


@dataclass
class PowerSearch:
    """The result of :func:`optimise_powers`.

    Attributes
    ----------
    decision, outcome
        The last iterate, and its outcome.
    energies_j
        The transmission energies of the start and of every feasible iterate, never rising, J.
    message
        Why it stopped.
    """

    decision: Decision
    outcome: Outcome
    energies_j: list[float] = field(default_factory=list)
    message: str = ""


def optimise_powers(
    instance: Instance, decision: Decision, *, tolerance: float = 1e-4, max_iterations: int = 30
) -> PowerSearch:
    """Minimise the transmission energy (50) over the powers of all transmitting agents, from a start with secrecy.

    Where the start is too slow for the latency limit, the latency is minimised first, until it is met. Positive powers
    are varied within [−70 dBm, p_max]; silent agents stay silent. The search stops when a step saves less than the
    share ``tolerance``.
    """
    power = np.clip(decision.power_w, LOWEST_POWER_W, instance.scenario.max_power_w)
    decision = decision.replace(power_w=np.where(decision.power_w > 0, power, 0.0))
    search = PowerSearch(decision, evaluate(instance, decision))
    if not np.isfinite(search.outcome.latency_s):
        search.message = "no secrecy at the start"
        return search
    hurry = bool(search.outcome.violated["latency_s"])
    if not hurry:
        search.energies_j.append(float(search.outcome.transmission_energy_j))
    for _ in range(max_iterations):
        program = PowerProgram(instance, search.decision, search.outcome, hurry=hurry)
        start = program.interior()
        if start is None:
            search.message = "no interior point" if hurry else "no room left in the latency limit"
            return search
        z = minimise(program, start, gap=min(0.1 * tolerance, 1e-3), first_gap=0.3)
        trial = search.decision.replace(power_w=program.powers(z))
        outcome = evaluate(instance, trial)
        goal = "latency_s" if hurry else "transmission_energy_j"
        before, after = float(getattr(search.outcome, goal)), float(getattr(outcome, goal))
        if not after < before or (not hurry and not outcome.feasible and search.outcome.feasible):
            search.message = "converged"
            return search
        search.decision, search.outcome = trial, outcome
        if not hurry:
            search.energies_j.append(after)
        elif not outcome.violated["latency_s"] and outcome.latency_s < program.limit:
            hurry = False
            search.energies_j.append(float(outcome.transmission_energy_j))
            continue
        if before - after <= tolerance * before:
            search.message = "the latency limit cannot be met" if hurry else "converged"
            return search
    search.message = "out of iterations"
    return search


def silence_jammers(instance: Instance, decision: Decision) -> Decision:
    """Return the decision without the jammers that do not pay, silenced one after the other or all at once."""
    while True:
        jammers = np.flatnonzero(~decision.selection & (decision.power_w > 0))
        if not jammers.size:
            return decision
        trials = np.repeat(decision.power_w[None], len(jammers) + 2, axis=0)
        trials[np.arange(len(jammers)), jammers] = 0.0
        trials[-2, jammers] = 0.0
        outcome = evaluate(instance, at_powers(decision.selection, decision.beamformer, trials))
        energy = np.where(outcome.feasible, outcome.transmission_energy_j, np.inf)
        best = int(np.argmin(energy))
        if not energy[best] < energy[-1]:
            return decision
        decision = decision.replace(power_w=trials[best])
