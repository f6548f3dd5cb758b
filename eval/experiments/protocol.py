"""What every experiment and study is: cells to compute, and a report made of their rows.

An experiment declares cells (:mod:`eval.sweep.cells`), which a sweep computes once and keeps, and turns their rows into
a :class:`Report`. Those whose later cells depend on the results of earlier ones ask for them in turn. :func:`run`
writes the tables as ``NAME.md``, the numbers as ``NAME.csv`` and the picture as ``NAME.png`` and ``NAME.pdf``.
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, Unpack

from eval.sweep.cells import Cell
from eval.sweep.engine import How, Plan, Sweep, completed, plan, run_sweep
from secagent_env.support.extras import require
from secagent_env.support.files import write_text

Compute = Callable[[Sequence[Cell]], Any]
"""Computes the cells that a folder lacks, and returns the rows of all of them, a pandas DataFrame."""


@dataclass(frozen=True)
class Report:
    """What an experiment found.

    Attributes
    ----------
    text
        Its tables and sentences, in Markdown.
    numbers
        The same as rows of numbers: a list of dicts, or a pandas DataFrame.
    draw
        Draws the picture, and writes it to the path that it is given with the suffixes .png and .pdf; None: no picture.
    """

    text: str
    numbers: Any = ()
    draw: Callable[[Path], None] | None = None


class Experiment(ABC):
    """An experiment with its options as attributes.

    Attributes
    ----------
    name
        By which it is run, and its files are called.
    title
        What it answers, in one sentence.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    @classmethod
    @abstractmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options that are its own to a parser."""

    @classmethod
    @abstractmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that parsed options describe.

        Raises
        ------
        ValueError, OSError, ImportError
            If an option is out of range, a file cannot be read, or an extra is missing.
        """

    @abstractmethod
    def cells(self) -> list[Cell]:
        """Return the cells that are known before any is computed."""

    @abstractmethod
    def report(self, compute: Compute) -> Report:
        """Return what the rows of its cells say.

        Raises
        ------
        ValueError
            If cells failed.
        """


def run(experiment: Experiment, out: Path | str, **how: Unpack[How]) -> str:
    """Compute what is missing in the folder ``out``, write the experiment's files there, and return its text.

    Parameters
    ----------
    experiment
        What to run.
    out, how
        See :func:`eval.sweep.engine.run_sweep`.

    Raises
    ------
    ValueError, OSError, ImportError, KeyboardInterrupt
        See :func:`eval.sweep.engine.run_sweep`.
    """
    pandas = require("pandas", extra="eval")
    folder = Path(out)

    def compute(cells: Sequence[Cell]) -> Any:
        return completed(run_sweep(Sweep(cells), folder, **how))

    report = experiment.report(compute)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{experiment.name}.md", report.text)
    if len(report.numbers):
        write_text(folder / f"{experiment.name}.csv", pandas.DataFrame(report.numbers).to_csv(index=False))
    if report.draw is not None:
        report.draw(folder / experiment.name)
    return report.text


def dry_run(experiment: Experiment, out: Path | str, **how: Any) -> Plan:
    """Return how much of the cells that are known beforehand is missing in a folder, and about how long they take."""
    return plan(Sweep(experiment.cells()), out, **how)
