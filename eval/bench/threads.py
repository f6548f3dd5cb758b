"""What a program pays that leaves NumPy's linear algebra its default threads, beside busy processes.

Solves are timed by the clock, in processes of their own, since the number of threads is fixed when NumPy is loaded.
Processes with one thread and with the default number take turns.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from eval import BLAS_THREADS, usable_cores
from eval.bench.timing import Figure, ratio_of, seconds_of, spread, verdict

SOLVER = "exact"
REQUIRED = 1.5
"""How many times its time with one thread a solve may take with the default threads."""
_CODE = """
import time
import numpy, solvers
from secagent_env import sample_instance
solver = solvers.make({solver!r})
instances = sample_instance("paper", 0, {count})
solver.solve(instances[0])
times = []
for instance in instances:
    began = time.perf_counter()
    solver.solve(instance)
    times.append(time.perf_counter() - began)
print(numpy.median(times))
"""


def measure(*, repeats: int, solves: int) -> Figure:
    """Return the median seconds of a solve with one thread and with the default ones, and their ratios."""
    alone = {**os.environ, **dict.fromkeys(BLAS_THREADS, "1")}
    default = {name: value for name, value in os.environ.items() if name not in BLAS_THREADS}
    code = _CODE.format(solver=SOLVER, count=solves)
    with _busy(usable_cores()):
        pairs = np.array([[_seconds(code, environment) for environment in (alone, default)] for _ in range(repeats)])
    return {
        "one_s": spread(pairs[:, 0]),
        "default_s": spread(pairs[:, 1]),
        "ratio": spread(pairs[:, 1] / pairs[:, 0]),
    }


def report(figure: Figure) -> str:
    """Return the figures in words."""
    return (
        f"Beside busy processes, {SOLVER} takes {seconds_of(figure['default_s'])} by the clock with NumPy's default "
        f"threads, and {seconds_of(figure['one_s'])} with one: {ratio_of(figure['ratio'], ' times as long')} "
        f"(at most {REQUIRED} is required: {verdict(figure['ratio']['median'] <= REQUIRED)})."
    )


def _seconds(code: str, environment: dict[str, str]) -> float:
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep so many cores busy."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _spin() -> None:
    while True:
        pass
