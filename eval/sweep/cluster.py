"""Where the cells of a sweep are computed: on a cluster, by the workers of a Dask scheduler."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, Self

from eval.sweep.cells import Cell
from eval.sweep.workers import STREAMED, Results, Work, Workers
from secagent_env.support.extras import require

logger = logging.getLogger("secagent.sweep")

LATER_WORKERS = 64
"""A cluster is handed as many chunks as so many workers need, even if they come later."""
CONNECT_SECONDS = 10.0


class Cluster(Workers):
    """The workers of a Dask scheduler, those that join later too; with ``wait`` there is at least one.

    Raises
    ------
    ValueError
        If the scheduler's address, such as ``"tcp://10.0.0.1:8786"``, is none.
    OSError
        If nothing answers there.
    """

    def __init__(self, address: str, *, wait: bool = True) -> None:
        distributed = require("distributed", extra="cluster")
        from distributed.comm.addressing import get_address_host_port
        from distributed.scheduler import KilledWorker

        self.deaths = (KilledWorker,)
        self.address, self._wait = address, wait
        try:
            get_address_host_port(address)
        except (ValueError, NotImplementedError) as error:
            raise ValueError(f"{address!r} is no scheduler's address ({error}); one is tcp://host:8786") from None
        try:
            self._client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except OSError:
            raise OSError(
                f"no Dask scheduler answers at {address} within {CONNECT_SECONDS:g} s; start one with: dask scheduler"
            ) from None
        self.cores = sum(self._client.ncores().values())
        self._context = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._context.enter_context(quiet())
        if self._wait and not self.cores:
            logger.info("waiting for a worker to join %s", self.address)
            self._client.wait_for_workers(1)
            self.cores = sum(self._client.ncores().values())
        self.in_hand = 2 * max(self.cores, LATER_WORKERS)
        return self

    def __exit__(self, *_: object) -> None:
        with self._context:
            self._client.close()

    def run(self, cells: Sequence[Cell], work: Work, expected: Callable[[Cell], float | None]) -> Results:
        """Yield what becomes of the cells, chunk by chunk."""
        from joblib import wrap_non_picklable_objects

        if work.setup is not None:
            work = replace(work, setup=wrap_non_picklable_objects(work.setup))
        with by_value(work.modules):
            yield from super().run(cells, work, expected)

    def _stream(self, tasks: Iterable[Any], in_hand: int) -> Results:
        from joblib import Parallel, parallel_config

        with parallel_config(dask_backend()(client=self._client)):
            parallel = Parallel(**STREAMED, pre_dispatch=in_hand)
        try:
            with contextlib.closing(parallel(tasks)) as stream:
                yield from stream
        except CancelledError:
            raise ConnectionError(
                f"the connection to the scheduler at {self.address} is lost; the same command resumes the run"
            ) from None


def dask_backend() -> Any:
    """Return joblib's backend for Dask, made good where it would wait for ever or leave the cluster unused."""
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            # joblib computes in the calling process where there is one core; more may join later.
            return max(2, super().effective_n_jobs(n_jobs))

        def submit(self, func: Any, callback: Any = None) -> Any:
            # joblib is not told of tasks that ended without a result, since a worker died or the scheduler has gone.
            def tell(ended: Any) -> None:
                if ended.exception() is not None:
                    callback(ended.exception())

            future = super().submit(func, callback)
            future.add_done_callback(tell)
            return future

    return Backend


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask from logging what an error says in one sentence, unless everything is logged."""
    handlers = [
        handler for name in ("distributed", "distributed.client") for handler in logging.getLogger(name).handlers
    ]
    levels = [handler.level for handler in handlers]
    if not logger.isEnabledFor(logging.DEBUG):
        for handler in handlers:
            handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


@contextlib.contextmanager
def by_value(modules: Iterable[str]) -> Iterator[None]:
    """Let what is defined in some modules travel with its definition."""
    cloudpickle = require("cloudpickle", extra="cluster")
    with contextlib.ExitStack() as registered:
        for name in modules:
            if name in sys.modules and name != "__main__":
                cloudpickle.register_pickle_by_value(sys.modules[name])
                registered.callback(cloudpickle.unregister_pickle_by_value, sys.modules[name])
        yield
