"""The cells of ``secagent study lifetime``: a policy in one episode of ``secagent/Lifetime-v0``."""

from __future__ import annotations

import functools
import time
from typing import Any

import gymnasium

import solvers
import solvers.lifetime.policies
import training
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, number, numbers, returns
from secagent_env import Scenario
from secagent_env.support.errors import unknown_name
from training.play.agents import TrainedAgent

ID, FUNCTION = "secagent/Lifetime-v0", "eval.studies.lifetime.cells:episode"


def describe_policy(name: str) -> dict[str, Any]:
    """Return what the options of a cell say of its policy: the name, and of a trained agent the weights.

    Raises
    ------
    ValueError
        If there is no such policy.
    """
    known = [*solvers.lifetime.policies.names(), *solvers.names()]
    if name in known:
        return {"policy": name}
    if name not in training.names() and not training.is_path(name):
        raise unknown_name("policy", name, [*known, *training.names()])
    return {"policy": name, "digest": training.load_agent(name).digest}


def player(name: str, scenario: Scenario, speed_m_s: float | None = None) -> tuple[Any, Any]:
    """Return an environment and the policy called ``name``, with ``reset`` and ``act``, that plays it.

    With a mean speed the agents move from task to task; policies see their links, and not where they are going.

    A policy of :mod:`solvers.lifetime.policies`, any solver (which then decides each task by itself), or a trained
    agent, shipped or at a path; one that was trained on ``secagent/Allocation-v0`` plays as a solver.
    """
    moving = {"mobility": "gauss-markov", "speed_m_s": speed_m_s, "motion_seen": False}
    motion: dict[str, Any] = {} if speed_m_s is None else moving

    def made(**formats: Any) -> Any:
        return gymnasium.make(ID, scenario=scenario, **motion, **formats)

    if name in solvers.lifetime.policies.names():
        env = made(action_format="dict")
        return env, solvers.lifetime.policies.make_policy(name, env)
    solver = solvers.make(name) if name in solvers.names() else training.load_agent(name)
    if isinstance(solver, TrainedAgent) and solver.environment == ID:
        return made(action_format=solver.action_format, observation_format=solver.observation_format), solver
    env = made(action_format="dict")
    return env, solvers.as_policy(solver, env)


_player = functools.lru_cache(maxsize=8)(lambda scenario, name, digest, speed: player(name, scenario, speed))


@returns(columns(served=count, unserved=count, bound=number, seconds=count, battery_j=numbers))
def episode(cell: Cell) -> Row:
    """Return how many tasks a policy serves in the episode of the seed ``seed + index``.

    The row holds the tasks ``served`` and ``unserved``, a ``bound`` that no policy exceeds in this episode, the
    processor time ``seconds`` per decision, and ``battery_j``, the batteries at the start and after each task,
    (tasks + 1, N), J.

    Raises
    ------
    ValueError
        If a trained agent is not the one that the cell is of.
    """
    name, digest = cell.options["policy"], cell.options.get("digest")
    if digest is not None and training.load_agent(name).digest != digest:
        raise ValueError(f"the policy of {name} was changed, or is another one on this machine")
    env, policy = _player(Scenario(**cell.options["scenario"]), name, digest, cell.options["speed_m_s"])
    seed = cell.seed + cell.index
    observation, _ = env.reset(seed=seed)
    policy.reset(seed=seed)
    running = env.unwrapped
    bound = solvers.lifetime.policies.tasks_bound(running.instance, running.battery_j, running.least_energy_j)
    batteries, served, seconds, ended = [running.battery_j.tolist()], 0, 0.0, False
    while not ended:
        began = time.process_time()
        action = policy.act(observation)
        seconds += time.process_time() - began
        observation, _, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
        served += int(info["served"])
        batteries.append(info["battery_j"].tolist())
    tasks = len(batteries) - 1
    counts = {"served": served, "unserved": tasks - served, "bound": bound}
    return {**counts, "seconds": seconds / tasks, "battery_j": batteries}
