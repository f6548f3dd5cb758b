"""A season: a sequence of games in which agents remember what worked, alone or in a base that they share.

After a game every agent knows the network's reward in each round, which the environment tells all of them. What a game
earned is the mean over its rounds less the reward before the first one: so games that are hard by themselves do not
count as failures. Where that exceeds what the agent usually earns, the path becomes a lesson.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from secagent_env.power_control import Game
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.metrics import rate_gap, total_power
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from solvers.experience.credit import LEVEL, Usual
from solvers.experience.lessons import OTHER, POWER, Lesson, Situation
from solvers.experience.memory import ExperienceMemory
from solvers.planning.players import PlannedGame, PlanningTeam
from solvers.planning.powers import View

KINDS = ("off", "own", "shared", "placebo", "random actions")
"""No memory; one of each agent; one for all; lessons of another task, equally long; and the own situations with actions
that are random."""
RECALLED = 2
"""Lessons that an agent remembers in a game."""
CREDIT_BITS = 96
"""Of a credit that agents who share a base tell each other: a key of 32 bits and a number of 64."""
HARMFUL = 8.0
"""The factor of a poisoned lesson: all to full power."""
_LOUDEST, _LOWEST = math.log(2.0), math.log(0.1)


@dataclass(frozen=True, eq=False)
class Season:
    """A sequence of G games.

    Attributes
    ----------
    reward
        (G,): the mean of the network's intent over the rounds of each game.
    end, gap, power_w
        (G,): the intent, the rate gap, bit/s/Hz, and the total power, W, after the last round.
    lessons
        How many lessons are kept at the end, in all bases.
    forgotten
        How many lessons were forgotten since they misled.
    bits
        Bits of lessons and credits that agents sent each other.
    poison_left
        (G,): how many poisoned lessons were left after each game.
    calls, lost
        Thoughts, and those that could not be used.
    memories
        The bases at the end.
    """

    reward: np.ndarray
    end: np.ndarray
    gap: np.ndarray
    power_w: np.ndarray
    lessons: int
    forgotten: int
    bits: int
    poison_left: np.ndarray
    calls: int
    lost: int
    memories: tuple[ExperienceMemory, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Learners:
    """Agents that play games one after another.

    Parameters
    ----------
    team
        The agents.
    kind
        One of :data:`KINDS`.
    recalled
        The number of lessons that an agent remembers in a game.
    poisoned
        After so many games somebody puts harmful lessons into every base, for the situations of that game; None: never.
    level
        α of the test that forgets lessons; 0 never forgets.

    Raises
    ------
    ValueError
        If an option is bad.
    """

    team: PlanningTeam
    kind: str = "own"
    recalled: int = RECALLED
    poisoned: int | None = None
    level: float = LEVEL

    def __post_init__(self) -> None:
        check_name("memory", self.kind, KINDS)
        integer("recalled", self.recalled, 1)
        if self.poisoned is not None:
            integer("poisoned", self.poisoned)

    def play(self, games: Sequence[Game], rounds: int = ROUNDS, seeds: Sequence[int] | None = None) -> Season:
        """Play games of one number of pairs in their order.

        Parameters
        ----------
        games
            Single games.
        rounds
            Of each game.
        seeds
            A seed for each game; None: its place.

        Raises
        ------
        ValueError
            If there is no game, or ``rounds`` is not a whole number ≥ 1.
        """
        if not games:
            raise ValueError("a season needs at least one game")
        course = _Course(self, games[0].num_pairs)
        for number, game in enumerate(games):
            course.game(number, game, rounds, number if seeds is None else seeds[number])
        return course.season()


@dataclass
class _Course:
    """A season under way."""

    learners: Learners
    pairs: int
    played: list[PlannedGame] = field(default_factory=list)
    bits: int = 0
    poison: set[str] = field(default_factory=set)
    left: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        bases = 1 if self.learners.kind == "shared" else self.pairs
        self.memories = [ExperienceMemory(level=self.learners.level) for _ in range(bases)]
        self.usual = Usual()

    def memory(self, agent: int) -> ExperienceMemory:
        return self.memories[agent % len(self.memories)]

    def game(self, number: int, game: Game, rounds: int, seed: int) -> None:
        situations: dict[int, Situation] = {}
        used: dict[int, list[str]] = {}

        def recall(view: View) -> list[Lesson]:
            situation = situations[view.agent] = Situation.of(view)
            lessons = self.memory(view.agent).recall(situation, self.learners.recalled)
            used[view.agent] = [lesson.key for lesson in lessons]
            return lessons

        played = self.learners.team.play(game, rounds, seed, None if self.learners.kind == "off" else recall)
        self.played.append(played)
        if self.learners.kind != "off":
            self._learn(number, played, situations, used, seed)
        self.left.append(sum(key in memory for memory in self.memories for key in self.poison))

    def _learn(
        self, number: int, played: PlannedGame, situations: dict[int, Situation], used: dict[int, list[str]], seed: int
    ) -> None:
        value = float(played.reward[1:].mean() - played.reward[0])
        advantage, over = self.usual.advantage(value), value - self.usual.mean
        self.usual.add(value)
        receivers = self.pairs - 1 if self.learners.kind == "shared" else 0
        for agent, keys in used.items():
            self.memory(agent).credit(keys, advantage)
            self.bits += receivers * CREDIT_BITS * len(keys)
        for agent, situation in situations.items():
            if self.learners.poisoned == number:
                harmful = Lesson.written(f"poison-{number}-{agent}", situation, HARMFUL, 1.0)
                self.memory(agent).learn(harmful)
                self.poison.add(harmful.key)
            if advantage > 0:
                lesson = self._lesson(number, agent, played, situation, over, seed)
                self.bits += receivers * self.memory(agent).learn(lesson)

    def _lesson(
        self, number: int, agent: int, played: PlannedGame, situation: Situation, over: float, seed: int
    ) -> Lesson:
        power = played.record.power_w[:, agent]
        factor, about = float(power[(len(power) + 1) // 2 :].mean() / power[0]), POWER
        rng = np.random.default_rng([seed, agent, 7])
        if self.learners.kind in ("placebo", "random actions"):
            factor = math.exp(rng.uniform(_LOWEST, _LOUDEST))
        if self.learners.kind == "placebo":
            about = OTHER
            share, rank, level = rng.lognormal(0.0, 0.5), rng.random(), rng.uniform(0.1, 0.5)
            situation = Situation(self.pairs, round(share, 3), round(rank, 2), round(level, 3))
        return Lesson.written(f"game-{number}-{agent}", situation, factor, over, about)

    def season(self) -> Season:
        played = self.played
        last = [(game.record.game, game.record.power_w[-1], game.record.rate[-1]) for game in played]
        return Season(
            reward=np.array([game.reward[1:].mean() for game in played]),
            end=np.array([game.reward[-1] for game in played]),
            gap=np.array([rate_gap(*one) for one in last]),
            power_w=np.array([total_power(*one) for one in last]),
            lessons=sum(map(len, self.memories)),
            forgotten=sum(len(memory.forgotten) for memory in self.memories),
            bits=self.bits,
            poison_left=np.array(self.left),
            calls=sum(game.calls for game in played),
            lost=sum(len(game.lost) for game in played),
            memories=tuple(self.memories),
        )
