"""The section of the parts that a report could have but for which there are no results."""

from __future__ import annotations

from eval.report.data.results import Results
from eval.report.sections.parts import Section


def missing_sections(results: Results) -> list[Section]:
    """Return the section of missing parts with the commands that add them; no section if nothing is missing."""
    folder = results.folder
    wanted = {
        f"secagent reproduce all --out {folder / 'reproduce'}": (
            results.reproduced is None,
            "the paper's figures, ours over theirs",
        ),
        f"secagent compare --solvers exact asc law randas --out {folder}": (
            not results.comparisons,
            "a comparison, convergence of ASC and LAW, and pictures of networks",
        ),
        f"secagent report {folder} --runs RUN …": (not results.runs, "learning curves, from the folders of trainings"),
    }
    missing = {command: part for command, (is_missing, part) in wanted.items() if is_missing}
    if not missing:
        return []
    lead = "This folder has no results for these parts:"
    return [Section("more", "What is not here", lead, {"missing": missing})]
