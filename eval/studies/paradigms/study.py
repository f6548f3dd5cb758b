"""``secagent study paradigms``: accuracy and bits of paradigms and levels of collaboration.

It prints the tables of ``docs/paradigms.md``: on TeleQnA where the folder of data sets has it (``--data``, or the
environment variable ``SECAGENT_DATA``), else on the sample of the package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.question_source import TELEQNA, Source
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, Interval, share
from eval.studies.paradigms.cells import FUNCTION, Line
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.questions import load

TITLES = {"levels": "Levels of collaboration", "feedback": "Feedback", "sharing": "Ways of sharing"}
"""Of the tables, by the scheme of the cells."""


@dataclass(frozen=True)
class Paradigms(Experiment):
    """Paradigms and levels of collaboration.

    Raises
    ------
    ValueError
        If no question is asked.
    FileNotFoundError
        If TeleQnA is not in a folder that is given.
    """

    name: ClassVar[str] = "paradigms"

    data: Path | None = option(None, "of the data sets (default: that of SECAGENT_DATA)", "FOLDER")
    questions: int = option(500, "how many are asked (default: %(default)s)", "K")
    own: bool = option(False, "knowledge holds the explanations of what is asked too")
    seed: int = option(0, "of the questions drawn (default: %(default)s)")

    def __post_init__(self) -> None:
        number_of("the number of questions", self.questions)
        if self.data is not None:
            load(TELEQNA, self.data)

    def cells(self) -> list[Cell]:
        """Return a cell for each table."""
        source = Source.of(data=self.data)
        options = {
            **{"source": source.name, "path": source.path, "digest": source.digest},
            **{"count": self.questions, "own": self.own},
        }
        return [Cell(FUNCTION, self.name, part, seed=self.seed, options=options) for part in TITLES]

    def report(self, compute: Compute) -> Report:
        """Return the tables."""
        frame = compute(self.cells())
        first = frame.iloc[0]
        note = (
            f"{first['world']}; {first['reader']}. "
            f"Accuracy with Wilson's {CONFIDENCE:.0%} interval, gains with bootstrap intervals over the same questions."
        )
        rows = frame.to_dict("records")
        parts = [
            f"### {title}\n\n{table([line_of(row) for row in rows if row['scheme'] == part])}"
            for part, title in TITLES.items()
        ]
        return Report("\n\n".join([note, *parts]) + "\n", frame)


def line_of(row: Mapping[str, Any]) -> Line:
    """Return the line in a row of :func:`eval.studies.paradigms.cells.lines`."""
    bits, correct = (np.array(json.loads(row[name])) for name in ("bits", "correct"))
    beside = np.array(json.loads(row["beside"])) if isinstance(row["beside"], str) else None
    return Line(row["paradigm"], row["way"], int(row["before_bits"]), bits, correct, beside)


def table(lines: Sequence[Line]) -> str:
    """Return lines as a table in Markdown."""
    rows = []
    for line in lines:
        gain = NONE if line.beside is None else _points(paired_difference(line.correct, line.beside))
        bits = f"{line.bits.mean():,.0f}" if line.bits.size else NONE
        accuracy = percent(share(int(line.correct.sum()), line.correct.size))
        rows.append([line.paradigm, line.way, accuracy, gain, bits, f"{line.before_bits:,}"])
    headers = ["who", "what is sent", "accuracy", "gain, points", "bit a question", "bit before"]
    return tabulated(rows, headers)


def _points(interval: Interval) -> str:
    mean, low, high = (f"{100 * value:+.1f}" for value in (interval.mean, interval.low, interval.high))
    return mean if np.isnan(interval.low) or low == high else f"{mean} [{low}, {high}]"
