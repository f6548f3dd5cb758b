"""Ctrl-C at a moment at which Python drops it: while a finaliser runs."""

import signal
import weakref


class _Held:
    """Something that has a finaliser."""


def interrupt_in_finaliser() -> None:
    """Send this process what Ctrl-C does; KeyboardInterrupt is raised in a finaliser, printed there, and dropped."""
    held = _Held()
    weakref.finalize(held, signal.raise_signal, signal.SIGINT)
    del held
