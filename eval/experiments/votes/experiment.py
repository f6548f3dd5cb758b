"""Table V: selected agents answer the questions of public benchmarks, and the supervisor votes.

The agents are simulated: each is right as often as (14) says at the difficulty of the data set, and their errors are
correlated. Language models behind endpoints can answer too. The data sets are read from a folder; the packaged sample
stands for those that are missing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from eval.compare.lineup import module_of
from eval.experiments.groups import fields_of, read_groups
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.votes import cells, cells_endpoints, cells_selection
from eval.experiments.votes.picture import save_votes
from eval.experiments.votes.printed import TABLE_V
from eval.experiments.votes.results import FITTED, DataSet, VoteResults, fit, selected_accuracies
from eval.experiments.votes.tables import endpoint_table, figures, flat, markdown
from eval.sweep.cells import Cell
from eval.sweep.grid import Grid, number_of
from secagent_env import Scenario
from secagent_env.support.checks import number
from solvers.reasoning.endpoint import Group

PRESET = "qwen"
"""The preset of the networks."""


@dataclass(frozen=True)
class Votes(Experiment):
    """Table V: how often the votes of selected agents are right.

    Raises ValueError if a number is out of range.
    """

    name: ClassVar[str] = "table5"
    grows: ClassVar[bool] = True

    instances: int = option(100, "networks; default: %(default)s", "K")
    questions: int = option(100, "of each data set, in each network; default: %(default)s", "Q")
    seed: int = option(0, "default: %(default)s")
    correlation: float = option(0.5, "of the agents' errors; default: %(default)s", "RHO")
    data: Path | str | None = option(None, "of the data sets; default: SECAGENT_DATA", "FOLDER")
    groups: Sequence[Group] = option((), "agents behind endpoints, a TOML file, answer too", "FILE", read=read_groups)

    def __post_init__(self) -> None:
        number("correlation", self.correlation, 0, 1)
        number_of("the number of questions", self.questions)
        number_of("the number of networks", self.instances)

    def cells(self) -> Grid:
        """Return the cells in which every scheme selects agents in every network."""
        schemes = {
            name: ({"scenario": scenario_of(name).to_dict()}, (module_of(solver),))
            for name, (solver, _) in cells_selection.SCHEMES.items()
        }
        selections = (
            Cell(cells_selection.FUNCTION, self.name, scheme, None, self.seed, options=options, modules=modules)
            for scheme, (options, modules) in schemes.items()
        )
        return Grid(selections, self.instances)

    def results(self, compute: Compute) -> VoteResults:
        """Select agents, fit the difficulties, and let the agents answer.

        Raises ValueError if not one network was solved by all schemes.
        """
        data_sets = tuple(DataSet.of(name, self.data) for name in TABLE_V)
        selections = compute(self.cells())
        feasible = selections.pivot(index="index", columns="scheme", values="feasible").astype(bool).all(axis=1)
        networks = tuple(int(index) for index in feasible.index[feasible])
        if not networks:
            raise ValueError(
                f"in none of the {self.instances} networks did every scheme find a feasible decision; take more"
            )
        difficulty = fit(data_sets, selected_accuracies(selections, FITTED, networks), self.correlation)
        able = selections[selections["index"].isin(networks)]
        answers = compute(self.answer_cells(able, data_sets, difficulty))
        return VoteResults(selections, answers, data_sets, difficulty, self.correlation, networks, self.instances)

    def answer_cells(
        self, selections: Any, data_sets: Sequence[DataSet], difficulty: Mapping[str, float]
    ) -> list[Cell]:
        """Return the cells in which simulated agents answer that were selected: by the rows of :meth:`cells`."""
        answers = []
        for row in selections.itertuples():
            team = {"selected": json.loads(row.selected), "accuracy": json.loads(row.accuracy)}
            for each in data_sets:
                errors = {"difficulty": difficulty[each.name], "correlation": self.correlation}
                options = {**team, **self._questions_of(each), **errors}
                answers.append(Cell(cells.FUNCTION, self.name, row.scheme, each.name, row.seed, row.index, options))
        return answers

    def endpoint_cells(self, selections: Any, data_sets: Sequence[DataSet]) -> list[Cell]:
        """Return the cells in which the same agents are models behind endpoints."""
        paid = any(not group.in_process for group in self.groups)
        answers = []
        for row in selections.itertuples():
            team = {"selected": json.loads(row.selected), "num_agents": len(json.loads(row.accuracy))}
            for each in data_sets:
                options = {**team, **self._questions_of(each), "groups": fields_of(self.groups)}
                labels = (self.name, row.scheme, each.name, row.seed, row.index)
                answers.append(Cell(cells_endpoints.FUNCTION, *labels, options, paid=paid))
        return answers

    def _questions_of(self, data_set: DataSet) -> dict[str, Any]:
        """Return the options of a cell that say which questions it asks."""
        source = {"source": data_set.source, "path": data_set.path, "digest": data_set.digest}
        return {**source, "count": self.questions}

    def report(self, compute: Compute) -> Report:
        """Return Table V with its numbers and its picture, and the votes of the models behind endpoints."""
        results = self.results(compute)
        rows = figures(results)
        text = markdown(results, rows)
        if self.groups:
            able = results.selections[results.selections["index"].isin(results.networks)]
            answers = compute(self.endpoint_cells(able, results.data_sets))
            text += f"\n{endpoint_table(answers, results.data_sets, self.groups)}"
        return Report(text, [flat(row) for row in rows], functools.partial(save_votes, results, rows))


def scenario_of(scheme: str) -> Scenario:
    """Return the scenario in which a scheme selects."""
    return Scenario.preset(PRESET, **cells_selection.SCHEMES[scheme][1])
