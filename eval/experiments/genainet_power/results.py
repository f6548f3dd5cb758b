"""Courses of power control: rate gap and power in every round of a batch of games, by method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.experiments.genainet_power.cells import TEAMS
from eval.stats.formatting import faults_in_words
from secagent_env.power_control import Game, rates, sample_game, sinr
from secagent_env.power_control.metrics import rate_gap, total_power
from solvers.power_control import dpc, optimum
from training.power_control.shared_power import SharedPolicy, trained

REFERENCE, OPTIMUM, LEARNT = "dpc", "optimum", "ppo (shared)"
"""Methods beside the teams."""
GAMES: dict[str, bool | None] = {"infeasible": False, "feasible": True, "all": None}
"""Kinds of games, as ``sample_game`` takes them: by whether all targets can be reached."""


@dataclass(frozen=True, eq=False)
class Course:
    """The course of one method in a batch of games (B), round by round; row 0 is before the first round.

    Attributes
    ----------
    num_pairs, method
        N, and the name of the method.
    rate_gap
        (R + 1, B): mean over the pairs of |target − rate|, bit/s/Hz.
    total_power_w
        (R + 1, B), W.
    share
        (B,): the least SINR / target SINR among the pairs, at the end.
    messages, proposals
        (B,): messages delivered and proposals written, per transmitter; None for methods that do not talk.
    faults, kinds
        Number of replies that could not be used, and the same by kind, in words.
    unplayed, trouble
        Number of games in which no reply could be used, and why in the first of them, a sentence.
    """

    num_pairs: int
    method: str
    rate_gap: np.ndarray
    total_power_w: np.ndarray
    share: np.ndarray
    messages: np.ndarray | None = None
    proposals: np.ndarray | None = None
    faults: int = 0
    kinds: str = ""
    unplayed: int = 0
    trouble: str = ""

    @property
    def played(self) -> bool:
        """Whether the method has a merit in the course: in a game at least a reply could be used."""
        return self.unplayed < len(self.share)

    @classmethod
    def of(cls, method: str, game: Game, power_w: np.ndarray, **more: Any) -> Course:
        """Return the course of powers (R + 1, B, N), W, in games (B)."""
        rate = [rates(game, power) for power in power_w]
        gap = np.stack([rate_gap(game, *pair) for pair in zip(power_w, rate, strict=True)])
        total = np.stack([total_power(game, *pair) for pair in zip(power_w, rate, strict=True)])
        share = np.min(sinr(game, power_w[-1]) / game.target_sinr, axis=-1)
        return cls(game.num_pairs, method, gap, total, share, **more)


def courses_of(
    frame: Any,
    pairs: Sequence[int],
    draws: int,
    seed: int,
    rounds: int,
    feasible: bool | None,
    teams: Sequence[str] = tuple(TEAMS),
) -> list[Course]:
    """Return the courses of all methods on the same games, from the rows of the teams (a pandas DataFrame)."""
    courses = []
    for num_pairs in pairs:
        game = sample_game(num_pairs, seed, (draws,), feasible=feasible)
        best = np.broadcast_to(optimum(game).power_w, (rounds + 1, draws, num_pairs))
        courses += [Course.of(REFERENCE, game, dpc(game, rounds)), Course.of(OPTIMUM, game, best)]
        if num_pairs in trained():
            courses.append(Course.of(LEARNT, game, SharedPolicy(num_pairs).powers(game, rounds)))
        courses += courses_of_teams(frame, game, teams)
    return courses


def courses_of_teams(frame: Any, game: Game, teams: Sequence[str]) -> list[Course]:
    """Return the courses of teams in games (B), from their rows."""
    own = frame[frame["value"] == game.num_pairs]
    return [_course(game, own[own["scheme"] == team], TEAMS[team].get("talk", True)) for team in teams]


def _course(game: Game, rows: Any, talks: bool) -> Course:
    """Return the course of a team's games (B), from their rows in the order of the games."""
    power_w = np.stack([json.loads(text) for text in rows["power_w"]], axis=1)
    counts = {name: rows[name].to_numpy(float) for name in ("messages", "proposals")} if talks else {}
    unplayed = rows["trouble"][rows["used"] == 0].tolist()
    return Course.of(
        rows["method"].iloc[0],
        game,
        power_w,
        faults=int(rows["faults"].sum()),
        kinds=faults_in_words(rows["kinds"]),
        unplayed=len(unplayed),
        trouble=unplayed[0] if unplayed else "",
        **counts,
    )


def by_pairs(courses: Sequence[Course]) -> dict[int, list[Course]]:
    """Return courses by their number of pairs."""
    groups: dict[int, list[Course]] = {}
    for course in courses:
        groups.setdefault(course.num_pairs, []).append(course)
    return groups
