"""The solvers by name."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from secagent_env.support.errors import check_name
from solvers.interface.base import Solver

Factory = Callable[..., Solver]

# Named by module and class, so that listing the solvers imports none of their libraries.
_factories: dict[str, Factory | str] = {
    "asc": "solvers.asc.algorithm2:ASC",
    "asc-printed": "solvers.asc.printed:PrintedASC",
    "asc-plus": "solvers.asc_plus.solver:ASCPlus",
    "best-first": "solvers.best_first.solver:BestFirst",
    "de": "solvers.benchmarks.de:DE",
    "exact": "solvers.exact.solver:Exact",
    "fixedbf": "solvers.benchmarks.fixedbf:FixedBF",
    "fixedtp": "solvers.benchmarks.fixedtp:FixedTP",
    "ga": "solvers.benchmarks.ga:GA",
    "ipfirst": "solvers.benchmarks.ipfirst:IPFirst",
    "law": "solvers.law:LAW",
    "robust": "solvers.robust.solver:Robust",
    "randas": "solvers.benchmarks.randas:RandAS",
}


def names() -> list[str]:
    """Return the names of the solvers, those registered by the user included."""
    return sorted(_factories)


def register(name: str, factory: Factory) -> None:
    """Make ``factory(**options)``, which returns a solver, available as ``make(name)``.

    Raises
    ------
    ValueError
        If the name is taken, or the factory cannot be called.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"a solver's name must be a non-empty string, got {name!r}")
    if name in _factories and _factories[name] is not factory:
        raise ValueError(f"the solver name {name!r} is taken; choose another")
    if not callable(factory):
        raise ValueError(f"a solver's factory must be callable, got {factory!r}")
    _factories[name] = factory


def module_of(name: str) -> str:
    """Return the name of the module that defines a solver, without importing it; ValueError if there is none."""
    factory = _factory(name)
    if isinstance(factory, str):
        return factory.partition(":")[0]
    while isinstance(factory, functools.partial):
        factory = factory.func
    return factory.__module__


def registered() -> dict[str, Factory]:
    """Return the factories that were registered by the user, by name."""
    return {name: factory for name, factory in _factories.items() if not isinstance(factory, str)}


def restore(factories: Mapping[str, Factory]) -> None:
    """Register these factories, those of the process that sent the work, in a worker process; replace what is there."""
    _factories.update(factories)


def make(name: str, **options: Any) -> Solver:
    """Return the solver called ``name``.

    Raises
    ------
    ValueError
        If the name or an option is unknown, or an option is out of range.
    ImportError
        If the solver needs an extra that is not installed.
    """
    factory = _factory(name)
    if isinstance(factory, str):
        module, _, attribute = factory.partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    parameters = inspect.signature(factory).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        for option in options:
            check_name(f"option of {name}", option, parameters)
    return factory(**options)


def _factory(name: str) -> Factory | str:
    return _factories[check_name("solver", name, _factories)]
