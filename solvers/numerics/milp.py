"""Integer programs by SciPy's HiGHS, whose occasional messages are kept off stdout."""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

import numpy as np
from scipy import optimize


def binary_program(
    cost: np.ndarray,
    binaries: int,
    matrix: np.ndarray,
    at_least: np.ndarray | list[float],
    *,
    low: np.ndarray | float = 0.0,
    high: np.ndarray | float = 1.0,
    gap: float = 0.0,
    seconds: float | None = None,
) -> Any:
    """Minimise cost·z subject to matrix z ≥ at_least, low ≤ z ≤ high, and z_i ∈ {0, 1} for the first ``binaries`` i.

    ``matrix`` is (R, V). HiGHS stops at the relative ``gap``, or after ``seconds``. The result is SciPy's; its ``x`` is
    None where no point was found.
    """
    return milp(
        cost,
        integrality=np.repeat([1, 0], [binaries, len(cost) - binaries]),
        bounds=optimize.Bounds(low, high),
        constraints=optimize.LinearConstraint(matrix, at_least, np.inf),
        options={"mip_rel_gap": gap} | ({} if seconds is None else {"time_limit": seconds}),
    )


def milp(*arguments: Any, **options: Any) -> Any:
    """Call ``scipy.optimize.milp`` while the process's stdout goes to stderr, HiGHS's messages included."""
    with _REDIRECTED:
        return optimize.milp(*arguments, **options)


class _StdoutToStderr:
    """Redirects the process's standard output, past Python, while any thread is inside; C's buffers are flushed."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._lock = threading.Lock()
        self._inside = 0
        self._kept: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._libc.fflush(None)
                try:
                    self._kept = os.dup(1)
                    os.dup2(2, 1)
                except OSError:  # one of them is closed, so that nothing can be misdirected
                    pass

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._kept is not None:
                self._libc.fflush(None)
                os.dup2(self._kept, 1)
                os.close(self._kept)
                self._kept = None


_REDIRECTED = _StdoutToStderr()
