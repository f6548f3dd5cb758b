"""Transmit powers at a given selection and beam (50): in closed form without jammers, else by convex programs.

The convex programs (:mod:`solvers.power.power_program`) are solved one after the other, each tight at the powers that
the one before found: every iterate is feasible and the transmission energy never rises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from solvers.interface.base import SolverRun, at_powers, silenced
from solvers.interface.ranking import relative_violations
from solvers.numerics.barrier import minimise
from solvers.power.power_program import PowerProgram
from solvers.power.quiet import quiet_powers

INAUDIBLE = 1e-9
"""Received power over noise below which a transmitter makes no difference to anybody."""
POLISH = 4e-5
"""Share of the transmission energy within which it is minimised at the end of a search."""
JOINING, JOINING_LEVEL = 3, 1e-3
"""How many silent agents begin to jam in a further start, and how loud an eavesdropper hears each, over the noise."""


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


def polish(run: SolverRun) -> None:
    """Minimise the transmission energy of a search's best decision, at its selection and beam, and keep the result.

    Where agents jam there may be several local minima: it is also started without jammers, and with others beside them.
    No power is lower than the run's format of decisions can express.
    """
    if run.decision is None or not run.feasible:
        return
    decision = run.decision
    jammed = _jammers(decision).size > 0
    for start in [silenced(decision), decision, _joined(run.instance, decision)] if jammed else [decision]:
        lowest_w = least_powers(run, start)
        search = cheapest_powers(run.instance, start, lowest_w=lowest_w, tolerance=POLISH, check_time=run.check_time)
        outcome = run.consider(search.decision)
        energies = {
            f"{part}energy_j": float(getattr(outcome, f"{part}energy_j"))
            for part in ("", "execution_", "transmission_")
        }
        run.record(
            sub_problem="powers",
            method=search.message,
            violation=max(map(float, relative_violations(run.instance, outcome).values())),
            feasible=bool(outcome.feasible),
            transmission_energies_j=search.energies_j,
            **energies,
        )


def least_powers(run: SolverRun, decision: Decision) -> np.ndarray:
    """Return the least powers (N,), W, of senders and jammers, which the run's format of decisions can express."""
    audible = decision.selection | (decision.power_w > 0)
    whisper = decision.replace(power_w=np.where(audible, np.finfo(float).tiny, 0.0))
    return np.asarray((run.express(whisper) if run.express else whisper).power_w)


def cheapest_powers(
    instance: Instance,
    decision: Decision,
    *,
    lowest_w: np.ndarray | float = 0.0,
    tolerance: float = 1e-4,
    max_iterations: int = 30,
    check_time: Callable[[], None] = lambda: None,
) -> PowerSearch:
    """Minimise the transmission energy (50) over the powers, in closed form or by :func:`optimise_powers`.

    Jammers that do not pay are silenced. The closed form needs no secrecy at the start.
    """
    while True:
        power = quiet_powers(instance, decision, evaluate(instance, decision), tolerance, lowest_w)
        if power is not None:
            trial = decision.replace(power_w=power)
            outcome = evaluate(instance, trial)
            return PowerSearch(trial, outcome, [float(outcome.transmission_energy_j)], "closed form")
        search = optimise_powers(
            instance,
            decision,
            lowest_w=lowest_w,
            tolerance=tolerance,
            max_iterations=max_iterations,
            check_time=check_time,
        )
        decision = silence_jammers(instance, search.decision)
        if _jammers(decision).size or not _jammers(search.decision).size:
            search.decision, search.outcome = decision, evaluate(instance, decision)
            return search


def optimise_powers(
    instance: Instance,
    decision: Decision,
    *,
    lowest_w: np.ndarray | float = 0.0,
    tolerance: float = 1e-4,
    max_iterations: int = 30,
    check_time: Callable[[], None] = lambda: None,
) -> PowerSearch:
    """Minimise the transmission energy (50) over the powers of all transmitting agents, from a start with secrecy.

    Where the start is too slow for the latency limit, the latency is minimised first, until it is met. Positive powers
    are varied between ``lowest_w``, (N,) or one number, but no less than somebody can hear, and p_max; silent agents
    stay silent. The search stops when a step saves less than the share ``tolerance``. ``check_time`` is called between
    Newton steps and may raise.
    """
    floor = np.maximum(lowest_w, _inaudible_powers(instance))
    power = np.clip(decision.power_w, floor, instance.scenario.max_power_w)
    decision = decision.replace(power_w=np.where(decision.power_w > 0, power, 0.0))
    search = PowerSearch(decision, evaluate(instance, decision))
    if not np.isfinite(search.outcome.latency_s):
        search.message = "no secrecy at the start"
        return search
    hurry = bool(search.outcome.violated["latency_s"])
    if not hurry:
        search.energies_j.append(float(search.outcome.transmission_energy_j))
    for _ in range(max_iterations):
        program = PowerProgram(instance, search.decision, search.outcome, floor, hurry=hurry)
        start = program.interior()
        if start is None:
            search.message = "no interior point" if hurry else "no room left in the latency limit"
            return search
        z = minimise(program, start, gap=min(0.1 * tolerance, 1e-3), first_gap=0.3, check_time=check_time)
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
        jammers = _jammers(decision)
        if not jammers.size:
            return decision
        trials = np.repeat(decision.power_w[None], len(jammers) + 2, axis=0)
        trials[np.arange(len(jammers)), jammers] = 0.0
        trials[-2, jammers] = 0.0
        outcome = evaluate(
            instance, at_powers(decision.selection, decision.beamformer, trials, decision.noise_covariance)
        )
        energy = np.where(outcome.feasible, outcome.transmission_energy_j, np.inf)
        best = int(np.argmin(energy))
        if not energy[best] < energy[-1]:
            return decision
        decision = decision.replace(power_w=trials[best])


def _jammers(decision: Decision) -> np.ndarray:
    """Return the indices of the agents that jam."""
    return np.flatnonzero(~decision.selection & (decision.power_w > 0))


def _joined(instance: Instance, decision: Decision) -> Decision:
    """Return the decision with a few more agents that jam softly: those best heard by some eavesdropper beside g_n."""
    heard = instance.gain_eve.max(axis=1)
    silent = ~decision.selection & (decision.power_w == 0) & (heard > 0)
    ratio = np.where(silent, heard / np.maximum(instance.bs_gain, 1e-300), -1.0)
    joining = np.argsort(-ratio, kind="stable")[: min(JOINING, int(silent.sum()))]
    power = decision.power_w.copy()
    soft = JOINING_LEVEL * instance.scenario.noise_power_w / heard[joining]
    power[joining] = np.minimum(soft, instance.scenario.max_power_w)
    return decision.replace(power_w=power)


def _inaudible_powers(instance: Instance) -> np.ndarray:
    """Return powers (N,), W, which nobody receives above the share ``INAUDIBLE`` of the noise."""
    loudest = np.max([instance.bs_gain, instance.gain_agents.max(axis=1), instance.gain_eve.max(axis=1)], axis=0)
    return np.asarray(INAUDIBLE * instance.scenario.noise_power_w / np.maximum(loudest, 1e-300))
