"""The first paper's Figs 4 and 5 and Tables II to IV: solves in one sweep, and exhibits made of them.

A cell is a scheme on an instance of a scenario, whichever exhibits show it: the typical case, which is in all of them,
is solved once. Instance i is drawn as `secagent compare` draws it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from eval.compare.comparison import Comparison, mark_stand_in, parse_solvers
from eval.compare.lineup import default_agents, make
from eval.compare.rows import frame_of
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.secure.cells import FUNCTION as WRITTEN_FUNCTION
from eval.experiments.secure.picture import save_exhibit, save_profiles
from eval.experiments.secure.printed import AS_WRITTEN, EXHIBITS, TRANSMISSION, TYPICAL, Exhibit
from eval.experiments.secure.results import CERTIFIED, PLUS, reproduced
from eval.experiments.secure.tables import figures, learners, markdown
from eval.learners.trained import trained_rows
from eval.sweep.cells import Cell
from eval.sweep.grid import Grid
from secagent_env import Scenario, __version__
from secagent_env.support.errors import unknown_name

SOLVE = "solve"
"""The experiment in all cells, since solves belong to no single exhibit."""
SELECTING = ("exact", "asc-plus", "asc", "law", "ga", "randas")
"""Schemes that differ in the agents that compute: with them the trained agents are compared."""
Frames = Mapping[tuple[str, str], Any]
"""Rows (pandas DataFrames) by setting and label of the scheme."""


@dataclass(frozen=True)
class EnergyTables(Experiment):
    """Some of the exhibits, or ``"all"``: how much energy the schemes need.

    Parameters
    ----------
    agents
        Names of trained agents, and paths of policies and of finished trainings, with options or without as in
        :func:`eval.compare.comparison.parse_solvers`. Trainings of one learner make one row.
    law
        Options of LAW, such as ``'model="…", base_url="…"'``; without a model rules stand in for it.

    Raises
    ------
    ValueError
        If an exhibit, an agent or an option is unknown, a number out of range, or an agent does not take a scenario.
    OSError, ImportError
        If a policy cannot be read, or an extra is missing.
    """

    name: ClassVar[str] = "reproduce"
    with_failures: ClassVar[bool] = True

    experiments: tuple[str, ...] = ("all",)
    instances: int = 100
    seed: int = 0
    agents: tuple[str, ...] = field(default_factory=default_agents)
    law: str = ""

    def __post_init__(self) -> None:
        for _ in (self.trained, self._comparisons):  # they raise for wrong arguments
            pass

    @functools.cached_property
    def exhibits(self) -> tuple[Exhibit, ...]:
        """The exhibits, in the paper's order."""
        for name in self.experiments:
            if name not in EXHIBITS and name != "all":
                raise unknown_name("experiment", name, ["all", *EXHIBITS])
        if not self.experiments:
            raise ValueError(f"name an experiment: all, {', '.join(EXHIBITS)}")
        shown = EXHIBITS if "all" in self.experiments else self.experiments
        return tuple(exhibit for name, exhibit in EXHIBITS.items() if name in shown)

    @functools.cached_property
    def trained(self) -> dict[str, list[str]]:
        """The trained agents: the labels of their cells by their names in tables."""
        return trained_rows(self._agents)

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """Names in tables of the schemes that have another one there."""
        return {"law": make("law", **self._law[1]).name, "fixedtp": "fixedtp (our reading)"}

    def schemes(self, exhibit: Exhibit) -> list[str]:
        """Return the schemes of an exhibit in the order of its tables: proved, beyond the paper's, these, trained."""
        written = [AS_WRITTEN] if exhibit.metric == TRANSMISSION else []
        return [CERTIFIED, PLUS, *exhibit.schemes, *written, *self.trained]

    def cells(self) -> Grid:
        """Return all solves, instance by instance."""
        grids = [comparison.cells(SOLVE) for comparison in self._comparisons.values()]
        prototypes = [cell for grid in grids for cell in grid.prototypes]
        exhibits = [exhibit for exhibit in self.exhibits if exhibit.metric == TRANSMISSION]
        transmitting = {setting_of(scenario): scenario for e in exhibits for scenario in e.scenarios.values()}
        for scenario in transmitting.values():
            options = {"scenario": scenario.to_dict()}
            prototypes.append(Cell(WRITTEN_FUNCTION, SOLVE, AS_WRITTEN, None, self.seed, options=options))
        return Grid(prototypes, self.instances)

    def report(self, compute: Compute) -> Report:
        """Return the sections of all exhibits, the rows of all solves, and files for each exhibit."""
        cells = self.cells()
        frame = frame_of(compute(cells))
        frame.insert(0, "setting", [setting_of(Scenario(**cell.options["scenario"])) for cell in cells])
        frames = {key: own.reset_index(drop=True) for key, own in frame.groupby(["setting", "solver"], sort=False)}
        names = ", ".join(exhibit.name for exhibit in self.exhibits)
        about = f"{names}: {self.instances} instances of each setting, seed {self.seed}; secagent {__version__}"
        sections, parts = [f"{about}\n"], {}
        for exhibit in self.exhibits:
            rows = {
                value: {name: self._rows(setting_of(scenario), name, frames) for name in self.schemes(exhibit)}
                for value, scenario in exhibit.scenarios.items()
            }
            results = reproduced(exhibit, rows, self.labels)
            sections.append(markdown(results))
            draw = functools.partial(save_exhibit, results)
            parts[exhibit.name] = Report(f"{sections[0]}\n{sections[-1]}", figures(results), draw)
        if gaps := self.gaps(frames):
            sections.append(learners(gaps))
            parts["profiles"] = Report(draw=functools.partial(save_profiles, gaps))
        return Report("\n".join(sections), files={"rows.csv": frame.to_csv(index=False)}, parts=parts)

    def gaps(self, frames: Frames) -> dict[str, np.ndarray]:
        """Return gaps to the certified bound in the typical case, (seeds, instances), of all schemes that select.

        NaN where infeasible; empty if there is no trained agent.
        """
        gaps = {}
        for name in (*SELECTING, *self.trained) if self.trained else ():
            if rows := self._rows(setting_of(TYPICAL), name, frames):
                gaps[self.labels.get(name, name)] = np.stack([own["gap"].where(own["feasible"]) for own in rows])
        return gaps

    def _rows(self, setting: str, scheme: str, frames: Frames) -> list[Any]:
        """Return the rows of a scheme: a DataFrame per training, one for a scheme that is not trained."""
        labels = [self._law[0]] if scheme == "law" else self.trained.get(scheme, [scheme])
        return [frames[setting, label] for label in labels if (setting, label) in frames]

    @functools.cached_property
    def _agents(self) -> dict[str, dict[str, Any]]:
        return parse_solvers(self.agents)

    @functools.cached_property
    def _law(self) -> tuple[str, dict[str, Any]]:
        """The label of LAW's cells, and its options."""
        [(label, options)] = parse_solvers([f"law({self.law})"]).items()
        return mark_stand_in(label, make("law", **options)), options

    @functools.cached_property
    def _comparisons(self) -> dict[str, Comparison]:
        """By setting, the comparison of all schemes that solve it in any exhibit."""
        lineups: dict[str, tuple[Scenario, dict[str, Mapping[str, Any]]]] = {}
        for exhibit in self.exhibits:
            for scenario in exhibit.scenarios.values():
                lineup = lineups.setdefault(setting_of(scenario), (scenario, {}))[1]
                for scheme in (CERTIFIED, PLUS, *exhibit.schemes):
                    label, options = self._law if scheme == "law" else (scheme, {})
                    lineup[label] = options
        return {
            setting: Comparison(scenario, {**lineup, **self._agents}, self.instances, self.seed)
            for setting, (scenario, lineup) in lineups.items()
        }


def setting_of(scenario: Scenario) -> str:
    """Return a scenario's fields that are not those of the typical case, as text; the same for equal ones."""
    typical = TYPICAL.to_dict()
    changed = {name: value for name, value in scenario.to_dict().items() if value != typical[name]}
    return ", ".join(f"{name} = {value}" for name, value in changed.items()) or "typical"
