"""Where the cells of a sweep are computed: in this process, in worker processes, or on a cluster (:mod:`.cluster`).

Cells travel in chunks that take about a quarter of a second, so that cells of a millisecond do not cost more on the
way than they take. A worker that dies takes what it had in hand with it; who was to blame is then found by computing
those cells again, first one per worker, then one at a time: a cell whose worker dies each of some times when it
computes nothing else has failed. One death proves nothing, since workers are killed from outside too.
"""

from __future__ import annotations

import abc
import contextlib
import logging
import math
import os
import signal
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from eval.sweep.cells import Cell, Done, compute
from eval.sweep.sources import sources_digest
from secagent_env.support.secrets import PublicFormatter

logger = logging.getLogger("secagent.sweep")

CHUNK_SECONDS = 0.25
"""What a chunk should take with few workers; with many, longer, so that results do not arrive faster than they can
be written."""
CHUNK_SECONDS_PER_WORKER = 0.01
CHUNK_CELLS = 1000

STREAMED: Any = {"return_as": "generator_unordered", "batch_size": 1}

TRIES = 3
"""How often a cell is computed alone before its worker's death is its own fault."""
PAUSE_SECONDS = 0.5
"""Between these tries: what lacked memory may find some then."""
DIED = f"the worker process died, out of memory perhaps, and {TRIES} times more when it computed nothing but this"

Results = Generator[list[Done], None, None]


@dataclass(frozen=True)
class Work:
    """What workers need to know besides the cells: of a sweep, and the digests of the code that its keys are of."""

    setup: Callable[[], None] | None  # called once in every worker process, before its first cell
    digests: Mapping[tuple[str, ...], str]
    modules: tuple[str, ...] = ()  # their content travels with setup to a cluster, which may not have them
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


_ready: set[str] = set()


def compute_chunk(cells: Sequence[Cell], work: Work) -> list[Done]:
    """Compute some cells in a worker.

    Raises
    ------
    ValueError
        If the worker's code is not what the keys say.
    """
    if work.token not in _ready:
        for names, digest in work.digests.items():
            if _digest_here(names) != digest:
                raise ValueError(
                    f"a worker does not have the code of this run ({', '.join(names)}): another version of secagent "
                    "is there, or code was changed since the run began; start again with one version everywhere"
                )
        if work.setup is not None:
            work.setup()
        _ready.add(work.token)
    return [compute(cell) for cell in cells]


def _digest_here(names: tuple[str, ...]) -> str | None:
    try:
        return sources_digest(names)
    except ValueError:  # no such module
        return None


