"""One thread for the linear algebra of small matrices: more of them wait for each other, and for busy cores."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

_lock = threading.Lock()
_inside = 0
_limits: Any = None


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let NumPy's and SciPy's linear algebra use one thread inside the block, in all threads of this process.

    Blocks may be nested, and entered by several threads: the last that ends restores the number of threads.
    """
    global _inside, _limits
    with _lock:
        if _inside == 0:
            _limits = _libraries().limit(limits=1)
            _let_go()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limits.restore_original_limits()
                _let_go()


def _let_go() -> None:
    """Let any thread change the numbers again: threadpoolctl keeps that to the one which did it first."""
    for library in _libraries().lib_controllers:
        getattr(library, "clear_controlling_thread", lambda: None)()


@functools.cache
def _libraries() -> ThreadpoolController:
    """Return the BLAS libraries that are loaded; looked up once, since that takes longer than a solve."""
    import scipy.linalg  # noqa: F401  (SciPy brings a BLAS of its own)

    return ThreadpoolController().select(user_api="blas")
