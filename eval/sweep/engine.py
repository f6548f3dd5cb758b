"""Sweeps: thousands of cells, each computed once, on one machine or on a cluster, kept as Parquet files.

A sweep is declared as its cells (:mod:`eval.sweep.cells`). :func:`run_sweep` takes over what its folder holds already,
computes the rest on a backend (:mod:`eval.sweep.workers`), writes each result as soon as it is there
(:mod:`eval.sweep.store`), and returns a pandas DataFrame. A run that was killed at any moment loses what was being
computed, and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from eval import usable_cores
from eval.sweep.cells import BOOKKEEPING, LABELS, Cell, Row
from eval.sweep.cluster import Cluster
from eval.sweep.grid import MOST_CELLS, families
from eval.sweep.sources import sources_digest
from eval.sweep.state import State, believed
from eval.sweep.store import Store
from eval.sweep.workers import Backend, Here, Loky, Work
from secagent_env.support.checks import integer
from secagent_env.support.extras import require
from secagent_env.support.interrupts import remembered

logger = logging.getLogger("secagent.sweep")

CELLS = "cells"
"""The folder of the Parquet files, in the results folder."""
LOG_SECONDS = 60.0
"""How often progress is logged where there is no terminal for a bar."""


@dataclass(frozen=True)
class Sweep:
    """What is to be computed.

    Parameters
    ----------
    cells
        In the order of the resulting rows.
    setup
        Called once in every worker process, before its first cell; it travels there, and is not part of the keys.
    modules
        Names of modules that ``setup`` needs and that the workers of a cluster may not have: they travel with it.

    Raises
    ------
    ValueError
        If a cell is not plain data, or names a function that does not exist.
    """

    cells: Sequence[Cell]
    setup: Callable[[], None] | None = None
    modules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for cell in {cell.function: cell for cell, _ in families(self.cells)}.values():
            cell.load()
        for cell, _ in families(self.cells):
            cell.key  # noqa: B018 (raises for what is not plain data)

    def work(self) -> Work:
        """Return what workers need to know besides the cells."""
        codes = {tuple(name for name in cell.code if name not in self.modules) for cell, _ in families(self.cells)}
        return Work(self.setup, {names: sources_digest(names) for names in codes}, self.modules)


class How(TypedDict, total=False):
    """The arguments of :func:`run_sweep` by which it computes, for functions that hand them on."""

    workers: int | None
    scheduler: str | None
    fresh: bool
    retry_failed: bool
    progress: bool | None


def run_sweep(
    sweep: Sweep,
    out: Path | str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    progress: bool | None = None,
) -> Any:
    """Compute the cells that are missing in a results folder.

    Parameters
    ----------
    sweep
        What to compute.
    out
        The results folder; made if need be. Several sweeps can share it, at the same time too.
    workers
        How many processes on this machine, each with one BLAS thread; by default as many as there are cores. One
        is this process itself.
    scheduler
        The address of a Dask scheduler, whose workers compute instead.
    fresh
        Whether to forget what is there of this sweep.
    retry_failed
        Whether to compute cells again that failed.
    progress
        Whether to show a progress bar on stderr; by default on a terminal only. Elsewhere it is logged once a minute.

    Returns
    -------
    pandas.DataFrame
        The rows of the cells, in their order, with the columns ``experiment``, ``scheme``, ``value``, ``seed``,
        ``index``, what the functions returned, ``error`` (None where there is none) and ``cell_seconds``.

    Raises
    ------
    ValueError
        If ``workers`` is out of range, there are too many cells, a file in the folder is newer, or code was changed.
    OSError
        If the folder cannot be written, or the scheduler does not answer.
    ImportError
        If an extra is not installed.
    KeyboardInterrupt
        If interrupted; what is finished is kept, and the next run goes on.
    """
    opened = backend_of(workers, scheduler)
    if len(sweep.cells) > MOST_CELLS:
        raise ValueError(f"{len(sweep.cells)} cells are more than a run can hold; it can hold {MOST_CELLS}")
    Path(out).mkdir(parents=True, exist_ok=True)
    store = Store(Path(out) / CELLS)
    store.prepare()
    if fresh:
        store.discard({cell.key for cell in sweep.cells})
    state = State(sweep.cells, store, retry_failed=retry_failed)
    if state.broken:
        store.set_aside(state.broken)
    total, kept = len(state.cells), len(state.cells) - len(state.missing)
    if kept:
        logger.info("%d of %d cells are taken from %s", kept, total, store.folder)
    if state.outdated:
        logger.info("%d cells are there of another version of secagent or its code, and computed anew", state.outdated)
    if state.moved:
        logger.info("%d cells are of an earlier secagent, whose code lay elsewhere; they stay, unused", state.moved)
    if state.failed and not retry_failed:
        logger.info("%d of them failed or ended early; --retry-failed computes them again", len(state.failed))
    if state.missing:
        with (
            opened(len(state.missing)) as backend,
            _progress(total, kept, progress) as advance,
            closing(backend.run(state.missing, sweep.work(), state.times.expected)) as results,
            remembered() as interrupts,
        ):
            for chunk in results:
                finished = [(state.cells[done.key], done) for done in chunk]
                store.append(finished)
                for cell, done in finished:
                    state.times.add(cell, done)
                advance(len(finished))
                interrupts.check()
    store.compact()
    return frame_of(sweep.cells, believed(state.cells, store.records(state.cells))[0])


def completed(frame: Any, what: str = "cells") -> Any:
    """Return what :func:`run_sweep` returned, for experiments that cannot do without a single cell.

    Raises
    ------
    ValueError
        If cells failed; the sentence calls them ``what``, and quotes the first error.
    """
    failed = frame[frame["error"].notna()]
    if len(failed):
        raise ValueError(
            f"{len(failed)} of {len(frame)} {what} failed, the first with {failed['error'].iloc[0]}; "
            "those that did not are kept, and --retry-failed computes the others again"
        )
    return frame


def read_results(out: Path | str) -> Any:
    """Return all that a results folder holds, of all sweeps and versions, as a pandas DataFrame.

    Raises
    ------
    ValueError
        If a file in it is newer. Damaged ones are named in the log and left out.
    """
    store = Store(Path(out) / CELLS)
    table = store.table()
    name_left_out(store)
    return table.to_pandas()


def name_left_out(store: Store) -> None:
    """Warn of the files that a store did not read."""
    for path, reason in store.left_out.items():
        logger.warning("%s is left out: %s", path, reason)


def frame_of(cells: Sequence[Cell], records: Mapping[str, Sequence[Row]]) -> Any:
    """Return the rows of finished cells as a pandas DataFrame, with the columns in which some row has a value."""
    pandas = require("pandas", extra="eval")
    ending = ("error", "cell_seconds")
    rows = []
    for cell in cells:
        if cell.key not in records:
            raise ValueError("another process took results of this sweep away; run it again")
        labels = {name: getattr(cell, name) for name in LABELS}
        for row in records[cell.key]:
            own = {name: value for name, value in row.items() if name not in BOOKKEEPING and value is not None}
            rows.append({**labels, **own, **{name: row[name] for name in ending}})
    own = dict.fromkeys(name for row in rows for name in row if name not in (*LABELS, *ending))
    return pandas.DataFrame(rows, columns=[*LABELS, *own, *ending])


def in_words(seconds: float) -> str:
    """Return a time to one unit: ``40 s``, ``3 min``, ``5 h``, ``2 days``."""
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{max(1, round(seconds / unit))} {name}"
    return f"{round(seconds / 86400)} days"


def backend_of(workers: int | None, scheduler: str | None) -> Callable[..., Backend]:
    """Return what opens the backend for a number of cells, with the arguments checked."""
    number = usable_cores() if workers is None else integer("workers", workers, 1)
    if scheduler is not None and workers is not None:
        raise ValueError("the workers of a scheduler are its own: give workers or a scheduler, not both")

    def opened(cells: int, *, wait: bool = True) -> Backend:
        if scheduler is not None:
            return Cluster(scheduler, wait=wait)
        return Here() if number == 1 else Loky(min(number, max(cells, 2)))

    return opened


@contextmanager
def _progress(total: int, kept: int, shown: bool | None) -> Iterator[Callable[[int], None]]:
    """Yield what counts finished cells: on a bar, or in the log where there is no terminal for one."""
    tqdm = require("tqdm", extra="eval").tqdm
    began = logged = time.monotonic()
    done = 0
    with tqdm(total=total, initial=kept, unit="cell", disable=None if shown is None else not shown) as bar:

        def advance(cells: int) -> None:
            nonlocal done, logged
            done += cells
            bar.update(cells)
            now = time.monotonic()
            if bar.disable and now - logged > LOG_SECONDS:
                logged = now
                left = (total - kept - done) * (now - began) / done
                logger.info("%d of %d cells are finished, about %s left", kept + done, total, in_words(left))

        yield advance
