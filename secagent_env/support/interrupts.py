"""Ctrl-C that does not get lost.

Python raises KeyboardInterrupt wherever the main thread is. In a finaliser, or in a callback of compiled code, it is
printed ("Exception ignored in …") and dropped: a loop would run to its end as if nobody had asked it to stop.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Interrupts:
    """Whether Ctrl-C was pressed within :func:`remembered`."""

    def __init__(self) -> None:
        self._seen = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was raised before and got lost; called between the steps of a loop."""
        if self._seen:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> NoReturn:
        self._seen = True
        raise KeyboardInterrupt


@contextmanager
def remembered() -> Iterator[Interrupts]:
    """Remember Ctrl-C inside the block, where it is raised as ever; an error that follows from it gives way to it.

    Nothing changes in other threads than the main one, nor where a program handles the signal in its own way.
    """
    interrupts = Interrupts()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts._handle)
    try:
        yield interrupts
    except Exception:
        interrupts.check()  # a library that it ended may have failed while it cleaned up
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
