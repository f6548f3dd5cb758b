"""Arguments of environments, listed, explained and checked once, in a dataclass of their rules; options of a reset."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from secagent_env.support.errors import unknown_name

_E = TypeVar("_E", bound=type)


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
    """Return the options of a reset, every one of ``names``, None where it is not given.

    Raises
    ------
    ValueError
        If another option is given.
    """
    given = options or {}
    for name in given:
        if name not in names:
            raise unknown_name("reset option", name, names)
    return {name: given.get(name) for name in names}
