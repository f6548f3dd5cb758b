"""The picture of power control: rate gap and total power over the rounds, the second paper's Figs 7 and 8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eval.compare.looks import LIGHT
from eval.experiments.genainet_power.results import LEARNT, OPTIMUM, REFERENCE, Course
from eval.experiments.genainet_power.tables import rounds_table
from eval.stats.pictures import drawing, ends
from secagent_env.rendering.style import BLUE, GREEN, GREY, INK, ORANGE, RED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = {"rate_gap": "absolute rate gap, bit/s/Hz (Fig. 7)", "total_power_w": "total power, W (Fig. 8)"}
LINES = {REFERENCE: (GREY, "-"), OPTIMUM: (INK, "--"), LEARNT: (LIGHT["pink"], "-.")}
TEAM_LINES = ((ORANGE, "-"), (RED, ":"), (BLUE, "-"), (GREEN, "-"))


def rounds_figure(courses: Sequence[Course]) -> Figure:
    """Return rate gap and total power over the rounds, means with their intervals; courses of one number of pairs."""
    teams = iter(TEAM_LINES)
    styles = {course.method: LINES.get(course.method) or next(teams) for course in courses}
    with drawing(10, 4.2, dpi=160) as figure:
        for ax, (column, title) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
            for method, means in rounds_table(courses, column):
                colour, line = styles[method]
                x = np.arange(len(means))
                mean, low, high = ends(means)
                ax.plot(x, mean, color=colour, ls=line, lw=1.6, label=method)
                ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            ax.set_title(f"{title}, {courses[0].num_pairs} pairs", loc="left", size=9.5)
            ax.set_xlabel("round")
            ax.set_ylim(0)
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
        )
    return figure
