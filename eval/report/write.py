"""The report of a results folder: written as one HTML file, with figures beside it."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from eval.report.data.recompute import convergence, decisions
from eval.report.data.results import Results, gather
from eval.report.page import page
from eval.report.pdf import save_figures
from eval.report.sections.comparison import comparison_section
from eval.report.sections.configuration import configuration_section, missing_sections
from eval.report.sections.convergence import convergence_section
from eval.report.sections.learning import learning_section
from eval.report.sections.networks import network_section
from eval.report.sections.paper import paper_section
from eval.report.sections.parts import Section
from secagent_env import __version__
from secagent_env.support.extras import require
from secagent_env.support.files import check_writable, write_text
from secagent_env.support.units import plural

logger = logging.getLogger("secagent.report")

NAME, FIGURES = "report.html", "figures"
TITLE = "Secure, energy-efficient wireless agentic AI: results"


def write_report(folder: Path | str, out: Path | str | None = None, runs: Iterable[Path | str] = ()) -> Path:
    """Write the report on a results folder and return its path.

    Parameters
    ----------
    folder
        The results folder, or the folder above several.
    out
        The HTML file; by default ``report.html`` in the folder. The folder ``figures`` is written beside it.
    runs
        Folders of trainings, or folders of such folders.

    Raises
    ------
    ValueError
        If there are no results, or they are broken or of another version.
    OSError
        If something cannot be read or written.
    ImportError
        If an extra is not installed.
    """
    require("plotly", extra="report")
    require("matplotlib", extra="eval")
    results = gather(folder, runs)
    path = Path(out) if out is not None else Path(folder) / NAME
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    check_writable(path.parent)
    latest = results.comparisons[0] if results.comparisons else None
    logger.info("solving a few networks again, for their pictures")
    solved = decisions(latest) if latest else []
    converging = convergence(latest) if latest else {}
    figures = save_figures(results, solved, converging, path.parent / FIGURES)
    sections: list[Section] = []
    if results.reproduced is not None:
        sections.append(paper_section(results.reproduced))
    if results.documents:
        about = (
            "Agents that vote, knowledge that travels, what it costs in energy, and agents that talk, as they were "
            "printed."
        )
        sections.append(Section("questions", "Questions, knowledge and games", about, {"documents": results.documents}))
    if latest is not None:
        sections.append(comparison_section(results.comparisons))
    if latest is not None and converging:
        sections.append(convergence_section(converging, latest))
    if results.runs or results.learners is not None:
        sections.append(learning_section(results))
    if latest is not None and solved:
        sections.append(network_section(solved, latest))
    sections.append(configuration_section(results, figures))
    sections += missing_sections(results)
    lead = f"What the folder {results.folder} holds, written by secagent {__version__}."
    write_text(path, page("secagent report", TITLE, lead, sections, _facts(results)))
    return path


def _facts(results: Results) -> list[tuple[str, str, str]]:
    """Return the large numbers of the page, with their nouns and sections."""
    facts = []
    if results.reproduced is not None:
        facts.append((str(len(results.reproduced.shown)), "figures and tables of the paper", "paper"))
    if results.comparisons:
        latest = results.comparisons[0]
        facts.append((str(len(latest.solvers)), f"schemes on {plural(latest.instances, 'network')}", "compare"))
    if results.runs:
        facts.append((str(len(results.runs)), "trainings", "learning"))
    return facts
