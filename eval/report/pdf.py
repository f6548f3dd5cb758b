"""Figures for papers beside the page: PDF files by matplotlib."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from eval.compare.convergence import save_convergence
from eval.compare.looks import base_name
from eval.compare.plots import save_comparison
from eval.learners.report import save_curves
from eval.report.data.recompute import Solved
from eval.report.data.results import Results
from eval.stats.pictures import save_picture
from secagent_env.rendering import figure
from secagent_env.rendering.style import own_style
from secagent_env.support.files import write_bytes
from secagent_env.support.reading import short
from solvers import Solution

logger = logging.getLogger("secagent.report")


def save_figures(
    results: Results, solved: Sequence[Solved], converging: Mapping[str, Solution], folder: Path
) -> list[str]:
    """Write the figures into a folder and return their names; those of `secagent reproduce` are copied."""
    received = results.received
    received.check_target(folder)
    folder.mkdir(exist_ok=True)
    written = []
    for name, save in _figures(results, solved, converging):
        if name in written:
            continue
        received.check_target(folder / name)
        try:
            save(folder / name)
        except OSError:
            raise
        except Exception as error:  # of whatever numbers
            received.leave_out(f"the figure {name} is left out: {short(error)}")
            logger.debug("the error in full", exc_info=True)
        else:
            written.append(name)
    return written


def _figures(
    results: Results, solved: Sequence[Solved], converging: Mapping[str, Solution]
) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield the names of the figures, and what writes each to a path."""
    for at, compared in enumerate(results.comparisons, 1):
        yield f"comparison-{at}.pdf", partial(save_comparison, compared.frame, title=compared.description)
    for label, name in file_names(converging).items():
        yield f"convergence-{name}.pdf", partial(save_convergence, converging[label])
    environments = dict.fromkeys(str(run.config["environment"]) for run in results.runs)
    for environment, name in file_names(environments).items():
        runs = [run for run in results.runs if run.config["environment"] == environment]
        if any(row.get("feasible") is not None for run in runs for row in run.evaluations):
            yield f"learning-curves{f'-{name}' * (len(environments) > 1)}.pdf", partial(save_curves, runs)
    names = file_names(one.scheme for one in solved)
    for one in solved:
        yield f"network-{one.index}-{names[one.scheme]}.pdf", partial(_save_network, one)
    if results.reproduced is not None:
        for path in sorted(results.reproduced.folder.glob("*.pdf")):
            if (
                re.fullmatch(r"[a-z0-9-]{1,40}\.pdf", path.name)
                and (content := results.received.read(path)) is not None
            ):
                yield path.name, partial(write_bytes, content=content)


def _save_network(one: Solved, path: Path) -> None:
    drawn = figure(one.instance, one.solution.decision)
    with own_style():
        save_picture(drawn, path)


def file_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a part of a file's name for each label, all different, of letters, digits and hyphens: ``asc``.

    It is the scheme in the label; where that is not a plain name, or another label's, a hash of the label makes it one.
    """
    names: dict[str, str] = {}
    for label in labels:
        if label not in names:
            plain = re.sub("[^a-z0-9]+", "-", base_name(label)[:40]).strip("-")
            if not plain or plain != base_name(label) or plain in names.values():
                plain = f"{plain}-{hashlib.sha256(label.encode(errors='replace')).hexdigest()[:8]}".strip("-")
            names[label] = plain
    return names
