"""Speed of many environments at once: the vector environment, its rivals, and what it cannot do without.

Every step of every environment ends an episode and begins one on a fresh instance, unless said otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from eval import usable_cores
from eval.bench.timing import Figure, in_turns, ratio_of, seconds_of, spread, verdict
from secagent_env import Scenario
from secagent_env.allocation.env import AllocationEnv
from secagent_env.support.extras import require

KEPT = 10
"""For how many steps instances are kept, where they are."""
REQUIRED_OVER_SYNC, MOST_OVER_NUMBERS, GOAL_OVER_NUMBERS, BRIDGE_KEEPS = 15, 4, 2.5, 0.8

_ROWS = {
    "sync": "SyncVectorEnv",
    "native": "vector environment",
    "kept": f"vector environment, instances kept for {KEPT} steps",
    "bridge": "vector environment behind GymVecEnv",
    "numbers": "the random numbers alone",
}
_CLOCK = {"sync": "SyncVectorEnv", "native": "vector environment", "threads": "vector environment, {} threads"}
MOST_THREADS = 4


def measure(scenario: Scenario, size: int, repeats: int, share: float, progress: Callable[[str], object]) -> Figure:
    """Measure steps of ``size`` environments in turns: seconds per environment and step, and the ratios."""
    progress(f"measuring {size} environments at once")
    make = partial(gymnasium.make_vec, "secagent/Allocation-v0", size, scenario=scenario)
    native, kept = make(), make(episodes_per_instance=KEPT)
    sync = SyncVectorEnv([partial(AllocationEnv, scenario)] * size, autoreset_mode=AutoresetMode.SAME_STEP)
    native.action_space.seed(0)
    actions = native.action_space.sample()

    def keep() -> None:
        for _ in range(KEPT):  # a list would hold the results of all steps
            kept.step(actions)

    envs: dict[str, Any] = {"sync": sync, "native": native, "kept": kept}
    tasks: dict[str, Callable[[], object]] = {
        "numbers": random_numbers(scenario, size),
        "native": lambda: native.step(actions),
        "kept": keep,
        "sync": lambda: sync.step(actions),
    }
    try:
        require("stable_baselines3", "rl")
    except ImportError as error:
        missing = f"The bridge to Stable-Baselines3 was not measured: {error}."
    else:
        from training.bridge import GymVecEnv

        missing = ""
        bridged = envs["bridge"] = GymVecEnv(make())
        tasks["bridge"] = lambda: bridged.step(actions)
    threads = min(MOST_THREADS, usable_cores())
    threaded = envs["threads"] = make(threads=threads)
    for env in envs.values():
        env.reset()
    seconds = in_turns(tasks, repeats, share)
    by_clock = {"sync": tasks["sync"], "native": tasks["native"], "threads": lambda: threaded.step(actions)}
    passed = in_turns(by_clock, repeats, share, time.perf_counter)
    for env in envs.values():
        env.close()
    seconds["kept"] /= KEPT
    return {
        "size": size,
        "per_step_s": {name: spread(values / size) for name, values in seconds.items()},
        "over_sync": spread(seconds["sync"] / seconds["native"]),
        "over_numbers": spread(seconds["native"] / seconds["numbers"]),
        "threads": threads,
        "clock_per_step_s": {name: spread(values / size) for name, values in passed.items()},
        "threads_over_sync": spread(passed["sync"] / passed["threads"]),
        "bridge_keeps": missing or spread(seconds["native"] / seconds["bridge"]),
    }


def random_numbers(scenario: Scenario, size: int) -> Callable[[], None]:
    """Return what draws the numbers of ``size`` instances: each from a generator of its own, into arrays that stay."""
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    generators = [np.random.default_rng(i) for i in range(size)]
    uniform = np.empty((size, 7 * n + 2 * eves))
    normal = np.empty((size, 2 * (n + eves) * antennas))
    exponential = np.empty((size, n * (n - 1) // 2 + n * eves))

    def draw() -> None:
        for generator, *out in zip(generators, uniform, normal, exponential, strict=True):
            generator.random(out=out[0])
            generator.standard_normal(out=out[1])
            generator.standard_exponential(out=out[2])

    return draw


def report(figures: Figure, table: Callable[[list[list[str]], list[str]], str]) -> list[str]:
    """Return the figures as paragraphs."""
    per_step = figures["per_step_s"]
    rows = [
        [name, seconds_of(per_step[key]), "" if key == "numbers" else f"{1 / per_step[key]['median']:,.0f}"]
        for key, name in _ROWS.items()
        if key in per_step
    ]
    threads, clock = figures["threads"], figures["clock_per_step_s"]
    clock_rows = [
        [name.format(threads), seconds_of(clock[key]), f"{1 / clock[key]['median']:,.0f}"]
        for key, name in _CLOCK.items()
    ]
    sync, several = figures["over_sync"], figures["threads_over_sync"]
    numbers, bridge = figures["over_numbers"], figures["bridge_keeps"]
    lines = [
        f"The vector environment takes {ratio_of(sync, ' times')} the steps per second of SyncVectorEnv on one thread, "
        f"and {ratio_of(several, ' times')} by the clock on {threads} "
        f"(at least {REQUIRED_OVER_SYNC} is required: {verdict(sync['median'] >= REQUIRED_OVER_SYNC)} on one, "
        f"{verdict(several['median'] >= REQUIRED_OVER_SYNC)} on {threads}).",
        f"It costs {ratio_of(numbers, ' times')} the random numbers alone "
        f"(at most {MOST_OVER_NUMBERS} is required: {verdict(numbers['median'] <= MOST_OVER_NUMBERS)}; "
        f"at most {GOAL_OVER_NUMBERS} is the goal: {verdict(numbers['median'] <= GOAL_OVER_NUMBERS)}).",
        bridge
        if isinstance(bridge, str)
        else f"The bridge to Stable-Baselines3 keeps {bridge['median']:.0%} of its steps per second "
        f"(at least {BRIDGE_KEEPS:.0%} is required: {verdict(bridge['median'] >= BRIDGE_KEEPS)}).",
    ]
    return [
        f"{figures['size']} environments at once, each step on fresh instances:\n\n"
        + table(rows, ["", "per environment and step", "steps per second"]),
        "The same by the clock, which is what a training waits for:\n\n"
        + table(clock_rows, ["", "per environment and step", "steps per second"]),
        "\n".join(lines),
    ]
