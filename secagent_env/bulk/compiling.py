"""Compilation with numba, an optional dependency: a module that imports this one needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from secagent_env.support.extras import require

numba = require("numba", "fast")

Compiled = Callable[..., Any]


def compiled(function: Compiled) -> Compiled:
    """Return a function in machine code, compiled at its first call. It releases the GIL, and does not check indices.

    The code is kept for other processes where numba keeps it: in ``NUMBA_CACHE_DIR``, or beside the module, or in the
    user's cache; where none of these can be written, each process compiles anew. Numba looks at the module's file alone
    to tell whether the code is that of another version: what a compiled function calls must be in the same module, and
    after a change of the options below what is kept has to be deleted.
    """
    try:
        return _jit(function, cache=True)
    except RuntimeError:  # there is no place to keep it
        return _jit(function)


def inlined(function: Compiled) -> Compiled:
    """Return a function whose code becomes part of the :func:`compiled` ones of its module that call it.

    So it is compiled anew for each, and loops over it are vectorised.
    """
    return _jit(function, inline="always")


def summing(function: Compiled) -> Compiled:
    """Return a function for :func:`compiled` ones of its module, whose sums may be in any order: several at a time."""
    return _jit(function, fastmath={"reassoc", "contract"})


def _jit(function: Compiled, **options: Any) -> Compiled:
    made: Compiled = numba.njit(nogil=True, error_model="numpy", **options)(function)
    return made
