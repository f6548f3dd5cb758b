"""The section of the paper's figures and tables, ours over theirs."""

from __future__ import annotations

import math
from typing import Any

from eval.compare.looks import Look, looks
from eval.experiments.secure.printed import TRANSMISSION
from eval.experiments.secure.results import BOUND
from eval.report.data.reproduction import ExperimentFigures, Reproduction
from eval.report.sections.chart import Chart, axis, error_bars, make_chart, notation, trace
from eval.report.sections.parts import Cell, Section, Table, number
from eval.stats.formatting import percent, with_unit
from eval.stats.statistics import Interval


def paper_section(reproduction: Reproduction) -> Section:
    """Return the paper's figures and tables, ours over theirs."""
    charts = [paper_chart(shown) for shown in reproduction.shown]
    experiments = [
        (chart, shown.agreement, _table(shown)) for chart, shown in zip(charts, reproduction.shown, strict=True)
    ]
    lead = (
        "The paper's figures drawn again: what it prints, and what the same schemes reach here on networks drawn as it "
        "describes them. Means are over the draws that every scheme of a value solved feasibly."
    )
    return Section("paper", "The paper's figures", lead, {"experiments": experiments}, charts)


def _table(shown: ExperimentFigures) -> Table:
    experiment, look = shown.experiment, looks(scheme for scheme in shown.figures["scheme"] if scheme != BOUND)
    rows = []
    for row in shown.figures.to_dict("records"):
        mean = Interval(row["mean_j"], row["mean_j_low"], row["mean_j_high"], row["draws"])
        saving = Interval(row["saving"], row["saving_low"], row["saving_high"], row["draws"])
        over, tried = ratio(row["mean_j"], row["printed_j"]), row["attempts"]
        proved = row["scheme"] == BOUND
        rows.append(
            {
                "scheme": Cell(row["scheme"], look=look.get(row["scheme"])),
                experiment.symbol: Cell(f"{row[experiment.varies]:g}", float(row[experiment.varies])),
                "paper": number(row["printed_j"], f"{row['printed_j']:.5g} J"),
                "ours": Cell(with_unit(mean, "J"), mean.mean),
                "ours / paper": number(over, f"{over:.3g}"),
                "feasible": number(math.nan if proved else row["feasible"] / tried, f"{row['feasible']}/{tried}"),
                "saving, paper": number(row["saving_printed"], f"{100 * row['saving_printed']:.1f} %"),
                "saving, ours": Cell(percent(saving), saving.mean),
            }
        )
    return Table(f"{experiment.title}; savings are relative to {experiment.reference}", rows)


_SPREAD = 0.012
"""How far the marks of schemes stand apart, relative to the range of values."""


def paper_chart(shown: ExperimentFigures) -> Chart:
    """Return the chart of an experiment."""
    experiment, figures = shown.experiment, shown.figures
    schemes = looks(scheme for scheme in figures["scheme"] if scheme != BOUND)
    step = _SPREAD * (max(experiment.values) - min(experiment.values))
    traces: list[Any] = []
    for place, (label, look) in enumerate(schemes.items()):
        rows = figures[figures["scheme"] == label]
        traces += _scheme(rows, experiment.varies, label, look, step * (place - (len(schemes) - 1) / 2))
    bounds = figures[(figures["scheme"] == BOUND) & figures["mean_j"].notna()]
    line = {"color": "var(--dim)", "dash": "dash", "width": 1.5}
    means = bounds["mean_j"].tolist()
    traces.append(trace("lines", bounds[experiment.varies].tolist(), means, BOUND, "<br>%{y:.4s}J", line=line))
    transmission = experiment.metric == TRANSMISSION
    values = list(experiment.values)
    ticks = {"tickvals": values, "ticktext": [f"{v:g}" for v in values]}
    linear = {**axis("linear", "J"), "rangemode": "tozero"}
    layout = {
        "xaxis": {"title": {"text": notation(experiment.symbol)}, **ticks},
        "yaxis": axis("log", "J", [y for each in traces for y in each["y"]]) if transmission else linear,
    }
    caption = (
        f"{'Transmission energy, equation (18)' if transmission else 'Execution energy, equation (19)'}: filled marks "
        "on lines are ours, with 95 % intervals; hollow marks are printed in the paper. The marks of one value stand "
        "side by side."
    )
    never = [label for label in schemes if figures.loc[figures["scheme"] == label, "feasible"].sum() == 0]
    caption += f" Never feasible, so not drawn: {', '.join(never)}." * bool(never)
    return make_chart(f"paper-{experiment.name}", experiment.title, caption, traces, layout, 470)


def _scheme(rows: Any, varies: str, label: str, look: Look, shift: float) -> list[Any]:
    """Return ours and the paper's numbers of a scheme; a click on its name hides both."""
    ours = rows[rows["mean_j"].notna()]
    spreads = zip(ours["mean_j"], ours["mean_j_low"], ours["mean_j_high"], ours["draws"], strict=True)
    x, y = (ours[varies] + shift).tolist(), ours["mean_j"].tolist() or [None]
    style: dict[str, Any] = {
        "legendgroup": label,
        "error_y": error_bars([Interval(*spread) for spread in spreads], look.css),
        "line": {"color": look.css, "dash": look.dash, "width": 2},
        "marker": {"color": look.css, "symbol": look.symbol, "size": 8},
    }
    traces = [trace("lines+markers", x, y, label, ", ours<br>%{y:.4s}J", **style)]
    theirs = rows[rows["printed_j"].notna()]
    if len(theirs):
        symbol = look.symbol.removesuffix("-open") + "-open"
        marker = {"color": look.css, "symbol": symbol, "size": 13, "line": {"width": 2}}
        x, y, style = theirs[varies].tolist(), theirs["printed_j"].tolist(), {"legendgroup": label, "marker": marker}
        traces.append(trace("markers", x, y, label, ", the paper<br>%{y:.4s}J", showlegend=False, **style))
    return traces


def ratio(mean: float, printed: float) -> float:
    """Return ours over theirs; NaN where one is missing."""
    return mean / printed if printed > 0 and math.isfinite(mean) else math.nan
