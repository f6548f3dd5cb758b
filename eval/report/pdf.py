"""Figures for papers beside the page: PDF files by matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from solvers import Solution


def save_figures(
    results: Results, solved: Sequence[Solved], converging: Mapping[str, Solution], folder: Path
) -> list[str]:
    """Write the figures into a folder and return their names; those of `secagent reproduce` are copied."""
    folder.mkdir(exist_ok=True)
    written = []
    for at, compared in enumerate(results.comparisons, 1):
        written.append(f"comparison-{at}.pdf")
        save_comparison(compared.frame, folder / written[-1], title=compared.description)
    if results.reproduced is not None:
        for path in sorted(results.reproduced.folder.glob("*.pdf")):
            written.append(path.name)
            write_bytes(folder / path.name, path.read_bytes())
    for label, solution in converging.items():
        written.append(f"convergence-{base_name(label)}.pdf")
        save_convergence(solution, folder / written[-1])
    for environment in dict.fromkeys(str(run.config["environment"]) for run in results.runs):
        runs = [run for run in results.runs if run.config["environment"] == environment]
        if any(row.get("feasible") is not None for run in runs for row in run.evaluations):
            written.append("learning-curves.pdf")
            save_curves(runs, folder / written[-1])
    for one in solved:
        written.append(f"network-{one.index}-{base_name(one.scheme)}.pdf")
        drawn = figure(one.instance, one.solution.decision)
        with own_style():
            save_picture(drawn, folder / written[-1])
    return written
