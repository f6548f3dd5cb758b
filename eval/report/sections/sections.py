"""The sections of a report, as HTML: each begins with a sentence that says what one sees."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from eval.experiments.secure.results import BOUND
from eval.report.charts.curve_charts import convergence_charts, learning_charts
from eval.report.charts.paper_charts import paper_chart, ratio
from eval.report.charts.schemes import looks
from eval.report.data.gather import Compared, Results
from eval.report.data.recompute import Solved
from eval.report.data.reproduced import Reproduction, Shown
from eval.report.sections.networks import LEGEND, network_svg
from eval.report.sections.prose import html_of
from eval.report.sections.section import Section, chart_html, grid
from eval.report.sections.tables import Cell, swatch, table
from eval.stats.formatting import NONE, percent, with_unit
from eval.stats.statistics import Interval
from solvers import Solution

# --- the paper -----------------------------------------------------------------------------------------------


def paper_section(reproduction: Reproduction) -> Section:
    """Return the paper's figures and tables, ours over theirs."""
    parts, charts = [], []
    for shown in reproduction.shown:
        chart = paper_chart(shown)
        charts.append(chart)
        rows = _paper_rows(shown)
        figures = table(f"{shown.experiment.title}; savings are relative to {shown.experiment.reference}", rows)
        parts.append(
            f'<section class="part">{chart_html(chart)}<div class="prose">{html_of(shown.agreement)}</div>'
            f"<details><summary>All figures, {len(rows)} rows</summary>{figures}</details></section>"
        )
    lead = (
        "The paper's figures drawn again: what it prints, and what the same schemes reach here on networks drawn as it "
        "describes them. Means are over the draws that every scheme of a value solved feasibly."
    )
    return Section("paper", "The paper's figures", lead, "".join(parts), charts)


def _paper_rows(shown: Shown) -> list[dict[str, Cell]]:
    experiment, look = shown.experiment, looks(scheme for scheme in shown.figures["scheme"] if scheme != BOUND)
    rows = []
    for row in shown.figures.to_dict("records"):
        mean = Interval(row["mean_j"], row["mean_j_low"], row["mean_j_high"], row["draws"])
        saving = Interval(row["saving"], row["saving_low"], row["saving_high"], row["draws"])
        over, tried = ratio(row["mean_j"], row["printed_j"]), row["attempts"]
        proved = row["scheme"] == BOUND  # nobody's decisions
        rows.append(
            {
                "scheme": Cell(row["scheme"], look=look.get(row["scheme"])),
                experiment.symbol: Cell(f"{row[experiment.varies]:g}", float(row[experiment.varies])),
                "paper": _number(row["printed_j"], f"{row['printed_j']:.5g} J"),
                "ours": Cell(with_unit(mean, "J"), mean.mean),
                "ours / paper": _number(over, f"{over:.3g}"),
                "feasible": _number(math.nan if proved else row["feasible"] / tried, f"{row['feasible']}/{tried}"),
                "saving, paper": _number(row["saving_printed"], f"{100 * row['saving_printed']:.1f} %"),
                "saving, ours": Cell(percent(saving), saving.mean),
            }
        )
    return rows


def _number(value: float, text: str) -> Cell:
    return Cell(text, value) if math.isfinite(value) else Cell(NONE, math.nan)


# --- one network at a time -----------------------------------------------------------------------------------


def convergence_section(solutions: Mapping[str, Solution], compared: Compared, index: int = 0) -> Section:
    """Return how ASC and LAW converge."""
    charts = convergence_charts(solutions)
    lead = (
        f"Network {index} of {compared.description}: the energy after each sub-problem that ASC and LAW solve, down "
        "to the certified bound."
    )
    sentences = "".join(
        f"<li><strong>{escape(label)}</strong>: {escape(solution.message)}; "
        f"{len(solution.history)} sub-problems in {solution.wall_time_s:.2g} s."
        "</li>"
        for label, solution in solutions.items()
    )
    body = f"{grid(charts)}<ul>{sentences}</ul>"
    return Section("convergence", "Convergence of ASC and LAW", lead, body, charts)


