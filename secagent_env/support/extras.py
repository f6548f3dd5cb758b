"""Optional dependencies, named by the extra that installs them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from types import ModuleType


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or raise ImportError with the command that installs it."""
    try:
        return _imported(module)
    except ImportError as error:
        raise ImportError(
            f"this needs {module.partition('.')[0]}, which could not be imported ({error}); "
            f"install it with: pip install 'secagent-env[{extra}]'"
        ) from error


def installed(module: str) -> bool:
    """Whether an optional dependency is installed, without importing it."""
    return importlib.util.find_spec(module) is not None


def _imported(module: str) -> ModuleType:
    """Import a module; matplotlib with it, whatever backend a notebook has left in the environment of its processes."""
    backend = os.environ.get("MPLBACKEND")
    if backend is None or "matplotlib" in sys.modules:
        return importlib.import_module(module)
    del os.environ["MPLBACKEND"]
    try:
        return importlib.import_module(module)
    finally:
        os.environ["MPLBACKEND"] = backend
        if matplotlib := sys.modules.get("matplotlib"):
            with contextlib.suppress(ValueError):  # an unknown backend: ours need none
                matplotlib.rcParams["backend"] = backend
