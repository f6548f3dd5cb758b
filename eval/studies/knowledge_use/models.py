"""``secagent reproduce genainet-graph-models``: questions of two facts, and a graph that a language model reads.

The names of the made-up network are one word, or two that others share: the rules tear the latter apart. The table is
that of ``secagent study knowledge-use``, with one more way of searching.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from eval.experiments.groups import model_of_groups
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, percent
from eval.stats.statistics import share
from eval.studies.knowledge_use.cells import FUNCTION
from eval.studies.knowledge_use.study import NAMES, markdown, summary
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from solvers.llm import ChatOptions

PART = "two-facts"
COUNTS = ("passages", "named", "names", "listed", "made_up", "unread")


@dataclass(frozen=True)
class ModelGraph(Experiment):
    """Two-fact questions with a graph that a language model reads.

    Raises
    ------
    ValueError
        If a number is out of range, or an option of the model is bad.
    """

    name: ClassVar[str] = "genainet-graph-models"
    unit: ClassVar[str] = "networks"
    usual_instances: ClassVar[int] = 1

    model: Mapping[str, Any] = field(default_factory=dict)
    worlds: int = usual_instances
    questions: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        number_of("networks", self.worlds)
        ChatOptions(**self.model).check_chat_options()

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that the options of `secagent reproduce` describe: a network for each instance.

        Raises ValueError if not exactly one model is named.
        """
        return cls(model_of_groups(args.groups, cls.name), args.instances, seed=args.seed)

    def cells(self) -> list[Cell]:
        """Return a cell for each network and kind of names."""
        options = {"questions": self.questions, "model": dict(self.model)}
        return [
            Cell(
                f"{FUNCTION}:extracted_facts",
                self.name,
                scheme,
                seed=seed,
                options={**options, "joined": joined},
                paid=bool(self.model),
            )
            for joined, scheme in NAMES.items()
            for seed in range(self.seed, self.seed + self.worlds)
        ]

    def report(self, compute: Compute) -> Report:
        """Return the tables, and what of the passages the model lists."""
        found = compute(self.cells()).to_dict("records")
        rows = summary(PART, found)
        told = [_told(scheme, [row for row in found if row["scheme"] == scheme]) for scheme in NAMES.values()]
        head = "## Two facts, and a graph that a model reads"
        return Report("\n".join([head, "", markdown(PART, rows), *told, ""]), rows)


def _told(scheme: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a line on what the model lists of the passages of some networks."""
    once = {row["seed"]: row for row in rows}.values()
    sums = {name: int(sum(row[name] for row in once)) for name in COUNTS}
    found, true = (percent(share(sums["named"], sums[of])) if sums[of] else NONE for of in ("names", "listed"))
    return (
        f"- {scheme}: {rows[0]['model']} read {sums['passages'] - sums['unread']} of {sums['passages']} passages, and "
        f"lists {found} of the names of their facts; {true} of what it lists are such names. Not in "
        f"their passages, and dropped: {sums['made_up']} more."
    )
