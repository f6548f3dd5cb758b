r"""Agents that can send in secret together: a mixed-integer program without big M and without powers.

At powers p of everybody, let T = Σ_m g_m p_m + σ² be what the base station hears in total, T_e = Σ_m |h_m,e|² p_m + σ²
what eavesdropper e does, and θ_e = T_e / T. In c_n^ul > 0, that is

    g_n / (T − g_n p_n) > |h_n,e|² / (T_e − |h_n,e|² p_n)   for every e,

the own power cancels: it is the linear test g_n T_e > |h_n,e|² T (:mod:`solvers.certificate.linear_test`). So with the
ratios r_ne = |h_n,e|² / g_n

    agent n can send in secret  ⇔  r_ne < θ_e for every e,      θ = Σ_m z_m r_m + z_0 (1, …, 1),

where z_m = g_m p_m / T and z_0 = σ² / T are the shares of what the base station hears: z ≥ 0, Σ z = 1. Whatever
the powers are, θ lies in the convex hull of the agents' ratio vectors and of (1, …, 1), the noise. A selection that
sends in secret therefore has

    r_ne α_n ≤ θ_e   for all n, e,

which is linear in (α, z), and, as θ ≥ 0, holds for every unselected agent. Selected agents do not help each other:
with the share ζ = Σ_n α_n z_n of the selected and θ' the mixture of all others alone,

    max_n α_n r_ne < θ_e ≤ (1 − ζ) θ'_e + ζ max_n α_n r_ne   gives   max_n α_n r_ne < θ'_e,

so that θ' does for all of them what θ does, and z_n ≤ 1 − α_n may be asked for. Left out are p ≤ p_max and the
strictness, and that colluding eavesdroppers share what they hear, where each one alone hears less: the program is a
relaxation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from secagent_env import Instance
from solvers.certificate.integer_program import (
    TOLERANCE,
    CheapestSelection,
    SecrecyRows,
    TimeFloors,
    integer_program,
    selection_of,
    usable_agents,
    why_infeasible,
)


def cheapest_secret_selection(
    instance: Instance,
    cost: np.ndarray,
    eligible: np.ndarray,
    cuts: Sequence[np.ndarray] = (),
    seconds: float = 2.0,
) -> CheapestSelection:
    """Return a lower bound on the cost of all selections that can send in secret together, and a selection.

    The integer program of :func:`solvers.certificate.selection.cheapest_selection` with the rows of
    :class:`SecrecyRows`.

    **Why the bound holds.** A feasible decision gives α and, by its powers, z and θ that meet every row. The rows
    have coefficients of at most 1, none is dropped where it helps, and what HiGHS tolerates (1e-6 of a row) relaxes
    the program further. Within ``seconds`` HiGHS proves its own dual bound, at the optimum or not; a selection that is
    cheaper than it by less than the tolerance of the objective (1e-6 in units of a 10⁻⁴th of an agent) may have been
    missed, and that much is taken off.

    The costs (N,), J, are not negative; agents of infinite cost are not used. ``eligible``, (N,) bool, may be selected,
    the agents of none of the ``cuts``, (N,) bool each, all together. The selection is None where HiGHS found none in
    the time that it had.
    """
    scenario = instance.scenario
    floors = TimeFloors.of(instance)
    eligible = eligible & usable_agents(instance, cost, floors)
    if message := why_infeasible(instance, eligible):
        return CheapestSelection(math.inf, None, message)
    agents = np.flatnonzero(eligible)
    program = integer_program(
        cost,
        instance.accuracy - scenario.min_accuracy + TOLERANCE,
        scenario.required_agents,
        agents,
        floors,
        scenario.latency_limit_s * (1 + TOLERANCE),
        secrecy=SecrecyRows.of(instance, agents),
        cuts=cuts,
        seconds=seconds,
    )
    if program is None:
        message = (
            f"latency_s: no {scenario.required_agents} agents that are fast and accurate enough can all send in secret "
            "at once, whoever jams and at whatever powers"
        )
        return CheapestSelection(math.inf, None, message)
    members, bound = program
    if members is None:
        return CheapestSelection(bound, None)
    selection = selection_of(members, scenario.num_agents)
    return CheapestSelection(min(bound, float(cost[selection].sum())), selection)
