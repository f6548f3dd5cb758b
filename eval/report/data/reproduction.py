"""The experiments of the paper in a results folder, as `secagent reproduce` writes them: figures and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.experiments.secure.experiment import SOLVE
from eval.experiments.secure.printed import EXHIBITS, Exhibit
from eval.report.data.provenance import Provenance, provenance
from eval.sweep.engine import CELLS, read_results
from secagent_env.support.extras import require

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


def read_reproduction(folder: Path) -> Reproduction | None:
    """Return the experiments in a folder, or None if there are none.

    Raises
    ------
    ValueError
        If a file is broken, or of another version.
    """
    shown = tuple(_read(folder, e) for e in EXHIBITS.values() if (folder / f"{e.name}.csv").is_file())
    if not shown:
        return None
    cells: Any = read_results(folder) if (folder / CELLS).is_dir() else []
    cells = cells[cells["experiment"] == SOLVE] if len(cells) else cells
    page = folder / f"{shown[0].experiment.name}.md"
    lines = page.read_text(encoding="utf-8").splitlines() if page.is_file() else []
    return Reproduction(folder, shown, lines[0] if lines else "", provenance(cells) if len(cells) else None)


def _read(folder: Path, experiment: Exhibit) -> ExperimentFigures:
    pandas = require("pandas", extra="eval")
    path = folder / f"{experiment.name}.csv"
    try:
        figures = pandas.read_csv(path)
    except ValueError as error:
        raise ValueError(f"{path} is broken: {' '.join(str(error).split())}") from None
    missing = [name for name in (experiment.varies, *COLUMNS) if name not in figures]
    if missing:
        raise ValueError(
            f"{path} is of another version of secagent (it has no column {missing[0]}); "
            f"write it anew with: secagent reproduce {experiment.name} --out {folder}"
        )
    return ExperimentFigures(experiment, figures, _agreement(folder / f"{experiment.name}.md"))


def _agreement(path: Path) -> str:
    """Return the text below the tables of an experiment's page: from the first bold word on."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    at = text.find("\n**")
    return text[at:].strip() if at >= 0 else ""
