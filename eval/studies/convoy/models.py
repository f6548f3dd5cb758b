"""``secagent reproduce genainet-convoy-models``: a real language model's crossings, recorded for replay.

From the same starts cross the rules of intents, vehicles that tell each other nothing, the stand-in, and controls that
decide without reading: what a model's decisions are worth is what they are worth beside a coin's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from eval.experiments.groups import model_of_groups
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, fixed, tabulated
from eval.stats.statistics import CONFIDENCE, bootstrap_mean
from eval.studies.convoy.study import (
    CONTROLS,
    HEADERS,
    figures_of,
    language_cells,
    language_summary,
    organisations,
    summary,
    team_cell,
)
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.support.checks import integer
from solvers.convoy.language import CONTROLS as LANGUAGE_CONTROLS
from solvers.convoy.language import LanguageTeam

SILENT, RULES = "no communication", "intent, distributed, converged"
"""The teams of rules beside the language agents."""
DECIDERS: Mapping[str, Mapping[str, Any]] = {**{name: {"control": name} for name in LANGUAGE_CONTROLS}, "stand-in": {}}
"""What decides in the model's place."""


@dataclass(frozen=True)
class ModelConvoy(Experiment):
    """Crossings whose drivers ask a language model, beside those of rules, a stand-in and controls.

    Raises
    ------
    ValueError
        If there are fewer than two crossings, or an option of the model is bad.
    """

    name: ClassVar[str] = "genainet-convoy-models"
    unit: ClassVar[str] = "crossings"
    usual_instances: ClassVar[int] = 40

    model: Mapping[str, Any] = field(default_factory=dict)
    crossings: int = usual_instances
    seed: int = 1

    def __post_init__(self) -> None:
        integer("crossings", number_of("crossings", self.crossings), 2)
        LanguageTeam(**self.model)

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that the options of `secagent reproduce` describe.

        Raises ValueError if not exactly one model is named.
        """
        return cls(model_of_groups(args.groups, cls.name), args.instances, cls.seed + args.seed)

    def cells(self) -> list[Cell]:
        """Return a cell for each team of rules, and one for each crossing of language agents."""
        return [cell for cells in self._teams().values() for cell in cells]

    def _teams(self) -> dict[str, list[Cell]]:
        return {
            SILENT: [team_cell(self.name, SILENT, CONTROLS[SILENT], self.crossings, self.seed)],
            RULES: [team_cell(self.name, RULES, organisations()[RULES], self.crossings, self.seed)],
            **{
                name: language_cells(self.name, name, options, self.crossings, self.seed)
                for name, options in {**DECIDERS, "model": self.model}.items()
            },
        }

    def report(self, compute: Compute) -> Report:
        """Return the table of all teams, and the model beside each other team from the same starts."""
        rows, rewards = [], {}
        for name, cells in self._teams().items():
            found = compute(cells).to_dict("records")
            rules = name in (SILENT, RULES)
            rows.append(summary("rules", "rules", name, found[0]) if rules else language_summary(found))
            rewards[str(rows[-1]["scheme"])] = np.concatenate([json.loads(row["reward"]) for row in found])
        *others, model = rewards
        beside = [[model, other, fixed(bootstrap_mean(rewards[model] - rewards[other]), ".2f")] for other in others]
        note = (
            f"{self.crossings} crossings of each, of 4 vehicles, from the same starts, means with {CONFIDENCE:.0%} "
            "intervals. As the rule: decisions that are the stand-in's on the same prompt."
        )
        parts = [_table(rows), note, tabulated(beside, ["team", "beside", "reward, difference"])]
        return Report("## A crossing with a real model\n\n" + "\n\n".join(parts) + "\n", rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    headers = [*HEADERS, "go first, of 4", "as the rule", "unusable"]
    lines = []
    for row in rows:
        own = [f"{row['going']:.2f}", f"{row['agreeing']:.0%}", row["faults"]] if "going" in row else [NONE] * 3
        lines.append([*figures_of(row), *own])
    return tabulated(lines, headers)
