"""The results folder of sweeps: Parquet files, each written whole, of which no two writers share one.

Finished cells are appended as new files, so that a process that is killed at any moment leaves whole files behind,
and several processes, on several machines too, can use one folder at once. Files of a few rows would be slow by the
thousand, so they are merged: the merged file is written first, and its parts are removed afterwards. Meanwhile, or when
two processes computed a cell, the same result is there twice; it counts once.

What cannot be believed (:mod:`.cell_files`, :mod:`.soundness`) is named and left out. A store that is written to sets
such a file aside, under another name, and keeps its sound rows; one that is only read changes nothing.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.sweep import cell_files
from eval.sweep.cells import LABELS, Cell, Done, Row
from eval.sweep.soundness import sound_rows
from eval.sweep.sources import sources_digest
from secagent_env.support.extras import require
from secagent_env.support.files import check_writable, remove_stale, write_bytes
from secagent_env.support.version import __version__

logger = logging.getLogger("secagent.sweep")

PARTS = 256
"""How many files of a run are merged into one."""
SMALL = 4 * 2**20
"""Files of fewer bytes are merged when a run ends."""
ASIDE = "damaged"
"""The end of the name of a file that was set aside."""


class Store:
    """The cells in a folder, which :meth:`prepare` makes if need be; ``holds`` says which of its files may be read.

    Attributes
    ----------
    left_out
        The files that cannot be believed, or not all of which, each with the reason.
    """

    def __init__(self, folder: Path, holds: Callable[[Path], bool] | None = None) -> None:
        require("pandas", extra="eval")
        require("pyarrow.parquet", extra="eval")
        self._arrow = require("pyarrow", extra="eval")
        self.folder, self._holds = folder, holds
        self.left_out: dict[Path, str] = {}
        self._left: set[Path] = set()  # damaged files that could not be set aside
        self._called_unverified = False
        self._mends = False
        self._recent: list[tuple[Path, Any]] = []

    def prepare(self) -> None:
        """Make the folder, and raise OSError now if it cannot be written. From now on damaged files are set aside."""
        self.folder.mkdir(exist_ok=True)
        check_writable(self.folder)
        remove_stale(self.folder)
        self._mends = True

    def table(self) -> Any:
        """Return all that is there as an Arrow table, each cell once: its success rather than its failure, the latest.

        Raises
        ------
        ValueError
            If a file is newer.
        """
        while True:
            try:
                tables = [table for _, table in self._tables()]
            except FileNotFoundError:  # merged by another process meanwhile: its rows are in a new file
                continue
            empty = self._arrow.table({"key": self._arrow.array([], "string")})
            return self._once(self._joined(tables)) if tables else empty

    def records(self, keys: Collection[str], table: Any = None) -> dict[str, list[Row]]:
        """Return the rows of the cells with these keys, of all that are there, as they were written."""
        import pyarrow.compute

        table = self.table() if table is None else table
        found = table.filter(pyarrow.compute.is_in(table["key"], self._arrow.array(list(keys), "string")))
        records: dict[str, list[Row]] = {}
        for row in found.to_pylist():
            records.setdefault(row["key"], []).append(row)
        for rows in records.values():
            rows.sort(key=lambda row: row["part"])
        return records

    def append(self, finished: Iterable[tuple[Cell, Done]]) -> None:
        """Write the results of some cells, on disk when this returns as far as a killed process is concerned."""
        table = self._tabulated([row for cell, done in finished for row in _records(cell, done)])
        self._recent.append((self._write(table), table))
        if len(self._recent) >= PARTS:
            self._replace(*zip(*self._recent, strict=True))
            self._recent.clear()

    def discard(self, keys: Collection[str]) -> None:
        """Forget the cells with these keys."""
        import pyarrow.compute

        dropped = self._arrow.array(list(keys), "string")
        try:
            for path, table in self._tables():
                kept = table.filter(pyarrow.compute.invert(pyarrow.compute.is_in(table["key"], dropped)))
                if len(kept) < len(table):
                    self._replace([path], [kept])
        except FileNotFoundError:  # merged by another process meanwhile
            self.discard(keys)

    def set_aside(self, faults: Mapping[str, str]) -> None:
        """Put the rows of the cells with these keys aside, in a file of their own; each has a fault, in words."""
        import pyarrow.compute

        table = self.table()
        theirs = table.filter(pyarrow.compute.is_in(table["key"], self._arrow.array(list(faults), "string")))
        aside = self.folder / f"{uuid.uuid4().hex}.parquet.{ASIDE}"
        write_bytes(aside, cell_files.pack(theirs))
        self.discard(faults)
        which = f"{next(iter(faults.values()))}{f', and {len(faults) - 1} more' * (len(faults) > 1)}"
        logger.warning("%s: set aside as %s, and computed anew: %s", self.folder, aside.name, which)

    def compact(self) -> None:
        """Merge the small files."""
        self._recent.clear()
        try:
            small = list(self._tables(below=SMALL))
            if len(small) > 1:
                self._replace(*zip(*small, strict=True))
        except OSError as error:  # another process is at it, or the disk is full: it can wait
            logger.debug("%s is not merged: %s", self.folder, error)

    def _tables(self, below: float = math.inf) -> Iterator[tuple[Path, Any]]:
        """Yield the files of fewer bytes with their tables, without what cannot be believed."""
        unverified = []
        for path in sorted(path for path in self.folder.glob("*.parquet") if not path.name.startswith(".")):
            if path in self._left or (below < math.inf and path.lstat().st_size >= below):
                continue
            table = None
            try:
                if self._holds is not None and not self._holds(path):
                    raise cell_files.Damaged("it is a link out of the folder")
                table, verified = cell_files.read(path)
                table, reason = sound_rows(table)
                if not verified:
                    unverified.append(path)
            except cell_files.Damaged as error:
                reason = str(error)
            where = path if reason is None else self._leave_out(path, reason, table)
            if where is not None:
                yield where, table
        if unverified and not self._called_unverified:
            self._called_unverified = True
            some = str(unverified[0]) if len(unverified) == 1 else f"{len(unverified)} files in {self.folder}"
            logger.warning("without a digest, and so unverified, is what is read from %s", some)

    def _leave_out(self, path: Path, reason: str, sound: Any) -> Path | None:
        """Note a file that cannot be believed, and set it aside, with a warning, if this store is written to.

        Returns the path of the file that has its sound rows then; None where it has none.
        """
        kept = path if sound is not None and len(sound) else None
        self.left_out[path] = reason
        if not self._mends:
            return kept
        kept = kept and self._write(sound)
        aside = next(to for to in _names_aside(path) if not os.path.lexists(to))
        try:
            path.rename(aside)
        except FileNotFoundError:  # another process was faster
            pass
        except OSError as error:
            self._left.add(path)
            logger.warning("%s is left out, and stays there (%s): %s", path, error.strerror, reason)
        else:
            logger.warning("%s is set aside as %s, and computed anew where need be: %s", path, aside.name, reason)
        return kept

    def _write(self, table: Any) -> Path:
        """Write a table whole or not at all, into a new file."""
        path = self.folder / f"{uuid.uuid4().hex}.parquet"
        try:
            write_bytes(path, cell_files.pack(table))
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(self.folder)) from None
        return path

    def _replace(self, paths: Sequence[Path], tables: Sequence[Any]) -> None:
        """Put one file in the place of some."""
        table = self._once(self._joined(tables))
        if len(table):
            self._write(table)
        for path in paths:
            path.unlink(missing_ok=True)

    def _joined(self, tables: Sequence[Any]) -> Any:
        """Return tables in one; a column that is a number in some and text in others becomes text."""
        types: dict[str, set[Any]] = {}
        for table in tables:
            for column in table.schema:
                types.setdefault(column.name, set()).add(column.type)
        numbers = {self._arrow.int64(), self._arrow.float64(), self._arrow.null()}
        mixed = {name for name, of in types.items() if len(of - {self._arrow.null()}) > 1 and not of <= numbers}
        cast = []
        for table in tables:
            for name in mixed & set(table.column_names):
                at = table.column_names.index(name)
                table = table.set_column(at, name, table[name].cast("string"))
            cast.append(table)
        return self._arrow.concat_tables(cast, promote_options="permissive")

    def _once(self, table: Any) -> Any:
        """Return a table in which every cell is there once."""
        if len(table) == 0:
            return table
        frame = table.select(["key", "part", "error", "finished"]).to_pandas()
        ordered = frame.assign(good=frame["error"].isna()).sort_values(["good", "finished"], kind="stable")
        best = ordered.drop_duplicates("key", keep="last").set_index("key")["finished"]
        # A cell's rows were finished at one moment, so they are of one computation.
        kept = frame[frame["finished"].to_numpy() == best.loc[frame["key"]].to_numpy()]
        kept = kept.drop_duplicates(["key", "part"])
        return table if len(kept) == len(table) else table.take(kept.index.to_numpy())

    def _tabulated(self, rows: Sequence[Row]) -> Any:
        names = list(dict.fromkeys(name for row in rows for name in row))
        return self._arrow.table({name: self._column([row.get(name) for row in rows]) for name in names})

    def _column(self, values: list[Any]) -> Any:
        try:
            return self._arrow.array(values)
        except (self._arrow.ArrowInvalid, self._arrow.ArrowTypeError, OverflowError):  # of several kinds: text
            return self._arrow.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values])


def _names_aside(path: Path) -> Iterator[Path]:
    """Yield names for a file that is set aside, the next where one is taken."""
    yield path.with_name(f"{path.name}.{ASIDE}")
    yield from (path.with_name(f"{path.name}.{ASIDE}-{number}") for number in itertools.count(2))


def _records(cell: Cell, done: Done) -> list[Row]:
    """Return the rows of a finished cell with their bookkeeping."""
    labels = {name: getattr(cell, name) for name in LABELS}
    code = {"function": cell.function, "version": __version__, "sources": sources_digest(cell.code)}
    configuration = {**labels, **code, "kind": cell.kind, "options": json.dumps(cell.options, sort_keys=True)}
    ending = {"error": done.error, "cell_seconds": done.seconds, "finished": done.finished}
    return [
        {"key": done.key, "part": part, **configuration, **ending, **row} for part, row in enumerate(done.rows or [{}])
    ]
