"""What a store holds of a sweep: which cells are finished, failed or missing, and how long cells take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.sweep.cells import BOOKKEEPING, UNFINISHED, Cell, Done, Row
from eval.sweep.promises import promise_of
from eval.sweep.soundness import name_of
from eval.sweep.sources import source_file
from eval.sweep.store import Store


class Times:
    """How long cells take, from those in the table of a store that are finished, of other versions of secagent too."""

    def __init__(self, table: Any) -> None:
        self._known: dict[object, tuple[int, float]] = {}
        if len(table):
            names = ("kind", "experiment", "scheme", "part", "error", "cell_seconds")
            columns = (table[name].to_pylist() for name in names)
            for kind, experiment, scheme, part, error, seconds in zip(*columns, strict=True):
                if part == 0 and error is None:
                    self._add(kind, (experiment, scheme), seconds)

    def add(self, cell: Cell, done: Done) -> None:
        """Take a finished cell into account."""
        if done.error is None:
            self._add(cell.kind, cell.group, done.seconds)

    def expected(self, cell: Cell, *, roughly: bool = False) -> float | None:
        """Return how long a cell will take, s; None where nothing is known of its kind.

        ``roughly``: then what is known of its scheme counts, at other values and options too.
        """
        count, seconds = self._known.get(cell.kind) or (roughly and self._known.get(cell.group)) or (0, 0.0)
        return seconds / count if count else None

    def _add(self, kind: str, group: tuple[str, str], seconds: float) -> None:
        for what in (kind, group):
            count, total = self._known.get(what, (0, 0.0))
            self._known[what] = (count + 1, total + seconds)


def is_lacking(row: Row) -> bool:
    """Whether a cell failed, or a row of it is not finished."""
    return row["error"] is not None or bool(row.get(UNFINISHED))


class State:
    """What a store holds of a sweep, and what is missing: cells that failed too with ``retry_failed``, or all.

    Rows that are not what their cell's function promises are ``broken`` and count as missing.
    """

    def __init__(self, cells: Iterable[Cell], store: Store, *, retry_failed: bool = False, fresh: bool = False) -> None:
        self.cells = {cell.key: cell for cell in cells}
        table = store.table()
        self.times = Times(table)
        self.records, self.broken = ({}, {}) if fresh else believed(self.cells, store.records(self.cells, table))
        self.failed = [key for key, rows in self.records.items() if any(map(is_lacking, rows))]
        again = set(self.failed) if retry_failed else set()
        self.missing = [cell for key, cell in self.cells.items() if key not in self.records or key in again]
        names = ("kind", "seed", "index") if len(table) and not fresh else ()
        there = set(zip(*(table[name].to_pylist() for name in names), strict=True))
        new = (cell for cell in self.missing if cell.key not in again)
        self.outdated = sum((cell.kind, cell.seed, cell.index) in there for cell in new)
        keys, functions = (table[name].to_pylist() if len(table) else [] for name in ("key", "function"))
        moved = {name for name in set(functions) if source_file(name.partition(":")[0]) is None}
        self.moved = len({key for key, name in zip(keys, functions, strict=True) if name in moved})


def believed(
    cells: Mapping[str, Cell], records: Mapping[str, Sequence[Row]]
) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """Return the rows of cells by key, as their functions returned them, and the faults of those that no longer are."""
    promises = {function: promise_of(cell.load()) for function, cell in {c.function: c for c in cells.values()}.items()}
    kept: dict[str, list[Row]] = {}
    faults: dict[str, str] = {}
    for key, written in records.items():
        promise = promises[cells[key].function]
        failed = written[0]["error"] is not None
        rows = [{n: row[n] for n in BOOKKEEPING} if failed else promise.read(row) for row in written]
        fault = None if failed else next(filter(None, map(promise.fault, rows)), None)
        if fault:
            faults[key] = f"{name_of(rows[0])}: {fault}"
        else:
            kept[key] = rows
    return kept, faults
