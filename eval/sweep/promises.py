"""What a cell's function promises of its rows: a row that was changed since is noticed before tables are made of it.

>>> @returns(columns(energy_j=finite, status=text))
... def solve(cell): ...
>>> solve.promise.fault({"energy_j": 1.0, "status": None})
'status is None'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from secagent_env.support.reading import parse_json

Check = Callable[[Mapping[str, Any]], str | None]
"""Returns what is wrong with a row; None if nothing is."""
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Kind:
    """The values that a column may have.

    Where a column of the same name holds text elsewhere in a folder, numbers are written as text too; ``plain`` says
    that they are read back.
    """

    fits: Callable[[Any], bool]
    plain: bool = False


@dataclass(frozen=True)
class Promise:
    """The kinds of some columns of a row, and a ``check`` of the whole."""

    kinds: Mapping[str, Kind]
    check: Check | None = None

    def __or__(self, other: Promise) -> Promise:
        return Promise({**self.kinds, **other.kinds}, self.check or other.check)

    def read(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with its numbers and truth values, where these were written as text."""
        texts = {name: row[name] for name, kind in self.kinds.items() if kind.plain and isinstance(row.get(name), str)}
        return {**row, **{name: _parsed(value, value) for name, value in texts.items()}}

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """Return how a row breaks the promise; None if it keeps it."""
        for name, kind in self.kinds.items():
            if not kind.fits(row.get(name)):
                return f"{name} is {row.get(name)!r:.40}"
        return self.check(row) if self.check else None


NOTHING = Promise({})


def returns(promise: Promise) -> Callable[[Function], Function]:
    """Return a decorator that says what the rows of a cell's function are like."""

    def promising(function: Function) -> Function:
        function.promise = promise  # type: ignore[attr-defined]
        return function

    return promising


def promise_of(function: Callable[..., Any]) -> Promise:
    """Return what a cell's function promises."""
    promise: Promise = getattr(function, "promise", NOTHING)
    return promise


def columns(**kinds: Kind) -> Promise:
    """Return the promise that every column is of its kind."""
    return Promise(kinds)


def optional(kind: Kind) -> Kind:
    """Return the kind whose values may be missing too."""
    return Kind(lambda value: value is None or kind.fits(value), kind.plain)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parsed(value: Any, otherwise: Any = None) -> Any:
    try:
        return parse_json(value, finite=False) if isinstance(value, str) else otherwise
    except ValueError:
        return otherwise


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        item is None or isinstance(item, (bool, int, float)) or _are_numbers(item) for item in value
    )


number = Kind(_is_number, plain=True)
"""Numbers, infinite ones and NaN among them."""
finite = Kind(lambda value: _is_number(value) and math.isfinite(value), plain=True)
count = Kind(lambda value: finite.fits(value) and value >= 0, plain=True)
flag = Kind(lambda value: isinstance(value, bool), plain=True)
text = Kind(lambda value: isinstance(value, str))
numbers = Kind(lambda value: _are_numbers(_parsed(value)))
"""Lists of numbers or truth values, or of such lists, as JSON."""
document = Kind(lambda value: isinstance(_parsed(value), dict))
"""Dicts, as JSON."""
counts = Kind(lambda value: document.fits(value) and all(map(count.fits, _parsed(value).values())))
"""Dicts of counts, as JSON."""
