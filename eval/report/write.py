"""The report of a results folder: written as one HTML file, with figures beside it."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from eval.report.data.recompute import Solved, convergence, decisions, own_instances
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
from secagent_env.support.reading import short
from secagent_env.support.units import plural
from solvers import Solution

logger = logging.getLogger("secagent.report")

NAME, FIGURES = "report.html", "figures"
TITLE = "Secure, energy-efficient wireless agentic AI: results"


def write_report(
    folder: Path | str,
    out: Path | str | None = None,
    runs: Iterable[Path | str] = (),
    *,
    trust_paths: bool = False,
    instances_file: Path | str | None = None,
) -> Path:
    """Write the report on a results folder and return its path.

    Parameters
    ----------
    folder
        The results folder, or the folder above several.
    out
        The HTML file; by default ``report.html`` in the folder. The folder ``figures`` is written beside it.
    runs
        Folders of trainings, or folders of such folders.
    trust_paths
        Whether to follow links out of the folder, and to run solvers whose options or names in the folder are paths,
        addresses or texts. Without it the report neither writes, opens nor contacts anything that the folder names.
    instances_file
        Where the instances are that a comparison was made on, if they are the user's own, for its pictures.

    Raises
    ------
    ValueError
        If there are no results, or only such as are broken or of another version.
    OSError
        If something cannot be read or written.
    ImportError
        If an extra is not installed.
    """
    require("plotly", extra="report")
    require("matplotlib", extra="eval")
    results = gather(folder, runs, trust_paths=trust_paths)
    received = results.received
    path = Path(out) if out is not None else Path(folder) / NAME
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    received.check_target(path)
    check_writable(path.parent)
    latest = results.comparisons[0] if results.comparisons else None
    if latest:
        logger.info("solving a few networks again, for their pictures")
    own = own_instances(latest, received, instances_file) if latest else None
    solved = decisions(latest, received, own) if latest else []
    converging = convergence(latest, received, own) if latest else {}
    figures = save_figures(results, solved, converging, path.parent / FIGURES)
    sections = _sections(results, solved, converging, figures)
    for sentence in received.left_out:
        logger.warning("%s", sentence)
    sections += missing_sections(results)
    lead = f"What the folder {results.folder} holds, written by secagent {__version__}."
    facts = [fact for fact in _facts(results) if fact[2] in {section.name for section in sections}]
    write_text(path, page("secagent report", TITLE, lead, sections, facts))
    return path


def _sections(
    results: Results, solved: Sequence[Solved], converging: Mapping[str, Solution], figures: Sequence[str]
) -> list[Section]:
    """Return the sections of what is there; one that cannot be made of it is left out, and named."""
    latest = results.comparisons[0] if results.comparisons else None
    makers: dict[str, Callable[[], Section]] = {}
    if results.reproduced is not None:
        makers["the paper's figures"] = partial(paper_section, results.reproduced)
    if results.documents:
        about = (
            "Agents that vote, knowledge that travels, what it costs in energy, and agents that talk, as they were "
            "printed."
        )
        content = {"documents": results.documents}
        makers["questions"] = partial(Section, "questions", "Questions, knowledge and games", about, content)
    if latest is not None:
        makers["comparisons"] = partial(comparison_section, results.comparisons)
    if latest is not None and converging:
        makers["convergence"] = partial(convergence_section, converging, latest)
    if results.runs or results.learners is not None:
        makers["learning"] = partial(learning_section, results)
    if latest is not None and solved:
        makers["networks"] = partial(network_section, solved, latest)
    makers["configuration"] = partial(configuration_section, results, figures)
    sections = []
    for title, make in makers.items():
        try:
            section = make()
            json.dumps([chart.figure for chart in section.charts], allow_nan=False)
            sections.append(section)
        except Exception as error:  # of whatever is in the folder
            results.received.leave_out(f"the section of {title} is left out: {short(error)}")
            logger.debug("the error in full", exc_info=True)
    return sections


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
