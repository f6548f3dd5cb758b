"""IPFirst: the selection by the integer program alone, then beam, jammers and powers for these agents.

The obvious scheme, since the objective is nearly all execution energy. It is optimal wherever any agents can be served,
as in the preset ``paper``, and fails where selection and jammers have to be chosen together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from secagent_env import Decision, Instance, evaluate
from solvers.asc_plus.links import LinkOptions, Links
from solvers.asc_plus.starts import MARGINS, jammer_patterns, protecting_jammers
from solvers.certificate.linear_test import linear_test
from solvers.certificate.requirements import CheapestSelection
from solvers.certificate.selection import cheapest_selection, eligible_agents
from solvers.interface.base import Infeasible, Solver, SolverRun
from solvers.power.powers import polish

NO_LIMIT_S = 1e12
JAMMER_FACTORS = (1.0, 10.0, 100.0)
"""Jammers that suffice for the uplink, and stronger ones, for the downlink."""


def cheapest_agents(instance: Instance) -> CheapestSelection:
    """Return the selection of least execution energy under (13), (15) and t_n ≤ τ; secrecy and rates are ignored."""
    patient = instance.replace(scenario=instance.scenario.replace(latency_limit_s=NO_LIMIT_S))
    return cheapest_selection(patient, instance.execution_energy_j, eligible_agents(instance))


def uplink_hopeless(instance: Instance, selection: np.ndarray) -> bool:
    """Return whether it is proved that the selected agents cannot all send in secret, whatever the powers.

    All of them can iff some powers p in [0, p_max] pass the linear test, for every selected n and every eavesdropper e.
    None do if weights y ≥ 0 of its rows exist with Σ y slope_m ≤ 0 for every m and Σ y level < 0 (Farkas). A linear
    program looks for them, and they are checked. (Colluding eavesdroppers hear at least as much as each one alone.)
    """
    scenario = instance.scenario
    gain, heard = np.maximum(instance.bs_gain, 1e-300), instance.gain_eve
    chosen = np.flatnonzero(selection)
    ratio = heard[chosen] / gain[chosen, None]
    slope, level = linear_test(1.0, ratio, gain, heard)
    slope *= scenario.max_power_w / scenario.noise_power_w
    slope[np.arange(len(chosen)), :, chosen] = 0.0  # the own power cancels
    size = 1 + ratio
    slope, level = (slope / size[..., None]).reshape(-1, gain.size), (level / size).ravel()
    scale = np.maximum(np.abs(slope).max(axis=0), 1e-300)
    result = optimize.linprog(
        level, A_ub=(slope / scale).T, b_ub=np.zeros(gain.size), A_eq=np.ones((1, level.size)), b_eq=[1.0]
    )
    if result.x is None:
        return False
    weights = np.maximum(result.x, 0.0)
    return bool(weights @ level + np.maximum(weights @ slope, 0.0).sum() < 0)


@dataclass(frozen=True, kw_only=True)
class IPFirst(LinkOptions, Solver):
    """The cheapest selection by the integer program; then jammers, beam and powers as in ASC, from several starts."""

    name = "ipfirst"

    def _solve(self, run: SolverRun) -> None:
        instance = run.instance
        choice = cheapest_agents(instance)
        if choice.selection is None:
            raise Infeasible(choice.message)
        selection, links = choice.selection, Links(run, self)
        links.alternate(links.start(selection))
        hopeless = uplink_hopeless(instance, selection)
        if self.jamming and not hopeless:
            for start in self._jammed_starts(links, selection):
                links.alternate(start)
        polish(run)
        if run.outcome is not None and not run.outcome.feasible:
            why = "proved: they cannot all send in secret" if hopeless else "no proof"
            run.message = f"the cheapest agents cannot be served in secret and in time ({why})"

    def _jammed_starts(self, links: Links, selection: np.ndarray) -> list[Decision]:
        """Return the best starts among several patterns of jammers."""
        instance = links.run.instance
        patterns = [np.where(selection, 0.0, jammer_w) for jammer_w in jammer_patterns(instance)]
        for margin in MARGINS:
            patterns += protecting_jammers(instance, selection, margin, JAMMER_FACTORS)
        starts = sorted((links.jammed(selection, jammer_w) for jammer_w in patterns), key=links.rank)
        able = [start for start in starts if np.isfinite(evaluate(instance, start).latency_s)]
        return (able or starts)[: self.jammer_starts]
