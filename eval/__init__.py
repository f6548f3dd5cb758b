"""Evaluation: the `secagent` command, comparisons, the papers' experiments, studies, statistics and reports.

``command`` reads the command line; ``sweep`` computes cells once and keeps them; ``compare`` runs solvers on random
instances; ``experiments`` are the papers' tables and figures, ``studies`` and ``learners`` what goes beyond them;
``stats`` and ``report`` summarise results, ``bench`` measures speed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Variables that set the number of threads of NumPy's linear algebra."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let the linear algebra of processes started inside use one thread; ours too, before NumPy is loaded.

    Matrices here are too small for more, workers would fight for the cores, and sums would depend on the
    number of threads.
    """
    before = {name: os.environ.get(name) for name in BLAS_THREADS}
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
