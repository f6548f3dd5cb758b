"""``secagent study experience``: whether lessons of earlier games help in later ones, alone and shared.

Agents of the power control game play a season of games. After a game that earned more than usual each keeps a lesson;
in later games it remembers those of similar situations. Beside that stand no memory, lessons of another task, own
situations with random actions, another order of the games, and lessons that somebody poisoned. It prints the table and
the picture of ``docs/reasoning.md``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eval.experiments.genainet_power.results import GAMES
from eval.experiments.options import endpoint_texts, option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, faults_in_words, fixed, tabulated
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, bootstrap_mean, interval_in, spread
from eval.studies.experience.cells import FUNCTION
from eval.studies.experience.picture import draw
from eval.studies.thoughts.proposers import LANGUAGE, PROPOSERS
from eval.sweep.answers import costs
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.support.checks import integer, number
from secagent_env.support.errors import check_name
from secagent_env.support.secrets import check_written
from solvers.experience.credit import LEVEL
from solvers.planning import names

FIRST = 10
"""Games before memories count, and before somebody poisons them."""
BLOCK = 10
"""Games of a point of the picture."""
OFF = "off"
USUAL: dict[str, Any] = {"kind": OFF, "follow": False, "reshuffled": False, "poisoned": None, "level": LEVEL}
JUDGED: dict[str, dict[str, Any]] = {
    OFF: {},
    "own": {"kind": "own"},
    "shared": {"kind": "shared"},
    "placebo": {"kind": "placebo"},
    "random actions": {"kind": "random actions"},
    "own, reshuffled": {"kind": "own", "reshuffled": True},
}
"""Memories by name: rewards choose among lessons and other thoughts; or, of a language model, the prompt shows them."""
FOLLOWED = {f"{name}, followed": {**more, "follow": True} for name, more in JUDGED.items() if name != OFF}
"""The same where an agent takes the power of its most similar lesson in the first round."""
POISONED = {
    "shared, followed, poisoned": {"kind": "shared", "follow": True, "poisoned": FIRST},
    "shared, followed, poisoned, no test": {"kind": "shared", "follow": True, "poisoned": FIRST, "level": 0.0},
}
VARIANTS = {**JUDGED, **FOLLOWED, **POISONED}


@dataclass(frozen=True)
class Experience(Experiment):
    """Seasons of games with every kind of memory, on the same games.

    The proposers are random numbers, rules, and a language model: GenAINet's stand-in, which reads no lessons, or with
    ``model`` an endpoint, whose agents write one thought a round, with the lessons in the prompt.

    Raises
    ------
    ValueError
        If a name is unknown or a number is out of range.
    """

    name: ClassVar[str] = "experience"
    unit: ClassVar[str] = "seasons"

    proposers: Sequence[str] = option((*PROPOSERS, LANGUAGE), "default: %(default)s", "NAME", nargs="+")
    games: int = option(50, "of a season (default: %(default)s)", "G")
    seasons: int = option(8, "from so many seeds (default: %(default)s)", "S")
    language_seasons: int = option(2, "of the language model (default: %(default)s)", "S")
    kind: str = option("infeasible", "which games; default: %(default)s", flag="--of", choices=list(GAMES))
    pairs: int = option(4, "default: %(default)s", "N")
    rounds: int = option(5, "of each game (default: %(default)s)", "R")
    planner: str = option("tree", "default: %(default)s", choices=names())
    budget: int = option(6, "thoughts of each plan (default: %(default)s)", "B")
    language_budget: int = option(1, "thoughts of each plan of the language model (default: %(default)s)", "B")
    seed: int = option(100, "of the games of the first season (default: %(default)s)")
    bandwidth_khz: float | None = option(None, "of each pair: prompts tell kbit/s (default: bit/s/Hz)", "KHZ")
    model: Mapping[str, Any] = endpoint_texts()

    def __post_init__(self) -> None:
        for name in ("games", "seasons", "language_seasons"):
            number_of(name, getattr(self, name), most=100_000)
        for name, least in {"pairs": 1, "rounds": 1, "budget": 1, "language_budget": 1, "seed": 0}.items():
            integer(name, getattr(self, name), least)
        if self.games <= FIRST:
            raise ValueError(f"games must be more than {FIRST}, after which memories count, got {self.games}")
        for name in self.proposers:
            check_name("proposer", name, (*PROPOSERS, LANGUAGE))
        if self.bandwidth_khz is not None:
            number("bandwidth_khz", self.bandwidth_khz, above=0)
        check_written(self.model)
        if LANGUAGE in self.proposers:
            from solvers.planning.language import PowerThoughts

            PowerThoughts(**self.model)

    def cells(self) -> list[Cell]:
        """Return a cell for each season, proposer and memory: season by season, so that fewer are whole too."""
        found = [
            cell
            for proposer in self.proposers
            for variant in (JUDGED if proposer == LANGUAGE else VARIANTS)
            for cell in self._seasons(proposer, variant)
        ]
        return sorted(found, key=lambda cell: cell.seed)

    def _seasons(self, proposer: str, variant: str) -> Iterator[Cell]:
        language = proposer == LANGUAGE
        band = {} if self.bandwidth_khz is None else {"bandwidth_khz": float(self.bandwidth_khz)}
        options = {
            **USUAL,
            **VARIANTS[variant],
            "proposer": proposer,
            "games": self.games,
            "pairs": self.pairs,
            "rounds": self.rounds,
            "feasible": GAMES[self.kind],
            "planner": self.planner,
            "budget": self.language_budget if language else self.budget,
            "reports": True,
            **({"model": {**self.model, **band}} if language else {}),
        }
        for number_ in range(self.language_seasons if language else self.seasons):
            yield Cell(
                FUNCTION,
                self.name,
                f"{proposer}/{variant}",
                variant,
                self.seed + number_,
                options=options,
                paid=language and costs(self.model),
            )

    def report(self, compute: Compute) -> Report:
        """Return the table, its rows and the picture."""
        cells = self.cells()
        read: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for cell, row in zip(cells, compute(cells).to_dict("records"), strict=True):
            read.setdefault((str(cell.options["proposer"]), str(cell.value)), []).append(row)
        rows = [_figures(key, own, read[key[0], OFF], self.games) for key, own in read.items()]
        kinds = faults_in_words([row["kinds"] for own in read.values() for row in own])
        trouble = f"\nReplies that could not be used: {kinds}.\n" if kinds else ""
        return Report(markdown(rows) + trouble, rows, functools.partial(draw, rows))


def _figures(
    key: tuple[str, str], own: Sequence[Mapping[str, Any]], off: Sequence[Mapping[str, Any]], games: int
) -> dict[str, Any]:
    """Return the row of a proposer and a memory, whose games are those of ``off``.

    Intervals are over the seasons, and of a single one over its games.
    """
    reward, usual, gap, power = (
        _games_of(*each) for each in ((own, "reward"), (off, "reward"), (own, "gap"), (own, "power_w"))
    )
    late = slice(FIRST, None)
    left = _games_of(own, "poison_left")
    row = {
        "proposer": own[0]["method"],
        "memory": key[1],
        "seasons": len(own),
        "games": games,
        **spread("intent", bootstrap_mean(_units(reward[:, late]))),
        **spread("gain", paired_difference(_units(reward[:, late]), _units(usual[:, late]))),
        **spread("gap", bootstrap_mean(_units(gap[:, late]))),
        **spread("power_w", bootstrap_mean(_units(power[:, late]))),
        **{name: float(np.mean([row[name] for row in own])) for name in ("lessons", "forgotten", "bits", "lost")},
        "poisoned_games": float((left > 0).sum(axis=1).mean()),
    }
    for start in range(0, games - BLOCK + 1, BLOCK):
        block = slice(start, start + BLOCK)
        gain = paired_difference(_units(reward[:, block]), _units(usual[:, block]))
        row |= spread(f"gain_{start + 1}", gain)
    return row


def _games_of(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([json.loads(row[name]) for row in rows], float)


def _units(games: np.ndarray) -> np.ndarray:
    """Return what an interval is over: the means of seasons (S, G), or the games of a single one."""
    means: np.ndarray = games.mean(axis=1)
    return means if len(games) > 1 else games[0]


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the rows, in Markdown."""
    lines = [
        [
            row["proposer"],
            row["memory"],
            fixed(interval_in(row, "intent")),
            NONE if row["memory"] == OFF else fixed(interval_in(row, "gain"), "+.4f"),
            fixed(interval_in(row, "gap")),
            fixed(interval_in(row, "power_w"), ".1f"),
            NONE if row["memory"] == OFF else f"{row['lessons']:.0f} ({row['forgotten']:.1f})",
            f"{row['bits'] / 1000:.0f}" if row["bits"] else NONE,
            f"{row['poisoned_games']:.1f}" if "poisoned" in row["memory"] else NONE,
        ]
        for row in rows
    ]
    headers = [
        *("proposer", "memory", "intent", "less that without memory", "rate gap, bit/s/Hz", "total power, W"),
        *("lessons kept (forgotten)", "kbit sent", "games with poison"),
    ]
    seasons = ", ".join(
        f"{row['seasons']} for {row['proposer']}" for row in {row["proposer"]: row for row in rows}.values()
    )
    note = (
        f"Means over the games after the first {FIRST} of seasons of {rows[0]['games']}, with {CONFIDENCE:.0%} "
        f"bootstrap intervals over the seasons ({seasons}), whose games are the same for every memory. The intent, "
        f"− rate gap − 0.1 × the share of all power, is the mean over the rounds of a game; gap and power are those of "
        f"the last round. Kept, forgotten and sent: by all agents in a season."
    )
    if any(row["seasons"] == 1 for row in rows):
        note += " Of a single season the intervals are over its games, and do not tell how another one would go."
    return f"{tabulated(lines, headers)}\n\n{note}\n"
