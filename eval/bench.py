"""Speed: what `evaluate`, the sampler, the environment and the solvers cost, side by side in one run.

Figures in seconds are true of one machine at one moment, so the ones to quote are ratios: what is compared is
measured in turns, repeat by repeat, and a ratio is the median over the repeats. One BLAS thread.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
import scipy

import solvers
from eval.compare import DEFAULT_SOLVERS, instance_at, solver_seed
from eval.statistics import Interval
from eval.table import with_unit
from secagent_env import Decision, Instance, Scenario, __version__, evaluate, sample_instance
from secagent_env._extras import require

BATCH = 1024
REQUIRED_RATIO = 15
GROWTH_BATCH = 128
GROWTH = ((10, 20), (30, 20), (100, 20), (200, 20), (30, 4), (30, 64))
"""The (N, L) at which the growth of `evaluate` is measured."""

Figure = dict[str, Any]


def measure(*, quick: bool = False, progress: Callable[[str], object] = lambda text: None) -> Figure:
    """Measure everything and return the figures, as plain numbers.

    Parameters
    ----------
    quick
        Fewer repeats, sizes and solves: a trial of the command, its figures are rough.
    progress
        Called with a sentence before each part.
    """
    repeats, share = (5, 0.005) if quick else (15, 0.05)
    scenario = Scenario()
    progress("measuring evaluate")
    evaluation = _evaluate(scenario, BATCH, repeats, share)
    progress("measuring how evaluate grows with N and L")
    growth = []
    for agents, antennas in GROWTH[:2] if quick else GROWTH:
        size = scenario.replace(num_agents=agents, num_antennas=antennas)
        times = _evaluate(size, GROWTH_BATCH, max(5, repeats // 3), share)
        growth.append({"num_agents": agents, "num_antennas": antennas, **times})
    progress("measuring the sampler and the environment")
    sampling = _sampling(scenario, repeats, share)
    return {
        "machine": machine(),
        "quick": quick,
        "batch": BATCH,
        "growth_batch": GROWTH_BATCH,
        "evaluate": evaluation,
        "growth": growth,
        "sampling": sampling,
        "episode": _episode(scenario, repeats, share),
        "solvers": _solvers(scenario, 1 if quick else 5, progress),
    }


def machine() -> Figure:
    """Return what the figures were measured on."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "secagent": __version__,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def in_turns(tasks: Mapping[str, Callable[[], object]], repeats: int, share: float) -> dict[str, np.ndarray]:
    """Return seconds per call, (repeats,), of tasks measured in turns, for about ``share`` seconds each."""
    calls = {}
    for name, task in tasks.items():
        task()  # whatever happens only once
        began = time.perf_counter()
        task()
        calls[name] = max(1, round(share / max(time.perf_counter() - began, 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            began = time.perf_counter()
            for _ in range(calls[name]):
                task()
            seconds[name].append((time.perf_counter() - began) / calls[name])
    return {name: np.array(values) for name, values in seconds.items()}


def spread(values: np.ndarray) -> Figure:
    """Return the median and the quartiles."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high), "repeats": int(values.size)}


def random_decisions(instance: Instance, rng: np.random.Generator) -> Decision:
    """Return a decision per instance: N_min random agents, a random beam of full power, powers of 1 nW."""
    scenario, batch = instance.scenario, instance.batch_shape
    order = rng.random((*batch, scenario.num_agents)).argsort(axis=-1)
    beam = rng.standard_normal((*batch, scenario.num_antennas, 2)).view(complex)[..., 0]
    beam *= np.sqrt(scenario.bs_power_w) / np.linalg.norm(beam, axis=-1, keepdims=True)
    return Decision(selection=order < scenario.required_agents, beamformer=beam, power_w=np.full(order.shape, 1e-9))


def _evaluate(scenario: Scenario, size: int, repeats: int, share: float) -> Figure:
    instances = sample_instance(scenario, 0, size)
    decisions = random_decisions(instances, np.random.default_rng(0))
    instance, decision = instances[0], decisions[0]
    tasks = {"single": lambda: evaluate(instance, decision), "batch": lambda: evaluate(instances, decisions)}
    return _single_and_batch(tasks, size, repeats, share)


def _sampling(scenario: Scenario, repeats: int, share: float) -> Figure:
    tasks = {
        "single": lambda: sample_instance(scenario, 0),
        "batch": lambda: sample_instance(scenario, 0, BATCH),
    }
    return _single_and_batch(tasks, BATCH, repeats, share)


def _single_and_batch(tasks: Mapping[str, Callable[[], object]], size: int, repeats: int, share: float) -> Figure:
    seconds = in_turns(tasks, repeats, share)
    each = seconds["batch"] / size
    return {
        "single_s": spread(seconds["single"]),
        "per_instance_s": spread(each),
        "ratio": spread(seconds["single"] / each),
    }


def _episode(scenario: Scenario, repeats: int, share: float) -> Figure:
    env = gymnasium.make("secagent/Allocation-v0", scenario=scenario, disable_env_checker=True)
    env.action_space.seed(0)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(64)]
    count = 0

    def episode() -> None:
        nonlocal count
        env.reset()
        env.step(actions[count % len(actions)])
        count += 1

    seconds = in_turns({"episode": episode}, repeats, share)["episode"]
    env.close()
    return spread(seconds)


def _solvers(scenario: Scenario, count: int, progress: Callable[[str], object]) -> dict[str, Figure]:
    figures = {}
    for name in DEFAULT_SOLVERS:
        progress(f"measuring {name}")
        solver = solvers.make(name)
        solutions = [solver.solve(instance_at(scenario, 0, i), seed=solver_seed(0, i)) for i in range(count)]
        seconds = np.array([solution.wall_time_s for solution in solutions])
        feasible = sum(bool(solution.outcome.feasible) for solution in solutions)
        figures[name] = {**spread(seconds), "feasible": feasible}
    return figures


def report(results: Figure) -> str:
    """Return the figures as text."""
    tabulate = require("tabulate", extra="eval").tabulate

    def table(rows: list[list[str]], headers: list[str]) -> str:
        return str(tabulate(rows, headers, tablefmt="github", disable_numparse=True))

    where, evaluation, sampling = results["machine"], results["evaluate"], results["sampling"]
    ratio = evaluation["ratio"]["median"]
    verdict = "met" if ratio >= REQUIRED_RATIO else "NOT met"
    headers = ["", "single", f"in a batch of {results['batch']}, each", "times cheaper"]
    rows = [["evaluate", *_row(evaluation)], ["sample_instance", *_row(sampling)]]
    growth = [[str(row["num_agents"]), str(row["num_antennas"]), *_row(row)] for row in results["growth"]]
    solve = [[name, _seconds(row), f"{row['feasible']}/{row['repeats']}"] for name, row in results["solvers"].items()]
    parts = [
        f"{where['processor']}, {where['usable_cores']} of {where['cores']} cores usable, "
        f"load {where['load']}, {where['system']}; Python {where['python']}, "
        f"NumPy {where['numpy']}, SciPy {where['scipy']}, secagent {where['secagent']}; one BLAS thread.\n"
        "Medians with quartiles; N = 30 agents, L = 20 antennas (preset paper) unless said otherwise."
        + ("\nA quick run: the figures are rough." if results["quick"] else ""),
        table(rows, headers),
        f"evaluate in a batch costs 1/{ratio:.1f} of a single call per instance "
        f"(at most 1/{REQUIRED_RATIO} is required: {verdict}).",
        "How evaluate grows with N and L:\n\n"
        + table(growth, ["N", "L", "single", f"in a batch of {results['growth_batch']}, each", "times cheaper"]),
        f"An episode of secagent/Allocation-v0 (reset and step): {_seconds(results['episode'])}",
        "Seconds of a solve:\n\n" + table(solve, ["solver", "time", "feasible"]),
    ]
    return "\n\n".join(parts)


def _row(figure: Figure) -> list[str]:
    ratio = figure["ratio"]
    return [
        _seconds(figure["single_s"]),
        _seconds(figure["per_instance_s"]),
        f"{ratio['median']:.1f} [{ratio['low']:.1f}, {ratio['high']:.1f}]",
    ]


def _seconds(figure: Figure) -> str:
    return with_unit(Interval(figure["median"], figure["low"], figure["high"], figure["repeats"]), "s", digits=3)
