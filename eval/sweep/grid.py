"""Cells by the million: sequences that make a cell when it is asked for, so that counting them costs nothing."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from eval.sweep.cells import Cell
from secagent_env.support.checks import integer

MOST_CELLS = 10_000_000
"""Of a run: more do not fit into memory."""
MOST = 10**9
"""Of whatever cells are counted by: nothing could compute more."""
MOST_AT_ONCE = 1_000_000
"""Of networks or games that a single cell computes with."""


def number_of(name: str, value: object, *, most: int = MOST) -> int:
    """Return a number of things to compute, at least 1; raise ValueError if it is none, or nothing could compute it."""
    number = integer(name, value, 1)
    if number > most:
        raise ValueError(f"{name} must be at most {most}, got {number}: nothing could compute so many")
    return number


class Grid(Sequence[Cell]):
    """The cells of some prototypes with the indices from 0 below ``count``, index by index."""

    def __init__(self, prototypes: Iterable[Cell], count: int) -> None:
        self.prototypes, self.indices = tuple(prototypes), range(count)

    def __len__(self) -> int:
        return len(self.prototypes) * len(self.indices)

    def __iter__(self) -> Iterator[Cell]:
        return (cell.at(index) for index in self.indices for cell in self.prototypes)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        return self.prototypes[place % len(self.prototypes)].at(place // len(self.prototypes))

    def map(self, change: Callable[[Cell], Cell]) -> Grid:
        """Return the grid of the changed prototypes."""
        return Grid(map(change, self.prototypes), len(self.indices))


class Chain(Sequence[Cell]):
    """Sequences of cells, one after the other."""

    def __init__(self, parts: Iterable[Sequence[Cell]]) -> None:
        self.parts = tuple(parts)
        self._ends = list(itertools.accumulate(map(len, self.parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Cell]:
        return itertools.chain.from_iterable(self.parts)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        part = bisect.bisect_right(self._ends, place)
        return self.parts[part][place - (self._ends[part] - len(self.parts[part]))]


def families(cells: Sequence[Cell]) -> Iterator[tuple[Cell, range]]:
    """Yield cells that others differ from in the index alone, with all of these indices."""
    if isinstance(cells, Grid):
        yield from ((cell, cells.indices) for cell in cells.prototypes)
    elif isinstance(cells, Chain):
        for part in cells.parts:
            yield from families(part)
    else:
        yield from ((cell, range(cell.index, cell.index + 1)) for cell in cells)


def union(ranges: Iterable[range]) -> list[range]:
    """Return what is in some ranges, as ranges that share nothing, in order."""
    joined: list[range] = []
    for one in sorted(ranges, key=lambda each: (each.start, each.stop)):
        if joined and one.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(one.stop, joined[-1].stop))
        elif one:
            joined.append(one)
    return joined
