"""The picture of ``secagent study perception``: bits sent against the rate of the decisions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.compare.looks import LIGHT
from eval.stats.pictures import written_figure
from eval.stats.statistics import Interval

LOOKS: dict[str, tuple[str, str, tuple[int, int]]] = {
    "samples": ("grey", "s", (5, 4)),
    "features": ("blue", "^", (-6, -14)),
    "vector": ("orange", "o", (5, 7)),
}
"""Colour, marker, and place of the text by the first word of what is sent."""
OTHERS = ("green", "D", (5, 4))
LEVELS = {"none: the true set is known": "the true set is known", "none: always change beam": "always change the beam"}


def draw(rows: Sequence[tuple[str, int, Interval, Interval]], path: Path) -> None:
    """Draw bits, and mean rates less those with the true set known; references without bits are lines."""
    note = "Means over all channel models and sets of conditions, with 95 % bootstrap intervals of the differences."
    with written_figure(path, 7.2, 4.4, note) as figure:
        ax = figure.subplots()
        labelled: set[str | None] = set()
        for who, bits, _, rate in rows:
            if not bits:
                if who in LEVELS:
                    ax.axhline(rate.mean, color=LIGHT["ink"], ls=":", lw=1)
                    ax.annotate(LEVELS[who], (0.01, rate.mean), xycoords=("axes fraction", "data"), va="bottom", size=8)
                continue
            kind = who.split(",")[0]
            colour, marker, place = LOOKS.get(kind, OTHERS)
            spread = [[rate.mean - rate.low], [rate.high - rate.mean]]
            label = {"samples": "samples", "features": "features", "vector": "vector of the encoder"}.get(kind)
            ax.errorbar(
                bits, rate.mean, spread, color=LIGHT[colour], marker=marker, ls="", capsize=2,
                label=None if label in labelled else label,
            )  # fmt: skip
            labelled.add(label)
            text = who.partition(", ")[2] or who
            ax.annotate(text, (bits, rate.mean), place, textcoords="offset points", size=7)
        ax.set(xscale="log", xlabel="bits of a message", ylabel="rate of the decision − with the true set, bit/s/Hz")
        ax.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.1))
