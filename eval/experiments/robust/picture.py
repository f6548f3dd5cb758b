"""The picture of ``secagent reproduce robust``: outage and price of safety, against ε and δ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.compare.looks import looks
from eval.experiments.robust.tables import Setting
from eval.stats.pictures import written_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


HALF = 0.5
"""Where designs hold for fewer of the networks, their energy is not drawn."""


def draw(numbers: Sequence[Mapping[str, Any]], settings: Sequence[Setting], path: Path) -> None:
    """Draw the settings of the first preset, and write ``path`` with the suffixes .png and .pdf."""
    first = settings[0]
    rows = [row for row in numbers if row["preset"] == first.preset]
    note = (
        "Above: mean outage of the designs found, on fresh draws; dotted is what is allowed. Below: the energy "
        "exceeded with\nprobability δ over the bound, geometric mean of the designs that hold, with 95% bootstrap "
        "intervals, where they hold for half of the networks."
    )
    with written_figure(path, 9.0, 6.6, note) as figure:
        axes = figure.subplots(2, 2, sharex="col", sharey="row")
        varied = (("error_variance", "outage", "error variance ε"), ("outage", "error_variance", "outage allowed δ"))
        for column, (name, other, label) in enumerate(varied):
            shown = [row for row in rows if row[other] == getattr(first, other)]
            _draw(axes[:, column], shown, name)
            axes[1, column].set(xlabel=label, xscale="log")
            axes[0, column].set_title(f"{first.preset}, {'ε' if other == 'error' else 'δ'} = {getattr(first, other):g}")
        axes[0, 0].set(ylabel="mean outage", yscale="log")
        axes[1, 0].set_ylabel("energy over the bound")
        axes[1, 0].yaxis.set_major_formatter("{x:.0%}")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)


def _draw(axes: Sequence[Axes], rows: Sequence[Mapping[str, Any]], name: str) -> None:
    above, below = axes
    allowed = sorted({(row[name], row["outage"]) for row in rows})
    above.plot(*zip(*allowed, strict=True), color="0.5", ls=":")
    for scheme, look in looks(dict.fromkeys(row["scheme"] for row in rows)).items():
        own = sorted((row for row in rows if row["scheme"] == scheme), key=lambda row: float(row[name]))
        drawn: dict[str, Any] = {"color": look.light, "marker": look.marker, "mfc": look.face, "ls": look.line, "ms": 5}
        outage = [max(row["mean_outage"], 1e-4) for row in own]
        above.plot([row[name] for row in own], outage, label=scheme, **drawn)
        held = [row for row in own if row["hold"] >= HALF and not math.isnan(row["over_bound"])]
        if held:
            mean, low, high = ([row[f"over_bound{end}"] for row in held] for end in ("", "_low", "_high"))
            sides = [[m - a for m, a in zip(mean, low, strict=True)], [b - m for m, b in zip(mean, high, strict=True)]]
            below.errorbar([row[name] for row in held], mean, sides, capsize=2, lw=1.1, **drawn)
