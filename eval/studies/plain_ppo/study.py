"""``secagent study plain-ppo``: what Stable-Baselines3's PPO, with its own defaults, learns in some minutes.

The environments are the id that is made to be learnt from, and the flat one, without and with its shaping term. Beside
them stand the same policy untrained, random actions, and one fixed action. It prints the table of
``docs/libraries.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.scenarios import named_scenario
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import over_seeds
from eval.stats.statistics import CONFIDENCE, interval_in, spread
from eval.studies.plain_ppo.cells import FUNCTION
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.support import checks
from secagent_env.support.errors import check_name

KINDS: dict[str, dict[str, Any]] = {
    "guided": {"id": "secagent/AllocationGuided-v0", "arguments": {}, "observation": "ranked", "action": "ranked"},
    "flat": {"id": "secagent/Allocation-v0", "arguments": {}, "observation": "flat", "action": "flat"},
    "flat, shaped": {
        "id": "secagent/Allocation-v0",
        "arguments": {"shaping": "secrecy"},
        "observation": "flat",
        "action": "flat",
    },
}
"""Environments by what the table calls them."""
LEARNT, NORMALISED, UNTRAINED, RANDOM = "PPO", "PPO, VecNormalize", "untrained", "random actions"
FIXED = "one fixed action"


@dataclass(frozen=True)
class PlainPPO(Experiment):
    """PPO as a library has it, for some minutes of one core.

    Raises
    ------
    ValueError
        If there is no such preset or environment, or a number is out of range.
    """

    name: ClassVar[str] = "plain-ppo"

    presets: Sequence[str] = option(("small",), "or TOML files (default: %(default)s)", "NAME", nargs="+")
    kinds: Sequence[str] = option(
        ("guided",), f"environments: {', '.join(map(repr, KINDS))} (default: %(default)s)", "KIND", nargs="+"
    )
    minutes: float = option(2.0, "processor time of a training (default: %(default)s)", "M")
    steps: int | None = option(None, "of a training, at most: it is then the same again (default: no limit)", "K")
    seeds: Sequence[int] = option((0, 1, 2), "of the trainings (default: %(default)s)", "SEED", nargs="+")
    instances: int = option(300, "test networks of each preset (default: %(default)s)", "K")

    def __post_init__(self) -> None:
        number_of("instances", self.instances, most=MOST_AT_ONCE)
        checks.number("minutes", self.minutes, 0)
        if self.steps is not None:
            checks.integer("steps", self.steps, 1)
        for kind in self.kinds:
            check_name("environment", kind, KINDS)
        for name in self.presets:
            named_scenario(name)

    def cells(self) -> list[Cell]:
        """Return the cells: trainings, the same policies untrained, random actions, and one fixed action."""
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        budget = {"cpu_seconds": 60 * self.minutes, "steps": self.steps or 10**9}
        for preset in self.presets:
            for kind in self.kinds:
                scenario = named_scenario(preset)
                shared = {
                    **KINDS[kind],
                    "kind": kind,
                    "preset": preset,
                    "scenario": scenario.to_dict(),
                    "instances": self.instances,
                }
                agents = scenario.num_agents
                for seed in self.seeds:
                    for scheme in (LEARNT, NORMALISED):
                        own = {**shared, **budget, "normalise": scheme == NORMALISED}
                        yield Cell(f"{FUNCTION}:learnt", self.name, scheme, agents, seed, options=own)
                    nothing = {**shared, "cpu_seconds": 0, "steps": 0, "normalise": False}
                    yield Cell(f"{FUNCTION}:learnt", self.name, UNTRAINED, agents, seed, options=nothing)
                    yield Cell(f"{FUNCTION}:random", self.name, RANDOM, agents, seed, options=shared)
                if kind == "guided":
                    yield Cell(f"{FUNCTION}:fixed", self.name, FIXED, agents, self.seeds[0], options=shared)

    def report(self, compute: Compute) -> Report:
        """Return the table, and its rows."""
        cells = self.cells()
        found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
        for cell, row in zip(cells, compute(cells).to_dict("records"), strict=True):
            found.setdefault((cell.options["preset"], cell.options["kind"], cell.scheme), []).append(row)
        rows = [_figures(*names, own) for names, own in found.items()]
        return Report(markdown(rows), rows)


def _figures(preset: str, kind: str, scheme: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    gaps = np.array([json.loads(row["gap"]) for row in found], float)
    feasible = np.isfinite(gaps)
    return {
        "preset": preset,
        "environment": kind,
        "who": scheme,
        "trainings": len(found),
        "networks": gaps.shape[1],
        **spread("feasible", over_seeds(feasible)),
        **spread("gap", over_seeds(gaps)),
        **spread("of_bound", over_seeds(np.where(feasible, 1 / (1 + np.nan_to_num(gaps)), 0))),
        "steps": float(np.median([row["steps"] for row in found])),
        "cpu_minutes": float(np.median([row["cpu_seconds"] for row in found])) / 60,
    }


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the figures, in Markdown."""
    lines = [
        [
            row["preset"],
            row["environment"],
            row["who"],
            *(percent(interval_in(row, name)) for name in ("feasible", "gap", "of_bound")),
            f"{row['steps']:,.0f}" if row["steps"] else NONE,
            f"{row['cpu_minutes']:.1f}" if row["steps"] else NONE,
        ]
        for row in rows
    ]
    headers = ["networks", "environment", "who", "feasible", "over the bound", "of the bound", "steps", "CPU min"]
    sizes = {row["preset"]: f"{row['networks']:.0f} of {row['preset']}" for row in rows}
    note = (
        f"{rows[0]['trainings']} seeds; test networks without those proved infeasible, {', '.join(sizes.values())}; no "
        "repair. The fixed action: equal scores, senders at −30 dB and the filtered beam, whatever is observed. "
        "Energies over the certified bound are those of feasible decisions; of the bound: bound / energy, 0 where the "
        "decision is not feasible. Interquartile means over seeds of means over networks, with "
        f"{CONFIDENCE:.0%} bootstrap intervals over both. Steps and processor time: medians."
    )
    return f"{tabulated(lines, headers)}\n\n{note}\n"
