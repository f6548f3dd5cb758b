"""``secagent study noise``: where artificial noise of the base station helps, and where it is proved not to.

asc-plus solves each network without noise and with it, at the same power of the base station. What it finds without is
among the candidates of what it finds with noise. The downlink of the cheapest agents beside silent jammers shows what
noise is worth to a beam: the two secrecy rates, and the bound on all beams with any noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import paired_ratio
from eval.stats.statistics import Interval
from eval.studies.noise.cells import FUNCTION
from eval.sweep.cells import Cell
from eval.sweep.grid import Chain, Grid
from secagent_env import Scenario
from secagent_env.support.errors import check_name

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "paper": ("paper", {}),
    "paper, 20 eavesdroppers": ("paper", {"num_eavesdroppers": 20}),
    "tight-latency": ("tight-latency", {}),
    "tight-latency, 20 eavesdroppers": ("tight-latency", {"num_eavesdroppers": 20}),
    "line-of-sight": ("line-of-sight", {}),
    "contested": ("contested", {}),
    "contested, 2 antennas": ("contested", {"num_antennas": 2}),
    "contested, 8 antennas": ("contested", {"num_antennas": 8}),
    "contested, colluding": ("contested", {"colluding": True}),
}
"""A preset and what differs from it, by name."""
WORTHLESS = 0.05
"""Noise is proved to be worth nothing where the bound is no further above the beam's secrecy rate, bit/s/Hz."""


@dataclass(frozen=True)
class Noise(Experiment):
    """What artificial noise is worth, over so many networks of each setting from a seed."""

    name: ClassVar[str] = "noise"

    settings: Sequence[str] = option(
        tuple(SETTINGS), f"of {', '.join(map(repr, SETTINGS))} (default: all)", "NAME", nargs="+"
    )
    instances: int = option(20, "networks of each setting (default: %(default)s)", "K")
    seed: int = option(0, "of the networks and the solver (default: %(default)s)")

    def __post_init__(self) -> None:
        for name in self.settings:
            check_name("setting", name, SETTINGS)

    def cells(self) -> Chain:
        """Return the cells, setting by setting and network by network."""
        grids = []
        for name in self.settings:
            preset, changed = SETTINGS[name]
            options = {"scenario": Scenario.preset(preset, **changed).to_dict()}
            grids.append(Grid([Cell(FUNCTION, self.name, name, None, self.seed, 0, options)], self.instances))
        return Chain(grids)

    def report(self, compute: Compute) -> Report:
        """Return the table."""
        frame = compute(self.cells())
        return Report(table(frame), frame)


def table(frame: Any) -> str:
    """Return a line per setting, in Markdown."""
    lines = []
    for name, rows in frame.groupby("scheme", sort=False):
        energy, with_noise = rows["energy"].to_numpy(), rows["energy_noise"].to_numpy()
        both = np.isfinite(energy)  # with noise these are solved, too
        saved = _saved(energy[both], with_noise[both])
        sent = rows["noise"].to_numpy() > 0
        known = rows["bound"].to_numpy() - rows["alone"].to_numpy() <= WORTHLESS
        lines.append(
            [
                name,
                f"{both.sum()} → {np.isfinite(with_noise).sum()} of {len(rows)}",
                f"{np.mean(sent):.0%}",
                f"{np.mean(with_noise[both] < energy[both] * (1 - 1e-6)):.0%}" if both.any() else NONE,
                saved,
                f"{rows['jammers'].mean():.1f} → {rows['jammers_noise'].mean():.1f}",
                f"{rows['alone'].mean():.1f} → {rows['together'].mean():.1f} ≤ {rows['bound'].mean():.1f}",
                f"{np.mean(known):.0%}",
                f"{rows['seconds'].median():.2g} → {rows['seconds_noise'].median():.2g} s",
            ]
        )
    headers = [
        "networks",
        "solved",
        "noise sent",
        "cheaper",
        "energy saved",
        "jammers",
        "secrecy of the downlink",
        "proved worthless",
        "median time",
    ]
    notes = (
        "Without noise → with it, at the same power of the base station. Cheaper, and energy saved: of the networks "
        "solved without. The downlink is that of the cheapest agents beside silent jammers, in bit/s/Hz, with the "
        f"bound; noise is proved worthless to it where the bound is within {WORTHLESS} of the beam without."
    )
    return "\n\n".join([tabulated(lines, headers), notes]) + "\n"


def _saved(energy: np.ndarray, with_noise: np.ndarray) -> str:
    """Return the share of the energy that noise saves, with its interval."""
    if not len(energy):
        return NONE
    ratio = paired_ratio(with_noise, energy)
    return percent(Interval(1 - ratio.mean, 1 - ratio.high, 1 - ratio.low, ratio.size))
