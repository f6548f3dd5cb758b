"""Speed of many power control games at once: the vector environment beside as many scalar ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from eval.bench.timing import Figure, in_turns, ratio_of, seconds_of, spread
from secagent_env.power_control.env import PowerControlEnv

SIZE = 256


def measure(num_pairs: int, size: int = SIZE, repeats: int = 15, share: float = 0.2) -> Figure:
    """Measure steps of ``size`` environments in turns, in one process: seconds per environment and step, and the ratio.

    Every tenth step ends the episodes and draws new games.
    """
    native = gymnasium.make_vec("secagent/PowerControl-v0", size, num_pairs=num_pairs)
    sync = SyncVectorEnv([partial(PowerControlEnv, num_pairs)] * size, autoreset_mode=AutoresetMode.SAME_STEP)
    native.action_space.seed(0)
    actions = native.action_space.sample()

    def episode(env: Any) -> None:
        for _ in range(10):
            env.step(actions)

    envs: Mapping[str, Any] = {"native": native, "sync": sync}
    for env in envs.values():
        env.reset(seed=0)
    tasks = {name: partial(episode, env) for name, env in envs.items()}
    seconds = {name: values / (10 * size) for name, values in in_turns(tasks, repeats, share).items()}
    for env in envs.values():
        env.close()
    return {
        "num_pairs": num_pairs,
        "size": size,
        "per_step_s": {name: spread(values) for name, values in seconds.items()},
        "over_sync": spread(seconds["sync"] / seconds["native"]),
    }


def report(figures: Sequence[Figure], table: Callable[[list[list[str]], list[str]], str]) -> str:
    """Return the figures as a table."""
    rows = []
    for figure in figures:
        per_step = (seconds_of(figure["per_step_s"][name]) for name in ("sync", "native"))
        rows.append([str(figure["num_pairs"]), *per_step, ratio_of(figure["over_sync"])])
    size = figures[0]["size"] if figures else SIZE
    note = f"Processor time per environment and step, {size} environments at once, medians with quartiles; in turns."
    return table(rows, ["pairs", "SyncVectorEnv", "vector environment", "times faster"]) + f"\n\n{note}"
