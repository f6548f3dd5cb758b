"""The section of the paper's figures and tables, ours over theirs."""

from __future__ import annotations

import math

from eval.compare.looks import looks
from eval.experiments.secure.results import BOUND
from eval.report.charts.paper import paper_chart, ratio
from eval.report.data.reproduction import ExperimentFigures, Reproduction
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
