"""The protocol of every experiment and study: cells to compute, and a report made of their rows.

An experiment declares cells (:mod:`eval.sweep.cells`), which a sweep computes once and keeps, and turns their rows into
a :class:`Report`. Where cells depend on the results of others, the report asks for them in turn. :func:`run` writes
the text as ``NAME.md``, the numbers as ``NAME.csv`` and the picture as ``NAME.png`` and ``NAME.pdf``.
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Unpack

from eval.compare.comparison import sweep_of
from eval.experiments.options import add_options, options_of
from eval.sweep.cells import Cell
from eval.sweep.engine import How, completed, run_sweep
from eval.sweep.grid import Chain
from eval.sweep.plan import Plan, plan
from secagent_env.support.extras import require
from secagent_env.support.files import check_writable, write_bytes

Compute = Callable[[Sequence[Cell]], Any]
"""Computes the cells that a folder lacks, and returns the rows of all of them, a pandas DataFrame."""


@dataclass(frozen=True)
class Report:
    """The results of an experiment, to be written.

    Its ``text`` are tables and sentences, in Markdown, and its ``numbers`` the same as a list of dicts or a pandas
    DataFrame; neither is written where it is empty. ``draw`` writes a picture to the path that it is given, with the
    suffixes .png and .pdf. There may be further ``files``, text or bytes by name, and further reports, ``parts``, by
    the name of their files.
    """

    text: str = ""
    numbers: Any = ()
    draw: Callable[[Path], None] | None = None
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    parts: Mapping[str, Report] = field(default_factory=dict)

    def write(self, folder: Path, name: str) -> None:
        """Write the files of the report, called ``name``, into a folder; make the folder if need be."""
        pandas = require("pandas", extra="eval")
        contents: dict[str, str | bytes] = {f"{name}.md": self.text} if self.text else {}
        if len(self.numbers):
            contents[f"{name}.csv"] = pandas.DataFrame(self.numbers).to_csv(index=False)
        for file, content in {**contents, **self.files}.items():
            folder.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / file, content.encode() if isinstance(content, str) else content)
        if self.draw is not None:
            self.draw(folder / name)
        for part, report in self.parts.items():
            report.write(folder, part)


class Experiment(ABC):
    """An experiment, a dataclass of its options (:func:`eval.experiments.options.option`).

    Its files have its ``name``, and messages call its cells by ``unit``, such as ``games``. With ``with_failures`` its
    report takes the rows of failed cells too; else a failed cell is an error. An experiment ``grows`` where cells that
    depend on the results of others come on top of those that are known before. `secagent reproduce` takes
    ``usual_instances`` where it is given no number.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "cells"
    with_failures: ClassVar[bool] = False
    grows: ClassVar[bool] = False
    usual_instances: ClassVar[int] = 100

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options of this experiment to a parser: those that its fields declare."""
        add_options(cls, parser)

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Experiment:
        """Return the experiment that parsed options describe; where an option is None, the field's default stands.

        Raises
        ------
        ValueError, OSError, ImportError
            If an option is out of range, a file cannot be read, or an extra is missing.
        """
        return cls(**options_of(cls, args))

    def cells(self) -> Sequence[Cell]:
        """Return the cells that are known before any is computed; by default there are none."""
        return []

    def replayed(self, place: Path | None) -> Experiment | None:
        """Return the experiment with recorded answers that it reads itself, in ``place`` or those that are shipped.

        None: its cells take replies from a recording (:mod:`eval.experiments.recorded`).
        """
        return None

    @abstractmethod
    def report(self, compute: Compute) -> Report:
        """Return the results, from the rows that ``compute`` returns of the cells.

        Raises
        ------
        ValueError
            If cells failed.
        """


def run(
    experiment: Experiment,
    out: Path | str,
    through: Callable[[Compute], Compute] = lambda compute: compute,
    **how: Unpack[How],
) -> str:
    """Compute what is missing in the folder ``out``, write the experiment's files there, and return its text.

    ``through`` may put something between the experiment and what computes its cells. ``out``, ``how`` and the errors
    are those of :func:`eval.sweep.engine.run_sweep`.
    """
    for module in ("pandas", "pyarrow", "joblib", "matplotlib", "tabulate", "tqdm"):
        require(module, extra="eval")
    folder = Path(out)
    if folder.is_dir():
        check_writable(folder)

    between = through(lambda cells: run_sweep(sweep_of(cells), folder, **how))

    def compute(cells: Sequence[Cell]) -> Any:
        frame = between(cells)
        return frame if experiment.with_failures else completed(frame, experiment.unit)

    report = experiment.report(compute)
    report.write(folder, experiment.name)
    return report.text


def dry_run(experiments: Experiment | Sequence[Experiment], out: Path | str, **how: Any) -> Plan:
    """Return how many cells known beforehand a folder lacks, and about how long computing them takes."""
    several = [experiments] if isinstance(experiments, Experiment) else experiments
    return plan(sweep_of(Chain(experiment.cells() for experiment in several)), out, **how)
