"""What each channel model costs: sampling, and stepping the environment, beside Rayleigh fading in one run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium

from eval.bench.timing import Figure, in_turns, ratio_of, seconds_of, spread, verdict
from secagent_env import Scenario, sample_instance

REQUIRED = 1.5
"""How many times Rayleigh's time a model may take; one-ring scatter, a matrix for every link, may take longer."""
_RICIAN = {"fading": "rician", "rician_k_db": 9.0}
MODELS: dict[str, dict[str, Any]] = {
    "paper, Rayleigh": {},
    "umi": {"path_loss": "umi"},
    "uma": {"path_loss": "uma"},
    "inh": {"path_loss": "inh", "area_m": (0.0, 80.0), "eve_area_m": (80.0, 100.0)},
    "Rician": _RICIAN,
    "Rician, line array": {**_RICIAN, "array": "ula"},
    "Rician, plane array": {**_RICIAN, "array": "upa"},
    "exponential scatter": {"array": "ula", "scatter_correlation": "exponential"},
    "umi, Rician, line array": {"path_loss": "umi", "fading": "rician", "array": "ula"},
    "one-ring scatter": {"array": "ula", "scatter_correlation": "one-ring"},
}
"""The fields in which each differs from the preset ``paper``; the first is the yardstick."""
TOGETHER = ("umi, Rician, line array", "one-ring scatter")
"""Models without a requirement: several parts together, and the one that takes a matrix for every link."""


def measure(size: int, repeats: int, share: float) -> dict[str, Figure]:
    """Return the processor seconds per instance and per step of each model, and their ratios to Rayleigh's.

    ``size`` instances, or environments, at once; in turns, for about ``share`` seconds each.
    """
    scenarios = {name: Scenario(**fields) for name, fields in MODELS.items()}
    tasks: dict[str, Callable[[], object]] = {
        name: partial(sample_instance, scenario, 0, size) for name, scenario in scenarios.items()
    }
    sampling = in_turns(tasks, repeats, share)
    envs = {
        name: gymnasium.make_vec(
            "secagent/Allocation-v0", size, "vector_entry_point", scenario=scenario, action_format="guided"
        )
        for name, scenario in scenarios.items()
    }
    steps: dict[str, Callable[[], object]] = {}
    for name, env in envs.items():
        env.reset(seed=0)
        env.action_space.seed(0)
        steps[name] = partial(env.step, env.action_space.sample())
    stepping = in_turns(steps, repeats, share)
    for env in envs.values():
        env.close()
    first = next(iter(MODELS))
    return {
        name: {
            "per_instance_s": spread(sampling[name] / size),
            "ratio": spread(sampling[name] / sampling[first]),
            "per_step_s": spread(stepping[name] / size),
            "step_ratio": spread(stepping[name] / stepping[first]),
        }
        for name in MODELS
    }


def report(figures: dict[str, Figure], table: Callable[[list[list[str]], list[str]], str]) -> str:
    """Return the figures as a table, and whether the requirement is met."""
    rows = [
        [
            name,
            seconds_of(figure["per_instance_s"]),
            ratio_of(figure["ratio"]),
            seconds_of(figure["per_step_s"]),
            ratio_of(figure["step_ratio"]),
        ]
        for name, figure in figures.items()
    ]
    worst = max(figure["ratio"]["median"] for name, figure in figures.items() if name not in TOGETHER)
    return (
        "Channel models, per instance of a batch and per step of an environment of a batch:\n\n"
        + table(rows, ["model", "sampling", "times Rayleigh's", "a step", "times Rayleigh's"])
        + f"\n\nPath loss, Rician fading, arrays and exponential scatter take {worst:.2f} times Rayleigh's sampling at "
        f"most (at most {REQUIRED} is required: {verdict(worst <= REQUIRED)})."
    )
