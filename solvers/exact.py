"""Exact: the integer program of the selection, a beam and powers that attain its bound, and the proof.

The objective (20) is at least the integer program's minimum, each agent counted with its execution energy and
the least energy its uplink can cost (:mod:`solvers.bounds`). Where the beam can null the eavesdroppers and
the agents are heard better by the base station than by them, nearly silent agents attain it: with low powers
the eavesdroppers hear only noise, jammers may stay silent, and the transmission costs nanojoules against the
kilojoules of the execution. The decision found is then optimal, and the gap says so.

Where that fails (the latency binds, an eavesdropper sits among the agents, too few antennas), the bound stays
valid and the best of a few constructions is returned: faster agents, agents that need no protection, and
jammers chosen by how much more they disturb the eavesdroppers than the base station.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Decision, Instance
from secagent_env.actions import LOWEST_POWER_W
from secagent_env.physics import combine_eavesdroppers
from solvers.base import Infeasible, Run, Solver
from solvers.beamforming import leakage_beam, null_beam
from solvers.bounds import lower_bound, uplink_energy_floor
from solvers.selection import cheapest_selection, eligible_agents

SENDER_SNR = np.logspace(-6, 4, 81)
"""Candidate receive SNRs of the senders at the base station, relative to the noise alone."""
JAMMER_LEVELS = np.logspace(-10, 0, 41)
"""Candidate jammer powers, relative to p_max."""


class Exact(Solver):
    """The integer program with a certified gap.

    Parameters
    ----------
    jamming
        False keeps every unselected agent silent.
    """

    name = "exact"

    def __init__(self, jamming: bool = True) -> None:
        self.jamming = jamming

    def _solve(self, run: Run) -> None:
        instance = run.instance
        run.bound = bound = lower_bound(instance)
        if bound.selection is None:
            raise Infeasible(bound.message)
        for lowest in (LOWEST_POWER_W, 0.0):  # an agent next to the base station may be too loud at -70 dBm
            if self._try(run, bound.selection, sender_powers(instance, bound.selection, lowest)) is None:
                return
        self._search(run, eligible_agents(instance))
        self._search(run, eligible_agents(instance) & needs_no_jamming(instance))

    def _search(self, run: Run, eligible: np.ndarray) -> None:
        """Try the cheapest selections, without the agents that were in the way, until one is feasible."""
        instance = run.instance
        cost = instance.execution_energy_j + uplink_energy_floor(instance)
        while True:
            run.check_time()
            selection = cheapest_selection(instance, cost, eligible).selection
            if selection is None:
                return
            powers = sender_powers(instance, selection)
            if self.jamming:
                powers = np.concatenate([powers, jammed_powers(instance, selection)])
            in_the_way = self._try(run, selection, powers)
            if in_the_way is None:
                return
            eligible = eligible & ~in_the_way

    def _try(self, run: Run, selection: np.ndarray, powers: np.ndarray) -> np.ndarray | None:
        """Score a selection over candidate powers (C, N); return who is in the way, (N,) bool, None if one is feasible.

        In the way are those who cannot send in secret, where all others can; if there are none, the slowest.
        """
        instance = run.instance
        count = len(powers)
        for beam in (null_beam(instance, selection), leakage_beam(instance, selection)):
            if beam is None:
                continue
            outcome = run.consider(
                Decision(
                    selection=np.broadcast_to(selection, (count, selection.size)),
                    beamformer=np.broadcast_to(beam, (count, beam.size)),
                    power_w=powers,
                )
            )
            run.record(sub_problem="selection", selected=int(selection.sum()), feasible=bool(outcome.feasible.any()))
            if outcome.feasible.any():
                return None
        overheard = selection & (outcome.uplink_secrecy == 0)
        fewest = overheard[np.argmin(overheard.sum(axis=-1))]
        times = instance.inference_time_s
        return fewest if fewest.any() else selection & (times == times[selection].max())


def needs_no_jamming(instance: Instance) -> np.ndarray:
    """Return whom the base station hears better than the eavesdroppers do, g_n > |h_n,eve|², (N,) bool."""
    return np.asarray(instance.bs_gain > combine_eavesdroppers(instance.gain_eve, instance.scenario.colluding))


def sender_powers(instance: Instance, selection: np.ndarray, lowest_w: float = LOWEST_POWER_W) -> np.ndarray:
    """Return candidate powers (…, N), W: senders at equal receive SNRs but of at least ``lowest_w``, others silent."""
    scenario = instance.scenario
    unit = scenario.noise_power_w / np.maximum(instance.bs_gain, 1e-300)
    powers = np.clip(SENDER_SNR[:, None] * unit, lowest_w, scenario.max_power_w)
    return np.where(selection, powers, 0.0)


def jammed_powers(instance: Instance, selection: np.ndarray) -> np.ndarray:
    """Return candidate powers (…, N), W, in which the 1, 2, 4, … best jammers send at one level."""
    scenario = instance.scenario
    disturbance = instance.gain_eve.min(axis=-1) / np.maximum(instance.bs_gain, 1e-300)
    order = np.argsort(np.where(selection, -np.inf, disturbance))[::-1][: int((~selection).sum())]
    senders = sender_powers(instance, selection)[::4]
    levels = np.maximum(scenario.max_power_w * JAMMER_LEVELS[::2], LOWEST_POWER_W)
    candidates = []
    size = 1
    while order.size:
        jammers = np.zeros_like(selection)
        jammers[order[:size]] = True
        candidates.append(np.where(jammers, levels[:, None, None], senders).reshape(-1, selection.size))
        if size >= order.size:
            break
        size *= 2
    return np.concatenate(candidates) if candidates else np.zeros((0, selection.size))
