"""The leaderboard: entries on the benchmark set, scored from their decisions, the best first."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.benchmark_set import frozen
from eval.benchmark_set.entries import Entry
from eval.benchmark_set.scoring import Scored, scored
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import over_seeds
from eval.stats.pictures import drawing, save_figure
from eval.stats.statistics import CONFIDENCE, Interval, spread
from secagent_env import __version__
from secagent_env.rendering.style import INK

SHIPPED = Path(__file__).parent / "entries"
"""The folder of the entries that are shipped."""


@dataclass(frozen=True, eq=False)
class Standing:
    """What the entries of one name reach, over their seeds.

    Attributes
    ----------
    name
        Of the solver or agent.
    seeds
        Of its entries.
    presets
        By preset: what it is worth, (seeds,) of :class:`Scored`; those that not all of its entries decide are missing.
    versions
        Of secagent, by which its entries say that they were made.
    """

    name: str
    seeds: tuple[int, ...]
    presets: dict[str, list[Scored]]
    versions: tuple[str, ...]

    @functools.cached_property
    def score(self) -> Interval:
        """Over all networks of the set that are not proved infeasible; 0 on presets that it does not decide."""
        return over_seeds(self._all("score"))

    @functools.cached_property
    def feasible(self) -> Interval:
        """The share of these networks."""
        return over_seeds(self._all("feasible"))

    def own(self, what: str, preset: str) -> np.ndarray:
        """Return an attribute of :class:`Scored` on a preset, (seeds, networks)."""
        return np.array([getattr(one, what) for one in self.presets[preset]], float)

    def _all(self, what: str) -> np.ndarray:
        parts = [
            self.own(what, preset)
            if preset in self.presets
            else np.zeros((len(self.seeds), frozen.frozen(preset).solvable.sum()))
            for preset in frozen.presets()
        ]
        return np.concatenate(parts, axis=1)


class Leaderboard:
    """The standings of entries, the best first.

    Raises
    ------
    ValueError
        If two entries have one name and one seed, or a certificate is contradicted
        (:func:`eval.benchmark_set.scoring.scored`).
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        groups: dict[str, list[Entry]] = {}
        for entry in entries:
            group = groups.setdefault(entry.name, [])
            if any(other.seed == entry.seed for other in group):
                raise ValueError(f"there are two entries of {entry.name} with the seed {entry.seed}: remove one")
            group.append(entry)
        standings = [_standing(name, sorted(group, key=lambda entry: entry.seed)) for name, group in groups.items()]
        self.standings = sorted(standings, key=lambda one: (-one.score.mean, one.name))

    def markdown(self) -> str:
        """Return the tables, in Markdown: all networks, and preset by preset."""
        presets = [name for name in frozen.presets() if any(name in one.presets for one in self.standings)]
        lines = [
            [
                str(rank),
                one.name,
                str(len(one.seeds)),
                percent(one.score),
                percent(one.feasible),
                ", ".join(one.versions),
            ]
            for rank, one in enumerate(self.standings, 1)
        ]
        whole = tabulated(lines, ["", "entry", "seeds", "of the bound", "feasible", "secagent"])
        cells = [[one.name, *(_cell(one, preset) for preset in presets)] for one in self.standings]
        note = (
            f"{frozen.NAME} {frozen.VERSION}: {_networks()}. Of the bound: certified lower bound / energy, 0 where the "
            "decision is not feasible or there is none; means over the networks that are not proved infeasible, "
            f"interquartile over seeds, with {CONFIDENCE:.0%} bootstrap intervals over both. By preset: of the bound, "
            "%, (networks with a feasible decision), and the median time of a decision, as the maker of the entry says."
        )
        return "\n\n".join([whole, tabulated(cells, ["entry", *presets]), note]) + "\n"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each entry's name and preset."""
        rows = []
        for rank, one in enumerate(self.standings, 1):
            for preset in one.presets:
                rows.append(
                    {
                        "rank": rank,
                        "entry": one.name,
                        "seeds": " ".join(map(str, one.seeds)),
                        "secagent": " ".join(one.versions),
                        "preset": preset,
                        "networks": one.own("score", preset).shape[1],
                        **spread("score", over_seeds(one.own("score", preset))),
                        **spread("feasible", over_seeds(one.own("feasible", preset))),
                        "median_gap": _median(one.own("gap", preset)),
                        "seconds": _median(one.own("seconds", preset)),
                    }
                )
        return rows

    def draw(self, path: Path) -> None:
        """Draw who reaches what on which preset, and write the picture with the suffixes .png and .pdf."""
        presets = list(frozen.presets())
        values = np.full((len(self.standings), len(presets) + 1), np.nan)
        for row, one in enumerate(self.standings):
            values[row, 0] = one.score.mean
            for column, preset in enumerate(presets, 1):
                if preset in one.presets:
                    values[row, column] = over_seeds(one.own("score", preset)).mean
        with drawing(2.6 + 0.85 * (len(presets) + 1), 1.4 + 0.36 * len(values)) as figure:
            ax = figure.subplots()
            ax.imshow(values, cmap="Blues", vmin=0, vmax=1.8, aspect="auto")
            for (row, column), value in np.ndenumerate(values):
                text = NONE if np.isnan(value) else f"{100 * value:.1f}"
                ax.text(column, row, text, ha="center", va="center", size=8, color=INK)
            ax.set_xticks(range(len(presets) + 1), ["all", *presets], rotation=30, ha="right")
            ax.set_yticks(range(len(values)), [one.name for one in self.standings])
            ax.tick_params(length=0)
            ax.axvline(0.5, color="white", lw=4)
            ax.set_title(f"{frozen.NAME} {frozen.VERSION}: certified bound / energy, %; 0 where infeasible", size=9)
            save_figure(figure, path)


def _standing(name: str, entries: Sequence[Entry]) -> Standing:
    common = [preset for preset in frozen.presets() if all(preset in entry.decided for entry in entries)]
    return Standing(
        name,
        tuple(entry.seed for entry in entries),
        {preset: [scored(entry.decided[preset], frozen.frozen(preset)) for entry in entries] for preset in common},
        tuple(dict.fromkeys(str(entry.about.get("secagent", __version__)) for entry in entries)),
    )


def _cell(one: Standing, preset: str) -> str:
    """Return ``98.3 (20), 4 ms`` for what one reaches on a preset."""
    if preset not in one.presets:
        return NONE
    score, feasible = over_seeds(one.own("score", preset)).mean, one.own("feasible", preset).sum(axis=1).mean()
    return f"{100 * score:.1f} ({feasible:.3g}){_time(_median(one.own('seconds', preset)))}"


def _time(seconds: float) -> str:
    """Return a time as text; nothing of an entry that tells none."""
    return "" if not seconds else f", {seconds:.3g} s" if seconds >= 1 else f", {1e3 * seconds:.3g} ms"


def _median(values: np.ndarray) -> float:
    """Return the median of what is not NaN; NaN of nothing."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")


def _networks() -> str:
    parts = []
    for preset in frozen.presets():
        own = frozen.frozen(preset)
        impossible = int((~own.solvable).sum())
        parts.append(f"{own.solvable.size} of {preset}" + f" ({impossible} proved infeasible)" * (impossible > 0))
    return ", ".join(parts)
