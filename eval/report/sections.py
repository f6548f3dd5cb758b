"""The sections of a report, as HTML: each begins with a sentence that says what one sees."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from eval.paired import paired_ratio
from eval.report.charts import Chart
from eval.report.comparison_charts import comparison_charts
from eval.report.curve_charts import convergence_charts, learning_charts
from eval.report.gather import Compared, Results
from eval.report.networks import LEGEND, network_svg
from eval.report.paper_charts import paper_chart, ratio
from eval.report.prose import html_of
from eval.report.recompute import Solved
from eval.report.reproduced import Reproduction, Shown
from eval.report.schemes import looks
from eval.report.tables import Cell, swatch, table
from eval.rows import LLM
from eval.statistics import Interval, Summary, common_instances, summarise
from eval.table import NONE, count, percent, with_unit
from solvers import Solution
from solvers.base import OPTIMAL_GAP


@dataclass(frozen=True)
class Section:
    """A part of the page: its identity, heading, first sentence and content, and the charts in that."""

    name: str
    title: str
    lead: str
    body: str
    charts: list[Chart] = field(default_factory=list)


def chart_html(chart: Chart) -> str:
    """Return the place of a chart, which the page's script fills."""
    title = escape(chart.title)
    return (
        f'<figure><h4>{title}</h4><div class="chart" id="{escape(chart.name)}" role="img" aria-label="{title}" '
        f'style="height:{chart.height}px"></div><figcaption>{escape(chart.caption)}</figcaption></figure>'
    )


def _grid(charts: Sequence[Chart]) -> str:
    return f'<div class="grid">{"".join(map(chart_html, charts))}</div>'


# --- the paper -----------------------------------------------------------------------------------------------


def paper_section(reproduction: Reproduction) -> Section:
    """Return the paper's figures and tables, ours over theirs."""
    parts, charts = [], []
    for shown in reproduction.shown:
        chart = paper_chart(shown)
        charts.append(chart)
        rows = _paper_rows(shown)
        figures = table(shown.experiment.title, rows)
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
    experiment, look = shown.experiment, looks(shown.figures["scheme"])
    rows = []
    for row in shown.figures.to_dict("records"):
        mean = Interval(row["mean_j"], row["mean_j_low"], row["mean_j_high"], row["draws"])
        over, tried = ratio(row["mean_j"], row["printed_j"]), row["attempts"]
        rows.append(
            {
                "scheme": Cell(row["scheme"], look=look[row["scheme"]]),
                experiment.symbol: Cell(f"{row[experiment.varies]:g}", float(row[experiment.varies])),
                "paper": _number(row["printed_j"], f"{row['printed_j']:,.5g} J".replace(",", "\u2009")),
                "ours": Cell(with_unit(mean, "J"), mean.mean),
                "ours / paper": _number(over, f"{over:.3g}"),
                "feasible": Cell(f"{row['feasible']}/{tried}", row["feasible"] / tried)
                if row["feasible"]
                else Cell(f"0/{tried}", 0.0 if math.isfinite(row["mean_j"]) or tried > 1 else math.nan),
                f"less than {experiment.reference}, paper": _share(row["saving_printed"]),
                f"less than {experiment.reference}, ours": _share(row["saving"]),
            }
        )
    return rows


def _number(value: float, text: str) -> Cell:
    return Cell(text, value) if math.isfinite(value) else Cell(NONE, math.nan)


def _share(value: float) -> Cell:
    return _number(value, f"{100 * value:.1f} %")


# --- comparisons ---------------------------------------------------------------------------------------------


def comparison_section(comparisons: Sequence[Compared]) -> Section:
    """Return the comparisons: charts and tables."""
    parts, charts = [], []
    for at, compared in enumerate(comparisons):
        own = comparison_charts(compared.frame, f"compare-{at}")
        charts += own
        heading = (
            f"<h3>{escape(compared.description)}</h3>"
            if len(comparisons) > 1
            else f"<p>{escape(compared.description)}.</p>"
        )
        parts.append(f'<section class="part">{heading}{_grid(own)}{_tables(compared)}{_left_out(compared)}</section>')
    lead = (
        "Every scheme on the same random networks: a dot is a network, a diamond the mean with its 95 % bootstrap "
        "interval. A click on a heading sorts a table."
    )
    return Section("compare", "Comparisons", lead, "".join(parts), charts)