def network_section(solved: Sequence[Solved], compared: Compared) -> Section:
    """Return the pictures of a few networks."""
    look = looks(one.scheme for one in solved)
    indices = list(dict.fromkeys(one.index for one in solved))
    parts = []
    for index in indices:
        pictures = []
        for one in (one for one in solved if one.index == index):
            outcome = one.solution.outcome
            energy = with_unit(Interval(float(outcome.energy_j), math.nan, math.nan, 1), "J")
            verdict = f"feasible, {energy}" if outcome.feasible else "infeasible"
            label = f"{one.scheme} on network {index}"
            pictures.append(
                f"<figure>{network_svg(one.instance, one.solution.decision, label)}<figcaption>"
                f"{swatch(look[one.scheme])}<strong>{escape(one.scheme)}</strong>: {escape(verdict)}"
                "</figcaption></figure>"
            )
        parts.append(f'<h3>Network {index}</h3><div class="networks">{"".join(pictures)}</div>')
    lead = (
        f"The first networks of {compared.description}, and who computes in them. Lines are the beam, thicker where "
        "more arrives. Point at a mark to read its figures."
    )
    return Section("networks", "Networks", lead, LEGEND + "".join(parts))


# --- learners ------------------------------------------------------------------------------------------------


def learning_section(results: Results) -> Section:
    """Return the learning curves, and what the trained agents reach on test instances."""
    charts, parts = [], []
    environments: dict[str, list[Any]] = {}
    for run in results.runs:
        environments.setdefault(str(run.config["environment"]), []).append(run)
    for at, (environment, runs) in enumerate(environments.items()):
        own = learning_charts(runs, f"learn-{at}")
        charts += own
        heading = f"<h3>{escape(environment)}</h3>" if len(environments) > 1 else ""
        parts.append(f'<section class="part">{heading}{grid(own)}</section>')
    if results.learners is not None:
        parts.append(_judged(results.learners))
    lead = "What trained agents reach against the steps of training, and on networks that no training has seen."
    return Section("learning", "Learning", lead, "".join(parts), charts)


def _judged(frame: Any) -> str:
    """Return the table of judged learners: means over the seeds."""
    columns = ("feasible", "gap", "feasible_repaired", "gap_repaired", "single_ms", "steps")
    rows = []
    for (learner, agents), own in frame.groupby(["learner", "num_agents"], sort=False):
        mean = {name: float(own[name].mean()) if name in own else math.nan for name in columns}
        rows.append(
            {
                "learner": Cell(str(learner), look=looks(frame["learner"])[learner]),
                "N": Cell(f"{agents}", float(agents)),
                "seeds": Cell(f"{len(own)}", float(len(own))),
                "feasible": _percent(mean["feasible"]),
                "over the bound": _percent(mean["gap"]),
                "feasible, repaired": _percent(mean["feasible_repaired"]),
                "over the bound, repaired": _percent(mean["gap_repaired"]),
                "ms alone": _number(mean["single_ms"], f"{mean['single_ms']:.2f}"),
                "steps": _number(mean["steps"], f"{mean['steps']:,.0f}".replace(",", "\u2009")),
            }
        )
    return table("Trained agents on test networks: means over the seeds", rows)


def _percent(value: float) -> Cell:
    return _number(value, percent(Interval(value, math.nan, math.nan, 1)))


# --- what is not there ---------------------------------------------------------------------------------------


def missing_section(results: Results) -> list[Section]:
    """Return, unless nothing is missing, what the report could show, and the commands that add it."""
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
    items = "".join(
        f"<li><code>{escape(command)}</code> adds {escape(what)}.</li>"
        for command, (is_missing, what) in wanted.items()
        if is_missing
    )
    if not items:
        return []
    return [Section("more", "What is not here", "This folder has no results for these parts:", f"<ul>{items}</ul>")]
