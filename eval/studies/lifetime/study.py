"""``secagent study lifetime``: how many tasks policies serve in ``secagent/Lifetime-v0``.

All policies play the same episodes, beside the upper bound. It prints the table of ``docs/lifetime.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import solvers
import solvers.lifetime.policies
from eval.compare.plots import draw_values
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, count, percent, tabulated
from eval.stats.paired import paired_difference
from eval.stats.pictures import drawing, save_figure
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from eval.studies.lifetime.cells import FUNCTION, describe_policy
from eval.sweep.cells import Cell
from eval.sweep.grid import Grid, number_of
from secagent_env import Scenario
from secagent_env.rendering.style import BLUE, DIM, FAINT
from secagent_env.support.checks import number
from solvers.interface.registry import module_of
from training.learn.seeds import TEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE = "myopic"
Played = Mapping[str, Any]
"""By policy, the rows of its episodes (:func:`eval.studies.lifetime.cells.episode`), a pandas DataFrame."""


@dataclass(frozen=True)
class Lifetime(Experiment):
    """Policies, compared on the same episodes; episode i has the seed ``seed + i``.

    Raises
    ------
    ValueError
        If there is no such policy, or a number is out of range.
    """

    name: ClassVar[str] = "lifetime"

    policies: Sequence[str] = option(
        tuple(solvers.lifetime.policies.names()),
        "of solvers.lifetime.policies, a solver, a trained agent, or the path of one (default: %(default)s)",
        "NAME",
    )
    scenario: Scenario = option(Scenario, "a preset (default: paper)", "NAME", read=Scenario.preset)
    episodes: int = option(100, "default: %(default)s", "K")
    seed: int = option(TEST.start, "of the first episode (default: the test seeds)")
    speed: float | None = option(None, "mean speed of the agents (default: they rest)", "M/S")

    def __post_init__(self) -> None:
        number_of("episodes", self.episodes)
        if self.speed is not None:
            number("speed", self.speed, above=0)
        for name in self.policies:
            describe_policy(name)

    def cells(self) -> Grid:
        """Return the cells, episode by episode."""
        world = {"scenario": self.scenario.to_dict(), "speed_m_s": self.speed}
        options = {name: {**world, **describe_policy(name)} for name in self.policies}
        modules = {name: (module_of(name),) if name in solvers.names() else () for name in self.policies}
        policies = (
            Cell(FUNCTION, self.name, name, None, self.seed, options=options[name], modules=modules[name])
            for name in self.policies
        )
        return Grid(policies, self.episodes)

    def report(self, compute: Compute) -> Report:
        """Return the table and the picture."""
        frame = compute(self.cells())
        played = dict(iter(frame.groupby("scheme", sort=False)))
        return Report(
            markdown(played), frame.drop(columns="battery_j"), lambda path: save_figure(picture(played), path)
        )


def markdown(played: Played) -> str:
    """Return the table of the policies' episodes, in Markdown."""
    lines = []
    for name, episodes in played.items():
        served, bound = (episodes[column].to_numpy(float) for column in ("served", "bound"))
        attainable = bound > 0
        versus = NONE
        if BASELINE in played and name != BASELINE:
            versus = _signed(paired_difference(served, played[BASELINE]["served"].to_numpy()))
        of_bound = percent(bootstrap_mean(served[attainable] / bound[attainable]))
        unserved, time = f"{np.mean(episodes['unserved']):.2g}", f"{1e3 * np.median(episodes['seconds']):.2g} ms"
        lines.append([name, count(bootstrap_mean(served)), of_bound, versus, unserved, time])
    bounds = next(iter(played.values()))["bound"]
    lines.append(["upper bound", count(bootstrap_mean(bounds)), "100 %", NONE, NONE, NONE])
    headers = ["policy", "tasks served", "of the bound", f"more than {BASELINE}", "unserved", "time per decision"]
    note = (
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over {len(bounds)} episodes, the same for every policy; "
        "differences are of pairs."
    )
    return tabulated(lines, headers) + f"\n\n{note}\n"


def _signed(interval: Interval) -> str:
    mean, low, high = (f"{value:+.3g}".replace("-", "−") for value in (interval.mean, interval.low, interval.high))
    return mean if np.isnan(interval.low) or interval.low == interval.high else f"{mean} [{low}, {high}]"


def picture(played: Played) -> Figure:
    """Draw the tasks served, and the batteries of two policies over one episode."""
    with drawing(13, 4.2) as figure:
        shown = list(played)[:2]
        left, *right = figure.subplots(1, 1 + len(shown), width_ratios=[1.3, *(1 for _ in shown)])
        tasks = {name: episodes["served"] for name, episodes in played.items()}
        tasks["upper bound"] = next(iter(played.values()))["bound"]
        for line, values in enumerate(tasks.values()):
            draw_values(left, line, values.to_numpy(float))
        left.set_yticks(range(len(tasks)), list(tasks))
        left.set_ylim(len(tasks) - 0.5, -0.5)
        left.set_xlabel("tasks served in an episode (a diamond: the mean, with its interval)")
        left.grid(axis="x", color=FAINT)
        left.tick_params(axis="y", length=0)
        batteries = [np.array(json.loads(played[name]["battery_j"].iloc[0])) for name in shown]
        for ax, name, battery_j in zip(right, shown, batteries, strict=True):
            ax.plot(battery_j / 1e3, color=BLUE, lw=1, alpha=0.7)
            ax.set_xlim(0, max(map(len, batteries)))
            ax.set_ylim(0)
            title = f"{name}: {played[name]['served'].iloc[0]} tasks served"
            ax.set_title(title, size=9.5, weight="bold", loc="left")
            ax.set_xlabel("task")
            ax.set_ylabel("battery of each agent, kJ", color=DIM)
    return figure
