"""The section of comparisons: charts and tables of schemes on the same networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.compare.looks import Look, looks
from eval.compare.summary import COMPARED, NOTHING, Summary, asked_of, common_instances, summarise, told
from eval.report.data.comparisons import Compared
from eval.report.sections.chart import (
    Chart,
    axis,
    error_bars,
    interval_text,
    make_chart,
    plain,
    remark,
    rule,
    trace,
    value_text,
)
from eval.report.sections.parts import Cell, Section, Table, number
from eval.stats.formatting import count, percent, with_unit
from eval.stats.paired import paired_ratio
from eval.stats.statistics import Interval, bootstrap_mean
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
    asked = asked_of(summaries)
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
                "evaluations": _count(summary.means["evaluations"]),
                **{name.replace("_", " "): _told(name, summary.asked.get(name, NOTHING)) for name in asked},
                "time": _mean(summary, "seconds", "s", 3),
                "ended as": Cell(summary.ended_as),
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


def _told(name: str, mean: Interval) -> Cell:
    return Cell(told(name, mean), mean.mean)


def _count(mean: Interval) -> Cell:
    return Cell(count(mean), mean.mean)


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
            f"the first: {first['status']}, {first['message']!s:.500}."
        )
    return notes


_ROW = 34
_DIAMOND = {"symbol": "diamond", "size": 10, "line": {"color": "var(--ink)", "width": 1}}

_STRIPS = (
    ("energy_j", "Energy per task", "J", "linear", "Execution and transmission, equation (20) of the paper."),
    ("gap", "Gap to the certified bound", "%", "log", "At most 10⁻⁴ % counts as proved optimal, and is drawn there."),
    ("transmission_energy_j", "Transmission energy", "J", "log", "Of selected agents and jammers, equation (18)."),
    ("seconds", "Time per solve", "s", "log", "Wall time of one solve with one thread, of all instances."),
)


def comparison_charts(frame: Any, prefix: str) -> list[Chart]:
    """Return a comparison's charts: energy, gap, transmission energy and time, and the profile of the gaps."""
    shown = looks(frame["solver"])
    common = common_instances(frame)
    compared = frame[frame["feasible"].astype(bool) & frame["instance"].isin(common)]
    charts = [
        _strip(f"{prefix}-{column}", title, unit, kind, note, compared if column in COMPARED else frame, column, shown)
        for column, title, unit, kind, note in _STRIPS
    ]
    return [*charts, _profile(f"{prefix}-profile", frame, shown)]


def _strip(
    name: str, title: str, unit: str, kind: str, note: str, rows: Any, column: str, shown: Mapping[str, Look]
) -> Chart:
    """Draw every instance as a dot, per scheme, and the mean with its interval."""
    scale, floor = (100.0, 100 * OPTIMAL_GAP) if unit == "%" else (1.0, 0.0)
    traces: list[Any] = []
    all_values: list[float] = []
    for line, (label, look) in enumerate(shown.items()):
        mine = rows[rows["solver"] == label].dropna(subset=[column])
        exact = mine[column].to_numpy(float) * scale
        if not exact.size:
            continue
        values = np.maximum(exact, floor)
        all_values += values.tolist()
        hints = [f"instance {i}: {value_text(value, unit)}" for i, value in zip(mine["instance"], exact, strict=True)]
        places = (line + 0.24 * np.sin(2.4 * np.arange(values.size))).tolist()
        dots = {"color": look.css, "size": 6, "opacity": 0.45}
        mean = bootstrap_mean(exact)
        middle, low, high = np.maximum((mean.mean, mean.low, mean.high), floor).tolist()
        bars, mark = error_bars([Interval(middle, low, high, mean.size)]), {**_DIAMOND, "color": look.css}
        about = [f"mean {interval_text(mean, unit)}"]
        traces += [
            trace("markers", values.tolist(), places, label, "<br>%{text}", marker=dots, text=hints),
            trace("markers", [middle], [line], label, "<br>%{text}", error_x=bars, marker=mark, text=about),
        ]
    layout: dict[str, Any] = {
        "showlegend": False,
        "yaxis": {
            **{
                "tickvals": list(range(len(shown))),
                "ticktext": list(map(plain, shown)),
                "range": [len(shown) - 0.5, -0.5],
            },
            **{"showgrid": False, "fixedrange": True},
        },
        "xaxis": axis(kind, unit, all_values),
    }
    bounds = rows.groupby("instance")["lower_bound_j"].first().dropna()
    if column == "energy_j" and len(bounds):
        bound = float(bounds.mean())
        layout["shapes"] = [rule(x0=bound, x1=bound, y0=0, y1=1, yref="paper")]
        layout["annotations"] = [remark(x=bound, y=1, yref="paper", text="certified lower bound, mean")]
        layout["margin"] = {"t": 26}
    if not traces:
        layout["annotations"] = [{"text": "nothing to compare", "showarrow": False, "xref": "paper", "x": 0.5}]
    return make_chart(name, title, note, traces, layout, 96 + _ROW * len(shown))


def _profile(name: str, frame: Any, shown: Mapping[str, Look]) -> Chart:
    """Draw the share of instances that each scheme solves to within a gap."""
    total, floor = frame["instance"].nunique(), 100 * OPTIMAL_GAP
    feasible = frame["feasible"].astype(bool)
    known = frame.loc[feasible, "gap"].dropna()
    highest = 100 * float(known.max()) if len(known) else 1.0
    traces = []
    for label, look in shown.items():
        gaps = np.sort(100 * frame.loc[feasible & (frame["solver"] == label), "gap"].dropna().to_numpy(float))
        x = [floor, *np.maximum(gaps, floor).tolist(), max(highest, 10 * floor) * 1.5]
        y = [0.0, *(100 * np.arange(1, gaps.size + 1) / total).tolist(), 100 * gaps.size / total]
        line = {"color": look.css, "dash": look.dash, "shape": "hv", "width": 2.5}
        traces.append(trace("lines", x, y, label, "<br>%{y:.0f} % within %{x:.3g} %", line=line))
    layout = {
        "xaxis": {**axis("log", "%", [floor, highest]), "title": {"text": "gap to the certified bound"}},
        "yaxis": {"range": [-3, 104], "ticksuffix": " %", "fixedrange": True},
    }
    caption = (
        "Share of all instances that a scheme solves feasibly and to within a gap: the further up and left, the "
        "better. A curve that ends below 100 % found nothing feasible on the rest."
    )
    return make_chart(name, "Performance profile", caption, traces, layout, 400)
