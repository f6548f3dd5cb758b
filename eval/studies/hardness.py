"""What is hard about a preset: the best known decisions beside those of simpler schemes, and proofs of both.

``python -m eval.studies.hardness contested --instances 30`` prints the tables of ``docs/scenarios.md``.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import solvers
from eval.compare.solving import instance_at, solver_seed
from eval.stats.formatting import tabulated
from secagent_env import Instance, Scenario, evaluate
from secagent_env.model.presets import PRESETS
from secagent_env.support.extras import require
from solvers.asc.starts import sender_levels
from solvers.beam.beamforming import best_beam
from solvers.benchmarks.ipfirst import cheapest_agents, uplink_hopeless
from solvers.certificate.integer_program import TimeFloors
from solvers.certificate.linear_test import secret_senders

DEARER = 1.05
"""A scheme falls short where it ends infeasible, or at this many times the best known energy."""
BEAMS = 300
"""How many beams are worked out, at most, for selections without jammers."""


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


def measure(scenario: Scenario, instances: int, seed: int = 0, *, silent: bool = True) -> Iterator[dict[str, Any]]:
    """Yield a row per instance: the energies of the schemes (infinite where infeasible), shares and proofs."""
    schemes = {"asc": solvers.make("asc"), "ipfirst": solvers.make("ipfirst")}
    if silent:
        schemes["silent"] = solvers.make("asc", jamming=False)
    for i in range(instances):
        instance = instance_at(scenario, seed, i)
        found = {name: solver.solve(instance, solver_seed(seed, i)) for name, solver in schemes.items()}
        energy = {name: float(s.outcome.energy_j) if s.outcome.feasible else math.inf for name, s in found.items()}
        outcome, alone = found["asc"].outcome, cheapest_agents(instance)
        row: dict[str, Any] = {"gap": found["asc"].gap, "bound": found["asc"].lower_bound_j, "cheapest": alone.cost}
        if silent:
            row["silent bound"], least = silent_optimum(instance)
            energy["silent"] = min(energy["silent"], least)
        row["hopeless"] = alone.selection is None or bool(
            TimeFloors.of(instance).latency(alone.selection) > scenario.latency_limit_s * (1 + 1e-9)
            or uplink_hopeless(instance, alone.selection)
        )
        times = (outcome.downlink_time_s, outcome.inference_time_s, outcome.uplink_time_s)
        row["times"] = np.array(times, float) / scenario.latency_limit_s
        row["transmission"] = float(outcome.transmission_energy_j / outcome.energy_j) if outcome.feasible else math.nan
        row["jammers"] = int(np.sum(~found["asc"].decision.selection & (found["asc"].decision.power_w > 0)))
        row["seconds"] = {name: s.wall_time_s for name, s in found.items()}
        yield row | {"energy": energy, "best": min(energy.values())}


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Return the tables of the rows, in Markdown."""
    solved = [row for row in rows if math.isfinite(row["best"])]
    lines = []
    for name in rows[0]["energy"]:
        ratio = np.array([row["energy"][name] / row["best"] for row in solved])
        able = [row for row in solved if math.isfinite(row["energy"][name])]
        mean, best = (
            f"{np.mean(values):.4g} J" if able else "–"
            for values in ([row["energy"][name] for row in able], [row["best"] for row in able])
        )
        short = f"{np.mean(ratio >= DEARER):.0%}" if solved else "–"
        label = {"silent": "asc, jammers silent"}.get(name, name)
        seconds = f"{np.median([row['seconds'][name] for row in rows]):.2g} s"
        lines.append([label, f"{len(able)}/{len(rows)}", short, mean, best, seconds])
    headers = ["scheme", "feasible", "infeasible or ≥ 5 % dearer", "mean energy", "best known of these", "median time"]
    parts = [tabulated(lines, headers)]
    served = [row for row in rows if math.isfinite(row["energy"]["asc"])]
    notes = [f"Shares of the {len(solved)} of {len(rows)} instances for which a feasible decision is known."]
    if "silent bound" in rows[0]:
        never = sum(math.isinf(row["silent bound"]) for row in solved)
        dear = sum(row["silent bound"] >= DEARER * row["best"] for row in solved)
        notes.append(f"Without jammers: proved infeasible in {never}, proved infeasible or ≥ 5 % dearer in {dear}.")
    notes.append(f"Cheapest agents: proved infeasible in {sum(row['hopeless'] for row in solved)}.")
    if served:
        dearer = np.array([row["energy"]["asc"] / row["cheapest"] - 1 for row in served])
        gap, sent = (np.array([row[key] for row in served]) for key in ("gap", "transmission"))
        times = np.mean([row["times"] for row in served], axis=0)
        notes += [
            f"asc: gap to the bound {gap.mean():.1%} in the mean, {np.median(gap):.1%} in the median, "
            f"{gap.max():.1%} at worst; {dearer.mean():.1%} above the cheapest agents.",
            f"asc: transmission is {sent.mean():.2g} of the energy ({sent.min():.1g} to {sent.max():.2g}); "
            f"{np.mean([row['jammers'] for row in served]):.1f} jammers.",
            "asc: share of τ: downlink {:.0%}, computing {:.0%}, uplink {:.0%}.".format(*times),
        ]
    return "\n\n".join([*parts, "\n".join(notes)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables for a preset."""
    parser = argparse.ArgumentParser(prog="python -m eval.studies.hardness", description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=sorted(PRESETS))
    parser.add_argument("--instances", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    scenario = Scenario.preset(options.preset)
    # Where the beam can null every eavesdropper jammers are silent anyway.
    silent = scenario.num_antennas <= scenario.num_eavesdroppers
    rows = measure(scenario, options.instances, options.seed, silent=silent)
    print(report(list(require("tqdm", extra="eval").tqdm(rows, total=options.instances))))


if __name__ == "__main__":
    main()
