"""The cells of ``secagent study hardness``: a scheme on a random instance, and proofs about the instance."""

from __future__ import annotations

import itertools
import math

import numpy as np

from eval.compare.solving import instance_of, solver_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, flag, number, numbers, optional, returns
from secagent_env import Instance, evaluate
from solvers.asc_plus.starts import sender_levels
from solvers.beam.beamforming import best_beam
from solvers.benchmarks.ipfirst import cheapest_agents, uplink_hopeless
from solvers.certificate.linear_test import secret_senders
from solvers.certificate.requirements import TimeFloors

SOLVE, PROVE = "eval.studies.hardness.cells:solve", "eval.studies.hardness.cells:prove"
BEAMS = 300
"""The most beams that are computed for selections without jammers."""


@returns(
    columns(**dict.fromkeys(("energy", "gap", "transmission"), number), times=numbers, jammers=count, seconds=count)
)
def solve(cell: Cell) -> Row:
    """Return the figures of a scheme's decision; its ``energy`` is infinite where it is infeasible."""
    instance = instance_of(cell)
    solution = solver_of(cell).solve(instance, solver_seed(cell.seed, cell.index))
    outcome, decision = solution.outcome, solution.decision
    times = (outcome.downlink_time_s, outcome.inference_time_s, outcome.uplink_time_s)
    return {
        "energy": float(outcome.energy_j) if outcome.feasible else math.inf,
        "gap": solution.gap,
        "times": np.array(times, float) / instance.scenario.latency_limit_s,
        "transmission": float(outcome.transmission_energy_j / outcome.energy_j) if outcome.feasible else math.nan,
        "jammers": int(np.sum(~decision.selection & (decision.power_w > 0))),
        "seconds": solution.wall_time_s,
    }


@returns(columns(cheapest=number, hopeless=flag, silent_bound=optional(number), silent_energy=optional(number)))
def prove(cell: Cell) -> Row:
    """Return the energy of the cheapest agents, whether they are proved infeasible, and :func:`silent_optimum`."""
    instance = instance_of(cell)
    alone = cheapest_agents(instance)
    row: Row = {
        "cheapest": alone.cost,
        "hopeless": alone.selection is None
        or bool(
            TimeFloors.of(instance).latency(alone.selection) > instance.scenario.latency_limit_s * (1 + 1e-9)
            or uplink_hopeless(instance, alone.selection)
        ),
    }
    if cell.options["silent"]:
        row["silent_bound"], row["silent_energy"] = silent_optimum(instance)
    return row


def silent_optimum(instance: Instance) -> tuple[float, float]:
    """Return a lower bound on the energy with all jammers silent, J, and the least energy found; infinite if none.

    Without jammers every selected agent must be heard better by the base station than by every eavesdropper, at any
    powers: among the selected, the one with the largest ratio |h_n,e|² / g_n gains nothing from the others. Few
    agents are left; their selections are tried, cheapest first, against a bound on the beam (the semidefinite
    program's), which rules out supersets as well.
    """
    scenario, silent = instance.scenario, np.zeros(instance.scenario.num_agents)
    able = np.flatnonzero(secret_senders(instance, silent))
    if len(able) > 14 or scenario.colluding:
        return 0.0, math.inf
    rng, slow, lower, beams = np.random.default_rng(0), list[frozenset[int]](), math.inf, 0
    energy, required = instance.execution_energy_j, scenario.required_agents
    sets = [s for k in range(required, len(able) + 1) for s in itertools.combinations(able, k)]
    sets = [s for s in sets if instance.accuracy[list(s)].mean() >= scenario.min_accuracy - 1e-9]
    pairs = itertools.combinations(able, 2) if required > 2 else ()
    for members in [*pairs, *sorted(sets, key=lambda s: energy[list(s)].sum())]:
        if any(some <= frozenset(members) for some in slow):
            continue
        beams += 1
        chosen = np.isin(np.arange(silent.size), members)
        if beams > BEAMS:
            return min(lower, float(energy[chosen].sum())), math.inf
        beam = best_beam(instance, chosen, silent, rng, starts=1, tolerance=1e-2)
        left = scenario.latency_limit_s * (1 + 1e-9) - instance.inference_time_s[chosen].max()
        if beam.bound * (1 + 1e-6) * scenario.bandwidth_hz * left < scenario.downlink_bits:
            slow.append(frozenset(members))
        elif len(members) >= required:
            lower = min(lower, float(energy[chosen].sum()))
            outcome = evaluate(instance, sender_levels(instance, chosen, beam.beamformer, silent))
            if outcome.feasible.any():
                return lower, float(outcome.energy_j[outcome.feasible].min())
    return lower, math.inf
