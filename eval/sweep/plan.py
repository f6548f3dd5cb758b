"""What a run would do: cells are counted, and their times estimated, without making more than there are results of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.sweep.cells import Cell
from eval.sweep.engine import CELLS, Sweep, backend_of, in_words, name_left_out
from eval.sweep.grid import families, union
from eval.sweep.state import Times, believed
from eval.sweep.store import Store
from eval.sweep.workers import Here
from secagent_env.support.units import plural


@dataclass(frozen=True)
class Plan:
    """What a run would do: how many cells there are, are finished, have failed, and would be computed."""

    cells: int
    finished: int
    failed: int
    missing: int
    seconds: float  # about how long that would take, without the schemes of whose time nothing is known
    workers: int
    unknown: tuple[str, ...] = ()  # these schemes

    def __str__(self) -> str:
        counts = f"{self.cells} cells: {self.finished} finished, {self.failed} failed, {self.missing} to be computed"
        if not self.missing:
            return counts
        but = f", and longer for {', '.join(self.unknown)}, of whose time nothing is known" * bool(self.unknown)
        return f"{counts}, in about {in_words(self.seconds)} on {plural(self.workers, 'worker')}{but}"


def plan(
    sweep: Sweep,
    out: Path | str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
) -> Plan:
    """Count the cells of a sweep and estimate how long :func:`run_sweep` would take; it writes nothing.

    Times are those of the cells in the folder. Of schemes that are not there, one cell each is computed for its time,
    but none of those that cost more than time, leave files behind or take minutes.
    """
    opened = backend_of(workers, scheduler)
    store = Store(Path(out) / CELLS)
    table = store.table()
    name_left_out(store)
    times = Times(table)
    counted = [_Family(cell, indices) for cell, indices in _distinct(sweep.cells)]
    _look_up(counted, store, table if not fresh else table[:0])
    for family in counted:
        family.again = retry_failed
    missing = sum(family.missing for family in counted)
    wanting = [family for family in counted if family.missing]
    untimed = {
        family.cell.group: family for family in reversed(wanting) if times.expected(family.cell, roughly=True) is None
    }
    trials = [family.first_missing() for family in untimed.values() if not (family.cell.paid or family.cell.lasting)]
    with opened(missing, wait=False) as backend:
        tried = {cell.key: cell for cell in trials}
        for chunk in (backend if backend.cores else Here()).run(trials, sweep.work(), times.expected):
            for done in chunk:
                times.add(tried[done.key], done)
        cores = max(1, min(backend.cores, missing))
    takes = {id(family): times.expected(family.cell, roughly=True) for family in wanting}
    return Plan(
        cells=sum(family.total for family in counted),
        finished=sum(len(family.finished) for family in counted),
        failed=sum(len(family.failed) for family in counted),
        missing=missing,
        seconds=sum(family.missing * (takes[id(family)] or 0.0) for family in wanting) / cores,
        workers=cores,
        unknown=tuple(dict.fromkeys(family.cell.scheme for family in wanting if takes[id(family)] is None)),
    )


class _Family:
    """Cells that differ in the index alone: those of some indices, and which of them are finished or have failed."""

    def __init__(self, cell: Cell, indices: Sequence[range]) -> None:
        self.cell, self.indices = cell, indices
        self.total = sum(map(len, indices))
        self.finished: set[int] = set()
        self.failed: set[int] = set()
        self.again = False

    @property
    def missing(self) -> int:
        """How many are to be computed."""
        return self.total - len(self.finished) - len(self.failed) * (not self.again)

    def first_missing(self) -> Cell:
        """Return the first cell that is to be computed."""
        done = self.finished if self.again else self.finished | self.failed
        return self.cell.at(next(index for one in self.indices for index in one if index not in done))


def _distinct(cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[range]]]:
    """Yield cells with the indices of all that differ from them in the index alone; none is there twice."""
    found: dict[str, tuple[Cell, list[range]]] = {}
    for cell, indices in families(cells):
        found.setdefault(cell.at(0).key, (cell, []))[1].append(indices)
    yield from ((cell, union(ranges)) for cell, ranges in found.values())


def _look_up(counted: Sequence[_Family], store: Store, table: Any) -> None:
    """Note which cells a store holds, of those whose rows are what their functions promise."""
    if not len(table):
        return
    by_kind: dict[tuple[str, str], list[_Family]] = {}
    for family in counted:
        by_kind.setdefault((family.cell.kind, str(family.cell.seed)), []).append(family)
    cells: dict[str, tuple[Cell, _Family]] = {}
    for key, kind, seed, index in zip(*(table[name].to_pylist() for name in _PLACE), strict=True):
        for family in by_kind.get((kind, str(seed)), ()):
            if any(int(index) in one for one in family.indices) and (cell := family.cell.at(int(index))).key == key:
                cells[key] = cell, family
    records, _ = believed({key: cell for key, (cell, _) in cells.items()}, store.records(cells, table))
    for key, rows in records.items():
        cell, family = cells[key]
        (family.finished if rows[0]["error"] is None else family.failed).add(cell.index)


_PLACE = ("key", "kind", "seed", "index")