def _tables(compared: Compared) -> str:
    frame = compared.frame
    shown = looks(compared.solvers)
    known = {summary.solver: summary for summary in summarise(frame)}
    summaries = [known[label] for label in shown if label in known]
    common = common_instances(frame)
    first = next((s.solver for s in summaries if s.feasible and s.solver != "exact"), None)
    energies, efforts = [], []
    for summary in summaries:
        head = {"scheme": Cell(summary.solver, look=shown[summary.solver])}
        share = summary.feasible / summary.instances
        energies.append(
            {
                **head,
                "feasible": Cell(f"{summary.feasible}/{summary.instances} ({share:.0%})", share),
                "energy": _mean(summary, "energy_j", "J"),
                **_paired(frame, common, summary.solver, first),
                "gap to the bound": _gap(summary.means["gap"]),
                "transmission": _mean(summary, "transmission_energy_j", "J"),
            }
        )
        efforts.append(
            {
                **head,
                "latency": _mean(summary, "latency_s", "s", 3),
                "evaluations": Cell(count(summary.means["evaluations"]), summary.means["evaluations"].mean),
                **_asked(summary, summaries),
                "time": _mean(summary, "seconds", "s", 3),
                "ended as": Cell(", ".join(f"{n} {status}" for status, n in summary.endings.items())),
            }
        )
    means = f"Energies: means over the {len(common)} of {compared.instances} networks that every scheme solved"
    effort = "What it took: latency of the decisions, and effort over all networks"
    return table(means, energies) + table(effort, efforts)


def _mean(summary: Summary, column: str, unit: str, digits: int = 4) -> Cell:
    return Cell(with_unit(summary.means[column], unit, digits), summary.means[column].mean)


def _paired(frame: Any, common: Sequence[int], scheme: str, first: str | None) -> dict[str, Cell]:
    """Return the ratio of a scheme's mean energy to another's, paired: on the same networks."""
    if first is None:
        return {}
    ratios = Interval(math.nan, math.nan, math.nan, 0)
    if scheme != first and len(common):
        energy = frame[frame["instance"].isin(common)].pivot(index="instance", columns="solver", values="energy_j")
        if not energy[scheme].isna().any():
            ratios = paired_ratio(energy[scheme].to_numpy(float), energy[first].to_numpy(float))
    text = f"{ratios.mean:.3f} [{ratios.low:.3f}, {ratios.high:.3f}]".replace(" [nan, nan]", "")
    return {f"energy / {first}'s": Cell(NONE if math.isnan(ratios.mean) else text, ratios.mean)}


def _gap(gap: Interval) -> Cell:
    return Cell(f"≤ {100 * OPTIMAL_GAP:g} %" if gap.high <= OPTIMAL_GAP else percent(gap), gap.mean)


def _asked(summary: Summary, summaries: Sequence[Summary]) -> dict[str, Cell]:
    """Return the columns that are there only where a scheme asked a language model, or what stands in for one."""
    nothing = Interval(math.nan, math.nan, math.nan, 0)
    used = [name for name in LLM if any(s.asked.get(name, nothing).mean > 0 for s in summaries)]
    means = {name.replace("_", " "): summary.asked.get(name, nothing) for name in used}
    return {name: Cell(count(mean), mean.mean) for name, mean in means.items()}


def _left_out(compared: Compared) -> str:
    """Return who is not compared, and who found nothing feasible where."""
    notes = [
        f"{', '.join(compared.left_out)}: computed on fewer networks, and not compared here."
    ] * bool(compared.left_out)  # fmt: skip
    frame = compared.frame
    for solver, rows in frame[~frame["feasible"].astype(bool)].groupby("solver", sort=False):
        first = rows.iloc[0]
        notes.append(
            f"{solver} has no feasible decision for {len(rows)} of {compared.instances} networks; "
            f"the first: {first['status']}, {first['message']}."
        )
    return "".join(f'<p class="note">{escape(text)}</p>' for text in notes)


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
    body = f"{_grid(charts)}<ul>{sentences}</ul>"
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
        parts.append(f'<section class="part">{heading}{_grid(own)}</section>')
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
