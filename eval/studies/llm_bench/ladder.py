"""What the benchmark solves: frozen networks in steps of difficulty, in two views, by protocols of so many calls.

Network ``7700 + i`` of a step is ``sample_instance(Scenario.preset(step), 7700 + i)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from secagent_env import Instance, Scenario, sample_instance
from solvers.law.proposals import VIEWS
from solvers.law.solver import SUB_PROBLEMS

STEPS = ("small", "paper", "tight-latency", "contested", "dense")
"""Presets, from the easiest; the prompts of ``dense`` need a context of some 30000 tokens."""

USUAL_STEPS = STEPS[:-1]

FIRST_SEED = 7700
"""Of the networks of every step."""

MOST_NETWORKS = 100
"""Of a step."""

FORMS = ("schema", "prompt")
"""How the form of an answer is asked for: by the server's structured output, or by the prompt alone."""


@dataclass(frozen=True)
class Protocol:
    """How long LAW works on a network: rounds through its sub-problems, steps in each of them."""

    rounds: int
    iterations: int

    @property
    def calls(self) -> int:
        """The calls of a solve, at most."""
        return self.rounds * self.iterations * len(SUB_PROBLEMS)


PROTOCOLS = {"short": Protocol(rounds=1, iterations=3), "full": Protocol(rounds=3, iterations=10)}
"""``full`` is LAW's default."""


@dataclass(frozen=True, order=True)
class Task:
    """A network that a model is given: its step, its seed, the view of it, and how the answer's form is asked for."""

    step: str
    seed: int
    view: str = VIEWS[0]
    form: str = FORMS[0]

    @property
    def name(self) -> str:
        """What it is beside the network, as in ``paper/ranked/schema``."""
        return f"{self.step}/{self.view}/{self.form}"

    @classmethod
    def named(cls, name: str, seed: int) -> Task:
        """Return the task of a name; raise ValueError if there is none."""
        step, _, rest = name.partition("/")
        view, _, form = rest.partition("/")
        if step not in STEPS or view not in VIEWS or form not in FORMS:
            raise ValueError(f"the benchmark has no task {name!r:.80}")
        return cls(step, seed, view, form)


def network(step: str, seed: int) -> Instance:
    """Return a network of a step."""
    return sample_instance(Scenario.preset(step), seed)


def law_options(task: Task, protocol: Protocol) -> dict[str, Any]:
    """Return the options of LAW for a task, but for who answers."""
    steps = {"rounds": protocol.rounds, "iterations": protocol.iterations}
    return {**steps, "view": task.view, "structured": task.form == FORMS[0]}
