"""The section of comparisons: charts and tables of schemes on the same networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.compare.looks import looks
from eval.compare.rows import LLM
from eval.compare.summary import NOTHING, Summary, common_instances, summarise
from eval.report.charts.comparison import comparison_charts
from eval.report.data.results import Compared
from eval.report.sections.parts import Cell, Section, Table, number
from eval.stats.formatting import count, percent, with_unit
from eval.stats.paired import paired_ratio
from eval.stats.statistics import Interval
from solvers.interface.base import OPTIMAL_GAP


def comparison_section(comparisons: Sequence[Compared]) -> Section:
    """Return the comparisons: charts and tables."""
    charts = [comparison_charts(compared.frame, f"compare-{at}") for at, compared in enumerate(comparisons)]
    parts = [
        {"heading": compared.description, "charts": own, "tables": _tables(compared), "notes": _notes(compared)}
        for compared, own in zip(comparisons, charts, strict=True)
    ]
    lead = (
        "Every scheme on the same random networks: a dot is a network, a diamond the mean with its 95 % bootstrap "
        "interval. A click on a heading sorts a table."
    )
    return Section("compare", "Comparisons", lead, {"parts": parts}, [chart for own in charts for chart in own])


def _tables(compared: Compared) -> list[Table]:
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
    return [Table(means, energies), Table(effort, efforts)]


def _mean(summary: Summary, column: str, unit: str, digits: int = 4) -> Cell:
    return Cell(with_unit(summary.means[column], unit, digits), summary.means[column].mean)


def _paired(frame: Any, common: Sequence[int], scheme: str, first: str | None) -> dict[str, Cell]:
    """Return the ratio of a scheme's mean energy to another's, paired: on the same networks."""
    if first is None:
        return {}
    ratios = NOTHING
    if scheme != first and len(common):
        energy = frame[frame["instance"].isin(common)].pivot(index="instance", columns="solver", values="energy_j")
        if not energy[scheme].isna().any():
            ratios = paired_ratio(energy[scheme].to_numpy(float), energy[first].to_numpy(float))
    text = f"{ratios.mean:.3f} [{ratios.low:.3f}, {ratios.high:.3f}]".replace(" [nan, nan]", "")
    return {f"energy / {first}'s": number(ratios.mean, text)}


def _gap(gap: Interval) -> Cell:
    return Cell(f"≤ {100 * OPTIMAL_GAP:g} %" if gap.high <= OPTIMAL_GAP else percent(gap), gap.mean)


def _asked(summary: Summary, summaries: Sequence[Summary]) -> dict[str, Cell]:
    """Return the columns of language models; none unless a scheme asked one, or a stand-in."""
    used = [name for name in LLM if any(s.asked.get(name, NOTHING).mean > 0 for s in summaries)]
    means = {name.replace("_", " "): summary.asked.get(name, NOTHING) for name in used}
    return {name: Cell(count(mean), mean.mean) for name, mean in means.items()}


def _notes(compared: Compared) -> list[str]:
    """Return which schemes are not compared, and which have networks without a feasible decision."""
    notes = []
    if compared.left_out:
        notes.append(f"{', '.join(compared.left_out)}: computed on fewer networks, and not compared here.")
    frame = compared.frame
    for solver, rows in frame[~frame["feasible"].astype(bool)].groupby("solver", sort=False):
        first = rows.iloc[0]
        notes.append(
            f"{solver} has no feasible decision for {len(rows)} of {compared.instances} networks; "
            f"the first: {first['status']}, {first['message']}."
        )
    return notes
