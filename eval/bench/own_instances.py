"""Instances of the user's own, mapped from a folder, beside random ones: steps per second, and memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium
import numpy as np

from eval.bench.timing import Figure, in_turns, ratio_of, seconds_of, spread
from secagent_env import Instance, Scenario, sample_instance

COUNT, QUICK_COUNT, PART = 100_000, 2_000, 1_000
_ROWS = {"random": "drawn from the scenario", "own": "own, from a mapped folder"}


def measure(
    scenario: Scenario, count: int, size: int, repeats: int, share: float, progress: Callable[[str], object]
) -> Figure:
    """Measure steps of ``size`` environments on ``count`` instances in a folder, and on random ones, in turns."""
    progress(f"writing and playing {count} own instances")
    with tempfile.TemporaryDirectory(prefix="secagent-bench-") as folder:
        path = Path(folder) / "own"
        Instance.save_folder(path, _parts(scenario, count))
        envs = {"random": gymnasium.make_vec("secagent/Allocation-v0", size, scenario=scenario)}
        before = _resident_bytes()
        instances = Instance.load(path)
        opened = _resident_bytes()
        own = envs["own"] = gymnasium.make_vec("secagent/Allocation-v0", size, instances=instances)
        for env in envs.values():
            env.reset(seed=0)
        own.action_space.seed(0)
        actions = own.action_space.sample()
        tasks = {name: (lambda env=env: env.step(actions)) for name, env in envs.items()}
        seconds = in_turns(tasks, repeats, share)
        for env in envs.values():
            env.close()
        return {
            "count": count,
            "size": size,
            "bytes": sum(file.stat().st_size for file in path.glob("*.npy")),
            "opening_bytes": opened - before,
            "own_bytes": _resident_bytes(),
            "per_step_s": {name: spread(values / size) for name, values in seconds.items()},
            "over_random": spread(seconds["own"] / seconds["random"]),
        }


def report(figures: Figure, table: Callable[[list[list[str]], list[str]], str]) -> list[str]:
    """Return the figures as paragraphs."""
    per_step = figures["per_step_s"]
    rows = [[name, seconds_of(per_step[key]), f"{1 / per_step[key]['median']:,.0f}"] for key, name in _ROWS.items()]
    return [
        f"{figures['count']:,} own instances ({figures['bytes'] / 1e9:.3g} GB in a folder), "
        f"{figures['size']} environments at once:\n\n"
        + table(rows, ["instances", "per environment and step", "steps per second"]),
        f"A step on own instances takes {ratio_of(figures['over_random'], ' times')} that on random ones. Opening the "
        f"folder takes {figures['opening_bytes'] / 1e6:.1f} MB of memory; what is read stays in the system's cache, "
        "which it takes back where it needs it.",
    ]


def _parts(scenario: Scenario, count: int) -> Iterator[Instance]:
    rng = np.random.default_rng(0)
    for start in range(0, count, PART):
        yield sample_instance(scenario, rng, min(PART, count - start))


def _resident_bytes() -> float:
    """Return the memory of this process that is its own and no mapped file; NaN where the system does not say."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            return next(1024.0 * int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return math.nan
