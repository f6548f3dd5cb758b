"""The picture of ``secagent study experience``: what memories add to the reward over the games of a season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.stats.pictures import written_figure
from secagent_env.rendering.style import BLUE, GREEN, GREY, ORANGE, RED

LINES = {
    "own": (BLUE, "-"),
    "shared": (GREEN, "-"),
    "placebo": (GREY, ":"),
    "random actions": (ORANGE, ":"),
    "poisoned": (RED, "-"),
    "poisoned, no test": (RED, ":"),
}
"""Colour and line of each memory."""
PARTS = {"": "rewards choose", ", followed": "followed in the first round"}
"""What the names of memories end with, and how their lessons are used."""


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the difference of the intent to that without memory, in blocks of games, by proposer."""
    proposers = list(dict.fromkeys(row["proposer"] for row in rows))
    memories = {row["memory"] for row in rows}
    parts = {part: title for part, title in PARTS.items() if any(f"{name}{part}" in memories for name in LINES)}
    first = [name for name in rows[0] if name.startswith("gain_") and name[5:].isdigit()]
    over = "seasons" if all(row["seasons"] > 1 for row in rows) else "seasons (of one season, over its games)"
    note = f"Mean over {over}, 95 % intervals; more is better."
    note += " Lessons are poisoned after game 10." if any("poison" in name for name in memories) else ""
    with written_figure(path, 4.75 * max(len(parts), 1.5), 3.0 * len(proposers) + 0.5, note, grid="y") as figure:
        axes = figure.subplots(len(proposers), len(parts), squeeze=False, sharex=True, sharey="row")
        for proposer, line in zip(proposers, axes, strict=True):
            for part, title, ax in zip(parts, parts.values(), line, strict=True):
                for place, (name, (colour, style)) in enumerate(LINES.items()):
                    memory = f"shared{part}, {name}" if "poison" in name else f"{name}{part}"
                    own = [row for row in rows if row["proposer"] == proposer and row["memory"] == memory]
                    for row in own:
                        x = [int(column[5:]) + 4.5 + 0.5 * (place - 2) for column in first]
                        mean = [row[column] for column in first]
                        low = [row[column] - row[f"{column}_low"] for column in first]
                        high = [row[f"{column}_high"] - row[column] for column in first]
                        ax.errorbar(x, mean, (low, high), color=colour, ls=style, lw=1.3, elinewidth=0.7, label=name)
                if not ax.containers:
                    ax.set_axis_off()
                    continue
                ax.axhline(0.0, color=GREY, lw=0.8)
                ax.set_title(f"{proposer}: {title}", loc="left", size=9)
                ax.set_xlabel("game")
            line[0].set_ylabel("intent less that without memory")
        handles = {
            label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside upper center", ncols=6, frameon=False, fontsize=8)
