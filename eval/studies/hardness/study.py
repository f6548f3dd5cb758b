"""``secagent study hardness``: the best known decisions on a preset beside those of simpler schemes, with proofs.

It prints the tables of ``docs/scenarios.md``.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eval.compare.comparison import Comparison
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, tabulated
from eval.studies.hardness.cells import PROVE, SOLVE
from eval.sweep.cells import Cell
from eval.sweep.grid import Grid
from secagent_env import Scenario
from secagent_env.model.presets import PRESETS

DEARER = 1.05
"""A scheme falls short where it ends infeasible, or at this many times the best known energy."""
SILENT, PROOFS = "asc-plus(jamming=false)", "proofs"
LABELS = {SILENT: "asc-plus, jammers silent"}


@dataclass(frozen=True)
class Hardness(Experiment):
    """The hardness of a scenario, over so many networks from a seed."""

    name: ClassVar[str] = "hardness"

    scenario: Scenario = option(Scenario, "the preset", flag="preset", choices=sorted(PRESETS), read=Scenario.preset)
    instances: int = option(30, "networks (default: %(default)s)", "K")
    seed: int = option(0, "of the networks and the schemes (default: %(default)s)")

    def cells(self) -> Grid:
        """Return the cells, instance by instance: the schemes, then the proofs."""
        # Where the beam can null every eavesdropper jammers are silent anyway.
        silent = self.scenario.num_antennas <= self.scenario.num_eavesdroppers
        schemes: dict[str, dict[str, Any]] = {"asc-plus": {}, "ipfirst": {}}
        if silent:
            schemes[SILENT] = {"jamming": False}
        compared = Comparison(self.scenario, schemes, self.instances, self.seed).cells(self.name)
        proof = Cell(
            PROVE, self.name, PROOFS, None, self.seed, 0, {"scenario": self.scenario.to_dict(), "silent": silent}
        )
        schemes_solved = compared.map(lambda cell: dataclasses.replace(cell, function=SOLVE))
        return Grid([*schemes_solved.prototypes, proof], self.instances)

    def report(self, compute: Compute) -> Report:
        """Return the tables."""
        frame = compute(self.cells())
        return Report(tables(by_instance(frame)), frame)


def by_instance(frame: Any) -> list[dict[str, Any]]:
    """Return the figures of each instance: energies, the best one, times, more of asc-plus, and proofs."""
    instances = []
    for _, rows in frame.groupby("index"):
        schemes = {row["scheme"]: row for row in rows.to_dict("records")}
        proofs = schemes.pop(PROOFS)
        energy = {name: row["energy"] for name, row in schemes.items()}
        if SILENT in energy:
            energy[SILENT] = min(energy[SILENT], proofs["silent_energy"])
        asc = schemes["asc-plus"]
        instances.append(
            {
                **proofs,
                **{name: asc[name] for name in ("gap", "transmission", "jammers")},
                "times": json.loads(asc["times"]),
                "seconds": {name: row["seconds"] for name, row in schemes.items()},
                "energy": energy,
                "best": min(energy.values()),
            }
        )
    return instances


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """Return the tables of instances, in Markdown."""
    solved = [row for row in rows if math.isfinite(row["best"])]
    lines = []
    for name in rows[0]["energy"]:
        ratio = np.array([row["energy"][name] / row["best"] for row in solved])
        able = [row for row in solved if math.isfinite(row["energy"][name])]
        means = np.mean([(row["energy"][name], row["best"]) for row in able], axis=0) if able else ()
        mean, best = (f"{value:.4g} J" for value in means) if able else (NONE, NONE)
        short = f"{np.mean(ratio >= DEARER):.0%}" if solved else NONE
        seconds = f"{np.median([row['seconds'][name] for row in rows]):.2g} s"
        lines.append([LABELS.get(name, name), f"{len(able)}/{len(rows)}", short, mean, best, seconds])
    headers = ["scheme", "feasible", "infeasible or ≥ 5 % dearer", "mean energy", "best known of these", "median time"]
    served = [row for row in rows if math.isfinite(row["energy"]["asc-plus"])]
    notes = [f"Shares of the {len(solved)} of {len(rows)} instances for which a feasible decision is known."]
    if SILENT in rows[0]["energy"]:
        never = sum(math.isinf(row["silent_bound"]) for row in solved)
        dear = sum(row["silent_bound"] >= DEARER * row["best"] for row in solved)
        notes.append(f"Without jammers: proved infeasible in {never}, proved infeasible or ≥ 5 % dearer in {dear}.")
    notes.append(f"Cheapest agents: proved infeasible in {sum(row['hopeless'] for row in solved)}.")
    if served:
        dearer = np.array([row["energy"]["asc-plus"] / row["cheapest"] - 1 for row in served])
        gap, sent = (np.array([row[key] for row in served]) for key in ("gap", "transmission"))
        times = np.mean([row["times"] for row in served], axis=0)
        notes += [
            f"asc-plus: gap to the bound {gap.mean():.1%} in the mean, {np.median(gap):.1%} in the median, "
            f"{gap.max():.1%} at worst; {dearer.mean():.1%} above the cheapest agents.",
            f"asc-plus: transmission is {sent.mean():.2g} of the energy ({sent.min():.1g} to {sent.max():.2g}); "
            f"{np.mean([row['jammers'] for row in served]):.1f} jammers.",
            "asc-plus: share of τ: downlink {:.0%}, computing {:.0%}, uplink {:.0%}.".format(*times),
        ]
    return "\n\n".join([tabulated(lines, headers), "\n".join(notes)]) + "\n"
