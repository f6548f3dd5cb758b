"""The experiments of the paper in a results folder, as `secagent reproduce` writes them: figures and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.experiments.secure.experiment import SOLVE
from eval.experiments.secure.printed import EXHIBITS, Exhibit
from eval.report.data.provenance import Provenance, provenance
from eval.report.data.received import MAX_TEXT_BYTES, Received
from secagent_env.support.extras import require
from secagent_env.support.reading import short

COLUMNS = (
    "scheme",
    "printed_j",
    "mean_j",
    "mean_j_low",
    "mean_j_high",
    "draws",
    "feasible",
    "attempts",
    "saving",
    "saving_low",
    "saving_high",
    "saving_printed",
)
"""Columns of the CSV files that the report shows, besides the column of the quantity that varies."""


@dataclass(frozen=True)
class ExperimentFigures:
    """An experiment, its figures (a pandas DataFrame) and the command's verdict on its agreement, in Markdown."""

    experiment: Exhibit
    figures: Any
    agreement: str


@dataclass(frozen=True)
class Reproduction:
    """The experiments in a folder, in the paper's order, with a line about the run and, if any, the cells' origin."""

    folder: Path
    shown: tuple[ExperimentFigures, ...]
    description: str
    versions: Provenance | None


def read_reproduction(received: Received, folder: Path, cells: Any) -> Reproduction | None:
    """Return the experiments in a folder, whose ``cells`` are an Arrow table; None if there are none."""
    shown = tuple(figures for e in EXHIBITS.values() if (figures := _read(received, folder, e)) is not None)
    if not shown:
        return None
    cells = cells.to_pandas()
    cells = cells[cells["experiment"] == SOLVE] if len(cells) else cells
    lines = _text(received, folder / f"{shown[0].experiment.name}.md").splitlines()
    return Reproduction(folder, shown, lines[0] if lines else "", provenance(cells) if len(cells) else None)


def _read(received: Received, folder: Path, experiment: Exhibit) -> ExperimentFigures | None:
    """Return the figures of an experiment; None if there are none, or they are left out."""
    pandas = require("pandas", extra="eval")
    path = folder / f"{experiment.name}.csv"
    try:
        figures = received.table(path)
        if figures is None:
            return None
        numbers = [name for name in (experiment.varies, *COLUMNS[1:]) if name in figures]
        figures[numbers] = figures[numbers].apply(pandas.to_numeric)
        figures["scheme"] = figures["scheme"].astype(str) if "scheme" in figures else ""
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        received.leave_out(f"{path} is broken: {short(error)}")
        return None
    missing = [name for name in (experiment.varies, *COLUMNS) if name not in figures]
    if missing:
        received.leave_out(
            f"{path} is of another version of secagent (it has no column {missing[0]}); "
            f"write it anew with: secagent reproduce {experiment.name} --out {folder}"
        )
        return None
    text = _text(received, folder / f"{experiment.name}.md")
    at = text.find("\n**")  # below the tables, from the first bold word on, is how it agrees
    return ExperimentFigures(experiment, figures, text[at:].strip() if at >= 0 else "")


def _text(received: Received, path: Path) -> str:
    return (received.read(path, MAX_TEXT_BYTES) or b"").decode(errors="replace")
