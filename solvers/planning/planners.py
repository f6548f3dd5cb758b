"""Chain, tree and graph of thoughts, at the same number of thoughts and rewards.

A planner asks a proposer for ``budget`` thoughts, each with one reward, and the best thought is the answer. The three
differ in what a new thought grows from:

- **chain** (Wei et al., 2022): from the last thought;
- **tree** (Yao et al., 2023): level by level, from one of the ``beam`` thoughts with the best rewards so far;
- **graph** (Besta et al., 2024): as the tree, but the first thought of each level merges the two best thoughts of which
  neither grew from the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

import numpy as np

from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from solvers.planning.thoughts import C, Evaluate, MalformedThought, Path, Proposer, S, Thought, reward_of


class Planner(ABC):
    """Makes a plan of thoughts."""

    name: ClassVar[str]

    def plan(
        self,
        state: S,
        proposer: Proposer[S, C],
        evaluate: Evaluate[S, C],
        budget: int,
        rng: np.random.Generator,
        root: C | None = None,
        starts: Sequence[C] = (),
    ) -> Path[C]:
        """Return the path of thoughts, whose best one is the answer.

        Parameters
        ----------
        state
            What the agent knows; the planner only hands it on.
        proposer
            Writes the thoughts. Where it raises MalformedThought, the call is spent and nothing grows there.
        evaluate
            The reward. NaN counts as −∞: such a thought is the answer only where there is no other.
        budget
            The number of thoughts.
        rng
            The generator of all random numbers.
        root
            Where paths begin, such as the present power: beyond the budget it gets a reward, and may be the answer.
        starts
            Further contents to begin with, such as those of remembered lessons; each takes the place of a thought.

        Raises
        ------
        ValueError
            If the budget is not a whole number ≥ 1.
        """
        growth = _Growth(state, proposer, evaluate, integer("budget", budget, 1), rng)
        if root is not None:
            growth.begin([root])
        if starts:
            growth.begin(starts[:budget])
            growth.left -= len(starts[:budget])
        while growth.left:
            self._grow(growth)
        return growth.path

    @abstractmethod
    def _grow(self, growth: _Growth[Any, Any]) -> None:
        """Write some more thoughts, at least one, and at most as many as are left."""


@dataclass(frozen=True)
class Chain(Planner):
    """One thought after another."""

    name: ClassVar[str] = "chain"

    def _grow(self, growth: _Growth[Any, Any]) -> None:
        last = len(growth.thoughts) - 1
        growth.level([(last,) if last >= 0 else ()])


@dataclass(frozen=True)
class Tree(Planner):
    """The best thoughts branch, level by level.

    Parameters
    ----------
    branch
        The number of thoughts of a level.
    beam
        The number of thoughts that they grow from.

    Raises
    ------
    ValueError
        If a number is not a whole number ≥ 1.
    """

    branch: int = 4
    beam: int = 2
    name: ClassVar[str] = "tree"

    def __post_init__(self) -> None:
        integer("branch", self.branch, 1)
        integer("beam", self.beam, 1)

    def _grow(self, growth: _Growth[Any, Any]) -> None:
        best = growth.best(self.beam)
        count = min(self.branch, growth.left)
        growth.level([(best[i % len(best)],) if best else () for i in range(count)])


@dataclass(frozen=True)
class Graph(Tree):
    """The tree whose branches may be merged."""

    name: ClassVar[str] = "graph"

    def _grow(self, growth: _Growth[Any, Any]) -> None:
        pair = growth.pair()
        if pair is None:
            super()._grow(growth)
            return
        best = growth.best(self.beam)
        count = min(self.branch, growth.left)
        growth.level([pair, *((best[i % len(best)],) for i in range(count - 1))])


PLANNERS = {planner.name: planner for planner in (Chain, Tree, Graph)}


def names() -> list[str]:
    """Return the names of the planners."""
    return list(PLANNERS)


def make(name: str, **options: int) -> Planner:
    """Return a planner by its name; ValueError for another name."""
    return PLANNERS[check_name("planner", name, PLANNERS)](**options)


@dataclass
class _Growth(Generic[S, C]):
    """The thoughts of a plan that is being made."""

    state: S
    proposer: Proposer[S, C]
    evaluate: Evaluate[S, C]
    left: int
    rng: np.random.Generator
    thoughts: list[Thought[C]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path[C]:
        return Path(tuple(self.thoughts), tuple(self.lost))

    def begin(self, starts: Sequence[C]) -> None:
        """Take given contents as the first thoughts, beyond the budget."""
        self._add([(content, ()) for content in starts])

    def level(self, parents: Sequence[tuple[int, ...]]) -> None:
        """Ask for a thought from each group of parents, and for the rewards of all of them together."""
        written = []
        for group in parents:
            contents = [self.thoughts[i].content for i in group]
            try:
                if len(contents) == 2:
                    content = self.proposer.merge(self.state, contents[0], contents[1], self.rng)
                else:
                    content = self.proposer.propose(self.state, contents[0] if contents else None, self.rng)
            except MalformedThought as error:
                self.lost.append(str(error))
                self.left -= 1
                continue
            written.append((content, group))
        self._add(written)
        self.left -= len(written)

    def best(self, count: int) -> list[int]:
        """Return the indices of the thoughts with the best rewards, the best first, the later of equal ones."""
        return sorted(range(len(self.thoughts)), key=lambda i: (-self.thoughts[i].reward, -i))[:count]

    def pair(self) -> tuple[int, int] | None:
        """Return the two best thoughts of which neither grew from the other, without those merged before."""
        path, order = self.path, self.best(len(self.thoughts))
        merged = {thought.parents for thought in self.thoughts}
        families = [path.ancestors(i) for i in order]
        for later in range(1, len(order)):
            for earlier in range(later):
                first, second = order[earlier], order[later]
                apart = second not in families[earlier] and first not in families[later]
                if apart and not {(first, second), (second, first)} & merged:
                    return first, second
        return None

    def _add(self, written: Sequence[tuple[C, tuple[int, ...]]]) -> None:
        if not written:
            return
        rewards = self.evaluate(self.state, [content for content, _ in written])
        for (content, parents), reward in zip(written, rewards, strict=True):
            self.thoughts.append(Thought(content, reward_of(reward), parents))