class Backend(abc.ABC):
    """Somewhere to compute cells; a context manager."""

    cores: int
    """How many cells are computed at a time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abc.abstractmethod
    def run(self, cells: Sequence[Cell], work: Work, expected: Callable[[Cell], float | None]) -> Results:
        """Yield what becomes of the cells, as they are finished.

        ``expected`` says how long a cell will take, s; None where that is not known yet.
        """


class Here(Backend):
    """The process that asks, one cell after the other."""

    cores = 1

    def run(self, cells: Sequence[Cell], work: Work, expected: Callable[[Cell], float | None]) -> Results:
        """Yield what becomes of the cells, chunk by chunk."""
        for chunk in chunks(cells, CHUNK_SECONDS, expected):
            yield [compute(cell) for cell in chunk]


class Workers(Backend):
    """Several processes, by joblib."""

    deaths: tuple[type[BaseException], ...]
    """What is raised where a worker died."""
    in_hand: int
    """How many chunks are handed out at a time."""

    @abc.abstractmethod
    def _stream(self, tasks: Iterable[Any], in_hand: int) -> Results:
        """Yield the results of joblib's tasks, as they are finished."""

    def run(self, cells: Sequence[Cell], work: Work, expected: Callable[[Cell], float | None]) -> Results:
        """Yield what becomes of the cells, chunk by chunk."""
        target = CHUNK_SECONDS + CHUNK_SECONDS_PER_WORKER * self.cores
        yield from self._spread(cells, work, lambda left: chunks(left, target, expected), self.in_hand)

    def _spread(
        self, cells: Sequence[Cell], work: Work, cut: Callable[[Iterable[Cell]], Iterable[list[Cell]]], in_hand: int
    ) -> Results:
        """Compute cells at once; where a worker died, those in hand more carefully, and then the others."""
        from joblib import delayed

        left = {cell.key: cell for cell in cells}
        handed: dict[str, Cell] = {}

        def tasks() -> Iterator[Any]:
            for chunk in cut(list(left.values())):
                handed.update((cell.key, cell) for cell in chunk)
                yield delayed(compute_chunk)(chunk, work)

        while left:
            handed.clear()
            try:
                with contextlib.closing(self._stream(tasks(), in_hand)) as stream:
                    for finished in stream:
                        for done in finished:
                            del handed[done.key], left[done.key]
                        yield finished
            except self.deaths:
                suspects = list(handed.values())
                logger.info("a worker process died; another takes its place, and %d cells run again", len(suspects))
                careful = in_hand == self.cores
                yield from (
                    self._alone(suspects, work) if careful else self._spread(suspects, work, one_by_one, self.cores)
                )
                for cell in suspects:
                    del left[cell.key]

    def _alone(self, cells: Sequence[Cell], work: Work) -> Results:
        """Compute cells one at a time, each until its worker survives it, or has died too often."""
        from joblib import delayed

        for cell in cells:
            finished = [[Done(cell.key, [], DIED)]]
            for tried in range(TRIES):
                time.sleep(PAUSE_SECONDS * bool(tried))
                try:
                    with contextlib.closing(self._stream([delayed(compute_chunk)([cell], work)], 1)) as stream:
                        finished = list(stream)
                    break
                except self.deaths:
                    logger.info("the worker of %s %s %s died", cell.scheme, cell.value, cell.seed)
            yield from finished


def one_by_one(cells: Iterable[Cell]) -> Iterator[list[Cell]]:
    """Yield chunks of one cell."""
    return ([cell] for cell in cells)


def chunks(cells: Iterable[Cell], seconds: float, expected: Callable[[Cell], float | None]) -> Iterator[list[Cell]]:
    """Yield cells in chunks that take about ``seconds``; one of whose time nothing is known is a chunk by itself."""
    chunk: list[Cell] = []
    total = 0.0
    for cell in cells:
        takes = expected(cell)
        if chunk and (takes is None or total + takes > seconds or len(chunk) == CHUNK_CELLS):
            yield chunk
            chunk, total = [], 0.0
        chunk.append(cell)
        total += math.inf if takes is None else takes
    if chunk:
        yield chunk


class Loky(Workers):
    """So many worker processes on this machine, each with one BLAS thread."""

    def __init__(self, workers: int) -> None:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        self.cores, self.in_hand = workers, 2 * workers
        self.deaths = (BrokenProcessPool,)

    def __enter__(self) -> Self:
        self._context = contextlib.ExitStack()
        self._context.enter_context(warnings.catch_warnings())
        # A worker that leaves to give memory back, or a run that is given up, is nothing to warn of.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        warnings.filterwarnings("ignore", ".*tasks (have been|which were still)", UserWarning)
        return self

    def __exit__(self, *_: object) -> None:
        from joblib.externals.loky import get_reusable_executor

        with self._context:
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)

    def _stream(self, tasks: Iterable[Any], in_hand: int) -> Results:
        from joblib import Parallel, parallel_config

        level = logging.DEBUG if logger.isEnabledFor(logging.DEBUG) else logging.ERROR  # rows tell of failures
        with parallel_config("loky", inner_max_num_threads=1, initializer=start_worker, initargs=(os.getpid(), level)):
            # At least two: joblib computes in this process where it is allowed one job only.
            parallel = Parallel(max(2, self.cores), **STREAMED, pre_dispatch=in_hand, max_nbytes=None)
        with contextlib.closing(parallel(tasks)) as stream:
            yield from stream


def start_worker(parent: int, level: int) -> None:
    """Prepare a worker: an interrupt is the parent's business, and it does not outlive the parent."""
    handler = logging.StreamHandler()
    handler.setFormatter(PublicFormatter("secagent: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    os.dup2(2, 1)  # HiGHS leaves lines of its own on stdout, which is for tables
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def leave_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
