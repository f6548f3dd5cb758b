"""Certificates: lower bounds on the energy that hold for every feasible decision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from secagent_env.model.physics import LN2
from solvers.certificate.linear_test import secret_at_best
from solvers.certificate.ordered import OrderedSelections
from solvers.certificate.requirements import TOO_SLOW, TimeFloors, usable_agents, why_infeasible
from solvers.certificate.screen import unservable_core

ROUNDING = 1e-12
"""Relative amount subtracted from a bound, so that rounding never lifts it above an achieved energy."""
UNSERVABLE = (
    "latency_s: no selection of enough agents that are fast and accurate enough can be served in secret and in time, "
    "whoever jams and at whatever powers"
)


@dataclass(frozen=True)
class LowerBound:
    """A lower bound on the whole objective (20).

    Attributes
    ----------
    energy_j
        The bound, J; infinite where no selection can be feasible.
    selection
        The selection that attains it in the relaxed problem, (N,) bool; None where there is none.
    message
        Why no decision is feasible, naming the constraint; empty where one may be.
    """

    energy_j: float
    selection: np.ndarray | None
    message: str = ""


def uplink_energy_floor(instance: Instance) -> np.ndarray:
    """Return for each agent the energy below which it cannot send its output, (N,), J.

    p t^ul ≥ o ln2 σ² / (B g_n): the rate (9) is at most g_n p / (σ² ln 2), with equality at low power and
    no interference (bits o).
    """
    scenario = instance.scenario
    floor = scenario.uplink_bits * LN2 * scenario.noise_power_w / scenario.bandwidth_hz
    with np.errstate(divide="ignore", over="ignore"):  # infinite for an agent that the base station does not hear
        return np.asarray(floor / instance.bs_gain)


def transmission_bound(instance: Instance, selection: np.ndarray) -> float:
    """Return a lower bound on the transmission energy of a selection, J."""
    return float(np.sum(uplink_energy_floor(instance), where=selection)) * (1 - ROUNDING)


def lower_bound(instance: Instance, screened: int = 300) -> LowerBound:
    """Return the bound: the cheapest selection, each agent at its execution and least uplink energy.

    Selections are taken in the order of that cost (:mod:`solvers.certificate.ordered`). Those that are proved to be
    unservable (:mod:`solvers.certificate.screen`) are left out, at most ``screened`` of them.
    """
    cost = instance.execution_energy_j + uplink_energy_floor(instance)
    eligible = secret_at_best(instance)
    if message := why_infeasible(instance, eligible & usable_agents(instance, cost, TimeFloors.of(instance))):
        return LowerBound(math.inf, None, message)
    ordered = OrderedSelections(instance, cost, eligible)
    unservable = TOO_SLOW
    while (found := ordered.next()) is not None:
        unservable = UNSERVABLE
        core = unservable_core(instance, found[1]) if screened > 0 else None
        if core is None:
            return LowerBound(found[0] * (1 - ROUNDING), found[1])
        ordered.forbid(core)
        screened -= 1
    return LowerBound(math.inf, None, unservable)
