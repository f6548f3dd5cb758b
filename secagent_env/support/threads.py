"""Several calls at a time, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """So many threads, of which a copy has its own, so that what holds them can be copied and pickled."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers, thread_name_prefix="secagent")
        self._workers = workers

    def __reduce__(self) -> tuple[type[Threads], tuple[int]]:
        return Threads, (self._workers,)


def several(threads: int, function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
    """Return the results of calls, in their order; ``arguments`` are those of ``map``. One at a time needs no thread.

    After an error nothing else begins, and what is under way is finished first. After an interrupt it is not waited
    for: whoever holds the connections that it uses closes them.
    """
    if threads == 1:
        return list(map(function, *arguments))
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(function, *arguments))
    except Exception:
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
