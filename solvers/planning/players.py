"""Agents that plan their powers in a game: each simulates rounds, and takes the power of the best thought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from secagent_env.power_control import Game, Match, Record
from secagent_env.power_control.match import ROUNDS
from secagent_env.support.checks import flag, integer
from secagent_env.support.errors import check_name
from secagent_env.support.threads import several
from solvers.planning.network import Estimate, estimate
from solvers.planning.planners import Planner
from solvers.planning.powers import View, intent, own_reward, rollout_reward, simulated
from solvers.planning.reports import Ledger, report
from solvers.planning.rewards import random_rewards, self_evaluation
from solvers.planning.thoughts import Evaluate, Path, Proposer, Thought

REWARDS = ("roll-out", "own rates", "self", "random", "true channels")
"""What chooses the branch: rounds simulated by the agent's estimate of the network; its own rates alone; the proposer's
opinion; random numbers; and, a control that no agent can have, rounds simulated on the true channels."""


class Advice(Protocol):
    """A lesson from an earlier game."""

    @property
    def text(self) -> str:
        """The lesson in words, for agents that read."""

    def power_w(self, initial_w: float) -> float | None:
        """Return the power that the lesson advises, W, for an initial one; None where it advises none."""


Recall = Callable[[View], Sequence[Advice]]
"""Returns the lessons that an agent remembers at the beginning of a game."""


@dataclass(frozen=True, eq=False)
class PlannedGame:
    """A game that agents have planned.

    Attributes
    ----------
    record
        Powers, rates and reports.
    reward
        (R + 1,): the network's intent, row 0 before the first round; the environment tells it to all agents.
    calls
        The number of thoughts that proposers were asked for, with the roots.
    lost
        Why thoughts could not be used, a sentence for each.
    unread
        The number of messages that were no reports.
    report_bits
        The bits of all reports.
    plans
        The paths, by round and agent.
    """

    record: Record
    reward: np.ndarray
    calls: int
    lost: tuple[str, ...]
    unread: int
    report_bits: int
    plans: tuple[tuple[Path[float], ...], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class PlanningTeam:
    """One agent for each pair; all plan in the same way, each by what it knows itself.

    Parameters
    ----------
    planner, proposer
        How thoughts grow, and who writes them. A proposer that ``reads`` gets lessons in its prompt; for another one
        lessons are the first thoughts of a plan. With ``concurrency`` it writes those of so many agents at a time.
    reward
        One of :data:`REWARDS`.
    budget
        Thoughts of each plan.
    reports
        Whether agents tell each other their powers and rates. Without reports, the roll-out knows own rates alone.
    follow
        Whether an agent takes the power of its most similar lesson in the first round as it is. False: lessons are
        thoughts among others, and rewards choose.

    Raises
    ------
    ValueError
        If an option is bad.
    """

    planner: Planner
    proposer: Proposer[View, float]
    reward: str = "roll-out"
    budget: int = 12
    reports: bool = True
    follow: bool = False

    def __post_init__(self) -> None:
        check_name("reward", self.reward, REWARDS)
        integer("budget", self.budget, 1)
        flag("reports", self.reports)
        flag("follow", self.follow)

    @property
    def reads(self) -> bool:
        """Whether lessons go into prompts."""
        return bool(getattr(self.proposer, "reads", False))

    def play(self, game: Game, rounds: int = ROUNDS, seed: int = 0, recall: Recall | None = None) -> PlannedGame:
        """Let the agents play a single game.

        Parameters
        ----------
        game
            The game.
        rounds
            The number of rounds; in each, all powers are set at once.
        seed
            Of all random numbers; each agent has its own in each round.
        recall
            What agents remember of earlier games.

        Raises
        ------
        ValueError
            If the game is a batch, or ``rounds`` is not a whole number ≥ 1.
        """
        match = Match(game, rounds=rounds, talk=self.reports)
        agents = [_Agent(self, match, index) for index in range(game.num_pairs)]
        at_once = min(len(agents), int(getattr(self.proposer, "concurrency", 1)))
        plans = []
        while not match.over:
            views = [agent.look() for agent in agents]
            if recall is not None and not match.round:
                for agent, view in zip(agents, views, strict=True):
                    agent.lessons = tuple(recall(view))
            seeds = [[seed, match.round, agent.index] for agent in agents]
            paths = several(at_once, _Agent.plan, agents, views, seeds)
            match.advance({agent.name: agent.act(path) for agent, path in zip(agents, paths, strict=True)})
            plans.append(tuple(paths))
        record = match.record
        flat = [path for row in plans for path in row]
        return PlannedGame(
            record=record,
            reward=intent(match.game, record.power_w),
            calls=sum(path.calls for path in flat),
            lost=tuple(sentence for path in flat for sentence in path.lost),
            unread=sum(agent.ledger.unread for agent in agents),
            report_bits=8 * sum(len(m.text.encode()) for delivery in record.deliveries for m in delivery.messages),
            plans=tuple(plans),
        )


class _Agent:
    """One agent in one game."""

    def __init__(self, team: PlanningTeam, match: Match, index: int) -> None:
        self.index, self.name = index, match.agents[index]
        self.lessons: tuple[Advice, ...] = ()
        self.ledger = Ledger(index, match.agents)
        self._team, self._match = team, match

    def look(self) -> View:
        """Return what the agent knows now."""
        match, seen = self._match, self._match.observe(self.name)
        self.ledger.note(float(seen["power"][0]), float(seen["rate"][0]), seen.get("messages", {}))
        power, rate, limit = self.ledger.power_w, self.ledger.rate, match.game.max_power_w
        network = estimate(power, rate, seen["targets"], limit) if self.ledger.informed else None
        own = (power[:, self.index], rate[:, self.index])
        return View(self.index, *own, seen["targets"], match.round, match.rounds, limit, network)

    def plan(self, view: View, seed: Sequence[int]) -> Path[float]:
        """Return the path of the agent's thoughts in this round."""
        team, rng = self._team, np.random.default_rng(seed)
        root = view.within(float(view.power_w[-1]))
        starts: list[float] = []
        if team.reads:
            view = replace(view, lessons=tuple(lesson.text for lesson in self.lessons))
        else:
            advised = [lesson.power_w(float(view.power_w[0])) for lesson in self.lessons]
            starts = [view.within(power) for power in advised if power is not None]
            if team.follow and starts and not view.round:
                return Path((Thought(starts[0], 0.0),))
        return team.planner.plan(view, team.proposer, self._evaluate(rng), team.budget, rng, root, starts)

    def act(self, path: Path[float]) -> Any:
        """Return the action: the power of the best thought, or the present one where there is none."""
        power, rate = self.ledger.power_w[-1, self.index], self.ledger.rate[-1, self.index]
        chosen = float(power) if path.content is None else path.content
        if not self._team.reports:
            return chosen
        text = report(power, rate, chosen)
        return {"power": chosen, "messages": {name: text for name in self._match.agents if name != self.name}}

    def _evaluate(self, rng: np.random.Generator) -> Evaluate[View, float]:
        team = self._team
        if team.reward == "random":
            return random_rewards(rng)
        if team.reward == "self":
            return self_evaluation(team.proposer, rng)
        if team.reward == "true channels":
            return self._on_true_channels
        return rollout_reward if team.reward == "roll-out" else own_reward

    def _on_true_channels(self, view: View, contents: Sequence[float]) -> np.ndarray:
        game = self._match.game
        now = replace(game, initial_power_w=np.maximum(self._match.power_w, 1e-6))
        response = 0.0 if view.network is None else view.network.response
        return simulated(Estimate(now, response), self.index, contents)
