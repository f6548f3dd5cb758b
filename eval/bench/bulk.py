"""Speed of networks by counter in machine code (``rng="bulk"``) beside those of a generator in each environment.

Every step of every environment ends an episode and begins one on a fresh instance, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium

from eval.bench.timing import Figure, in_turns, ratio_of, seconds_of, spread, verdict
from secagent_env import Scenario
from secagent_env.support.extras import require

GOAL = 2.5
"""How many times the steps per second of the default are the goal."""

_FORMATS: dict[str, dict[str, Any]] = {
    "flat": {},
    "guided": {"action_format": "guided"},
    "guided, compact": {"action_format": "guided", "observation_format": "compact"},
}
"""Names of the formats of actions and observations, and the arguments that choose them."""


def measure(
    scenario: Scenario, size: int, repeats: int, share: float, progress: Callable[[str], object]
) -> Figure | str:
    """Measure steps of ``size`` environments with both ``rng`` in turns, or return a sentence why there are none."""
    try:
        require("numba", "fast")
    except ImportError as error:
        return f"rng='bulk' was not measured: {error}."
    progress(f"measuring {size} environments on networks in bulk")
    figures: Figure = {"size": size}
    for name, formats in _FORMATS.items():
        tasks: dict[str, Callable[[], object]] = {}
        for rng in ("streams", "bulk"):
            envs = gymnasium.make_vec("secagent/Allocation-v0", size, scenario=scenario, rng=rng, **formats)
            envs.reset(seed=0)
            envs.action_space.seed(0)
            tasks[rng] = partial(envs.step, envs.action_space.sample())
        seconds = in_turns(tasks, repeats, share)
        figures[name] = {
            **{rng: spread(values / size) for rng, values in seconds.items()},
            "ratio": spread(seconds["streams"] / seconds["bulk"]),
        }
    return figures


def report(figures: Figure | str, table: Callable[[list[list[str]], list[str]], str]) -> str:
    """Return the figures as a paragraph."""
    if isinstance(figures, str):
        return figures
    rows = [
        [
            name,
            *(seconds_of(figures[name][rng]) for rng in ("streams", "bulk")),
            f"{1 / figures[name]['bulk']['median']:,.0f}",
            f"{ratio_of(figures[name]['ratio'])}: {verdict(figures[name]['ratio']['median'] >= GOAL)}",
        ]
        for name in _FORMATS
    ]
    headers = ["formats", "rng='streams'", "rng='bulk'", "steps per second", f"times faster (goal {GOAL})"]
    return f"{figures['size']} environments on networks in bulk, per environment and step:\n\n" + table(rows, headers)
