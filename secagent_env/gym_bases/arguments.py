"""Arguments of environments, which a dataclass of their rules lists, explains and checks; options of a reset."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import numpy as np

from secagent_env.model.batched import Batched
from secagent_env.support.errors import check_name

_E = TypeVar("_E", bound=type)
_B = TypeVar("_B", bound=Batched)


def takes_arguments_of(rules: type) -> Callable[[_E], _E]:
    """Return a decorator of environments that hand ``**arguments`` on to a dataclass.

    The constructor gets a signature with the keywords of the dataclass in their place, and raises the TypeError of one
    that lists them.
    """

    def decorate(env: _E) -> _E:
        construct = env.__init__  # type: ignore[misc]
        own = inspect.signature(construct)
        listed = {p.name: p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD}
        for p in inspect.signature(rules).parameters.values():
            listed.setdefault(p.name, p.replace(kind=p.KEYWORD_ONLY))
        signature = own.replace(parameters=sorted(listed.values(), key=lambda p: p.kind))

        @functools.wraps(construct)
        def __init__(self: Any, *args: Any, **arguments: Any) -> None:
            try:
                signature.bind(self, *args, **arguments)
            except TypeError as error:
                raise TypeError(f"{env.__qualname__}.__init__() {error}") from None
            construct(self, *args, **arguments)

        __init__.__signature__ = signature  # type: ignore[attr-defined]
        env.__init__ = __init__  # type: ignore[misc]
        return env

    return decorate


def reset_options(options: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    """Return the options of a reset, None for those of ``names`` not given; ValueError where there is another."""
    given = options or {}
    for name in given:
        check_name("reset option", name, names)
    return {name: given.get(name) for name in names}


def fitting(name: str, given: Any, kind: type[_B], batches: Collection[tuple[int, ...]], **wanted: float) -> _B:
    """Return the option ``name`` of a reset, as NumPy arrays.

    ValueError where it is of another kind, of none of the batch shapes, or an attribute, or a field of its scenario, is
    not as ``wanted``, that is as in the environment.
    """
    called = f"options[{name!r}]"
    if not isinstance(given, kind):
        raise ValueError(f"{called} must be of type {kind.__name__}, got {type(given).__name__}")
    if given.batch_shape not in batches:
        valid = " or ".join(f"a batch {batch}" if batch else "a single one" for batch in batches)
        raise ValueError(f"{called} must be {valid}, got the batch shape {given.batch_shape}")
    for field, value in wanted.items():
        got = getattr(getattr(given, "scenario", given), field)
        if got != value:
            raise ValueError(f"{called} must have {field} = {value:g} as the environment, got {got:g}")
    return given if isinstance(getattr(given, given._arrays[0]), np.ndarray) else given.to(np)
