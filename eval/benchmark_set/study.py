"""``secagent study benchmark-set``: solvers and agents decide the benchmark set; an entry of the leaderboard of each.

With ``--certificates`` it also proves: the highest bound that any of the solvers proved for a network, and that of the
set as it is, go into a new file of certificates, and the best of all decisions into an entry of its own.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eval.benchmark_set import frozen
from eval.benchmark_set.cells import AGENT_FUNCTION, FUNCTION
from eval.benchmark_set.entries import Decided, Entry
from eval.benchmark_set.leaderboard import Leaderboard
from eval.compare.comparison import mark_stand_in, name_in, parse_solvers
from eval.compare.decisions import decision_of
from eval.compare.lineup import default_solvers, make, module_of
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.learners.trained import training_of
from eval.sweep.cells import Cell, Row
from eval.sweep.grid import Chain, Grid
from secagent_env import Decision, Scenario, evaluate
from secagent_env.model.instance_files import stored_digest
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from training.play.agents import TrainedAgent

BEST = "best known"
"""The entry of the best decisions that are known."""


@dataclass(frozen=True)
class BenchmarkSet(Experiment):
    """Solvers and agents on the benchmark set.

    Raises
    ------
    ValueError
        If a name is unknown, or a number out of range.
    """

    name: ClassVar[str] = "benchmark-set"
    unit: ClassVar[str] = "decisions"
    with_failures: ClassVar[bool] = True

    solvers: Sequence[str] = option(
        default_solvers,
        "solvers and agents, with options in brackets, or folders of trainings (default: those of `compare`)",
        "NAME",
        nargs="+",
    )
    presets: Sequence[str] = option(frozen.presets, "(default: all of the set)", "NAME", nargs="+")
    max_seconds: float = option(10.0, "of a decision (default: %(default)s)", "S")
    seed: int = option(0, "of the solvers (default: %(default)s)")
    certificates: bool = option(False, "write certificates and the best decisions too")

    def __post_init__(self) -> None:
        for preset in self.presets:
            check_name("preset of the benchmark set", preset, frozen.presets())
        checks.number("max_seconds", self.max_seconds, above=0)
        checks.integer("seed", self.seed)
        for label, options in parse_solvers(self.solvers).items():
            make(name_in(label), **options)

    def cells(self) -> Chain:
        """Return the cells, preset by preset and network by network; an agent decides what it takes alone."""
        return Chain(Grid(self._solves(preset), len(frozen.frozen(preset).lower_bound_j)) for preset in self.presets)

    def _solves(self, preset: str) -> Iterator[Cell]:
        scenario = frozen.frozen(preset).instances.scenario
        for label, own in parse_solvers(self.solvers).items():
            solver = make(name_in(label), **own)
            options: dict[str, Any] = {
                "preset": preset,
                "networks": stored_digest(frozen.instances_path(preset)),
                "solver": name_in(label),
                "solver_options": own,
                "max_seconds": self.max_seconds,
            }
            if isinstance(solver, TrainedAgent):
                if not _takes(solver, scenario):
                    continue
                options["policy"] = solver.digest
            yield Cell(
                AGENT_FUNCTION if "policy" in options else FUNCTION,
                self.name,
                mark_stand_in(label, solver),
                preset,
                int(self.seed),
                options=options,
                modules=(module_of(name_in(label)),),
                paid=not getattr(solver, "in_process", True) and getattr(solver, "replay", None) is None,
            )

    def report(self, compute: Compute) -> Report:
        """Return the table, and a file for each entry."""
        rows = compute(self.cells()).to_dict("records")
        entries = [self._entry(label, rows) for label in dict.fromkeys(row["scheme"] for row in rows)]
        files: dict[str, str | bytes] = {}
        if self.certificates:
            bounds = {preset: self._bounds(preset, rows) for preset in self.presets}
            files[frozen.CERTIFICATES] = frozen.certificates_text(bounds)
            entries.append(self._best(entries))
        files |= {entry.file_name: entry.content() for entry in entries}
        board = Leaderboard(entries)
        return Report(board.markdown(), board.rows(), files=files)

    def _entry(self, label: str, rows: Sequence[Row]) -> Entry:
        """Return the entry of a solver or agent."""
        own_training = training_of(label)
        name, seed = (label, self.seed) if own_training is None else (own_training.learner, own_training.seed)
        about = {"max_seconds": self.max_seconds, "solver": label, "python": platform.python_version()}
        own = [row for row in rows if row["scheme"] == label]
        decided = {
            preset: _decided(preset, {row["index"]: row for row in own if row["value"] == preset})
            for preset in self.presets
            if any(row["value"] == preset for row in own)
        }
        return Entry(name, decided, seed, about)

    def _bounds(self, preset: str, rows: Sequence[Row]) -> np.ndarray:
        """Return the highest bounds known (K,), J: those of the set, and those proved here."""
        bound = frozen.frozen(preset).lower_bound_j.copy()
        for row in rows:
            if row["value"] == preset and row["error"] is None:
                proved = np.inf if row["impossible"] else row["lower_bound_j"]
                bound[row["index"]] = np.fmax(bound[row["index"]], np.nan if proved is None else proved)
        return bound

    def _best(self, entries: Sequence[Entry]) -> Entry:
        """Return the entry of the best decisions: of each network that of the least energy."""
        return Entry(BEST, {preset: _least(preset, entries) for preset in self.presets}, about={"of": "all entries"})


def _takes(agent: TrainedAgent, scenario: Scenario) -> bool:
    try:
        agent.check(scenario)
    except ValueError:
        return False
    return True


def _decided(preset: str, rows: Mapping[int, Row]) -> Decided:
    """Return the decisions of one solver from its rows by network; a cell that failed has none."""
    scenario, size = frozen.frozen(preset).instances.scenario, len(frozen.frozen(preset).lower_bound_j)
    there = [index in rows and rows[index]["error"] is None and bool(rows[index]["decided"]) for index in range(size)]
    return Decided(
        Decision.stack(
            [
                decision_of(json.loads(rows[i]["decision"])) if known else _nothing(scenario)
                for i, known in enumerate(there)
            ]
        ),
        np.array(there),
        np.array([rows[i]["seconds"] if known else 0.0 for i, known in enumerate(there)]),
    )


def _nothing(scenario: Scenario) -> Decision:
    agents = scenario.num_agents
    return Decision(
        selection=np.zeros(agents, bool), beamformer=np.zeros(scenario.num_antennas, complex), power_w=np.zeros(agents)
    )


def _least(preset: str, entries: Sequence[Entry]) -> Decided:
    """Return the decision of the least energy on each network, in no time: it was not decided by one solver."""
    instances = frozen.frozen(preset).instances
    own = [entry.decided[preset] for entry in entries if preset in entry.decided]
    outcomes = [evaluate(instances, one.decision) for one in own]
    energy = np.array(
        [
            np.where(np.asarray(outcome.feasible) & one.decided, outcome.energy_j, np.inf)
            for outcome, one in zip(outcomes, own, strict=True)
        ]
    )
    best, size = np.argmin(energy, axis=0), energy.shape[1]
    return Decided(
        Decision.stack([own[which].decision[i] for i, which in enumerate(best)]),
        np.isfinite(energy.min(axis=0)),
        np.zeros(size),
    )
