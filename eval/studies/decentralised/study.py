"""``secagent study decentralised``: the price of deciding by what an agent sees itself.

One network for all agents is trained with PPO and a central critic, with the base station's beam computed or learnt
beside it. Against it stand rules by which agents bid, the same policy with random bids in the place of its own, and
a policy that sees the whole network, trained alike. It prints the table of ``docs/multi-agent.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import training
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.scenarios import named_scenario
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import over_seeds
from eval.stats.statistics import CONFIDENCE, spread
from eval.studies.decentralised.cells import FUNCTION
from eval.studies.transfer import learning
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.multiagent.strategies import STRATEGIES
from secagent_env.support.checks import integer
from training.learn.learner import module_of

ALIKE = {"num_envs": 1024, "segment_steps": 20_480, "batch_size": 512, "n_epochs": 4}
LEARNT: dict[str, dict[str, Any]] = {
    "learnt, computed beam": {"policy": "local", "action_format": "bids", **ALIKE},
    "learnt, learnt beam": {"policy": "local", "action_format": "guided", **ALIKE},
    "one who sees all": {"policy": "equivariant", "action_format": "guided", **ALIKE},
}
"""Hyperparameters of the trainings, by what the table calls them; they differ in who sees what alone."""
RANDOM_BIDS = ("learnt, computed beam", "learnt, learnt beam")
"""Those of which random bids take the place."""


@dataclass(frozen=True)
class Decentralised(Experiment):
    """Agents that decide by themselves, beside rules, random bids and a policy that sees all.

    Raises
    ------
    ValueError
        If there is no such preset, or a number is out of range.
    """

    name: ClassVar[str] = "decentralised"

    presets: Sequence[str] = option(("small", "paper"), "or TOML files (default: %(default)s)", "NAME", nargs="+")
    seeds: Sequence[int] = option((0, 1, 2), "of the trainings (default: %(default)s)", "SEED", nargs="+")
    steps: int | None = option(None, "of a training (default: as in the YAML file)", "K")
    instances: int = option(500, "test networks of each preset (default: %(default)s)", "K")
    runs: Path = option(Path("results/decentralised/runs"), "folder of the trainings (default: %(default)s)", "DIR")

    def __post_init__(self) -> None:
        number_of("instances", self.instances, most=MOST_AT_ONCE)
        if self.steps is not None:
            integer("steps", self.steps, 1)
        for name in self.presets:
            named_scenario(name)

    def cells(self) -> list[Cell]:
        """Return the cells known before any policy is trained: the trainings, and the rules."""
        return [*self._trainings(), *self._rules()]

    def report(self, compute: Compute) -> Report:
        """Return the table, and its rows."""
        trainings = list(self._trainings())
        minutes = [row["cpu_seconds"] / 60 for row in compute(trainings).to_dict("records")]
        spent = {str(cell.options["run"]): value for cell, value in zip(trainings, minutes, strict=True)}
        judged = [*self._judged(trainings), *self._rules()]
        found: dict[tuple[str, str], list[tuple[np.ndarray, float]]] = {}
        for cell, row in zip(judged, compute(judged).to_dict("records"), strict=True):
            gap = np.array(json.loads(row["gap"]), float)
            time = np.nan if cell.options.get("random_bids", True) else spent[str(cell.options["run"])]
            found.setdefault((str(cell.options["preset"]), cell.scheme), []).append((gap, time))
        rows = [
            _figures(preset, scheme, found[preset, scheme])
            for preset in self._names
            for scheme in dict.fromkeys(scheme for _, scheme in found)
        ]
        return Report(markdown(rows), [_plain(row) for row in rows])

    @property
    def _names(self) -> dict[str, str]:
        """What the table calls each preset or file, and what it was named."""
        return {Path(name).name.removesuffix(".toml"): name for name in self.presets}

    def _trainings(self) -> Iterator[Cell]:
        for preset, name in self._names.items():
            for number, (scheme, hyperparameters) in enumerate(LEARNT.items()):
                for seed in self.seeds:
                    options = {
                        "algo": "ppo",
                        "scenarios": [named_scenario(name).to_dict()],
                        "preset": preset,
                        "steps": self.steps,
                        "hyperparameters": hyperparameters,
                        "run": str(self.runs / f"{preset}-{number}-{seed}"),
                    }
                    modules = (module_of("ppo"),)
                    yield Cell(
                        learning.FUNCTION, self.name, scheme, None, seed, options=options, modules=modules, lasting=True
                    )

    def _judged(self, trainings: Sequence[Cell]) -> Iterator[Cell]:
        """Yield the cells that judge the policies, and random bids in their place."""
        for one in trainings:
            run = str(one.options["run"])
            kinds = {False: one.scheme} | ({True: f"{one.scheme}, random bids"} if one.scheme in RANDOM_BIDS else {})
            for random, scheme in kinds.items():
                more = {"run": run, "digest": training.load_agent(run).digest, "random_bids": random}
                yield self._cell("policy", scheme, str(one.options["preset"]), one.seed, more)

    def _rules(self) -> Iterator[Cell]:
        for preset in self._names:
            for name in STRATEGIES:
                yield self._cell("strategy", name, preset, 0, {"strategy": name})

    def _cell(self, function: str, scheme: str, preset: str, seed: int, more: Mapping[str, Any]) -> Cell:
        scenario = named_scenario(self._names[preset])
        options = {"scenario": scenario.to_dict(), "instances": self.instances, "preset": preset, **more}
        return Cell(f"{FUNCTION}:{function}", self.name, scheme, scenario.num_agents, seed, options=options)


def _figures(preset: str, scheme: str, found: Sequence[tuple[np.ndarray, float]]) -> dict[str, Any]:
    gaps = np.stack([gap for gap, _ in found])
    feasible = np.isfinite(gaps)
    return {
        "preset": preset,
        "who decides": scheme,
        "trainings": len(found),
        "networks": gaps.shape[1],
        "feasible": over_seeds(feasible),
        "gap": over_seeds(gaps),
        "cpu_minutes": float(np.mean([time for _, time in found])),
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures as a row of the CSV file."""
    plain = {name: row[name] for name in ("preset", "who decides", "trainings", "networks", "cpu_minutes")}
    return plain | spread("feasible", row["feasible"]) | spread("gap", row["gap"])


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the figures, in Markdown."""
    lines = [
        [
            row["preset"],
            row["who decides"],
            percent(row["feasible"]),
            percent(row["gap"]),
            NONE if np.isnan(row["cpu_minutes"]) else f"{row['cpu_minutes']:.1f}",
        ]
        for row in rows
    ]
    networks = ", ".join({f"{row['networks']} of {row['preset']}": None for row in rows})
    note = (
        f"Test networks, without those proved infeasible: {networks}; no repair. Energies over the certified bound are "
        f"those of feasible decisions. Interquartile means over the trainings of means over the networks, with "
        f"{CONFIDENCE:.0%} bootstrap intervals over both."
    )
    return f"{tabulated(lines, ['networks', 'who decides', 'feasible', 'over the bound', 'CPU min'])}\n\n{note}\n"
