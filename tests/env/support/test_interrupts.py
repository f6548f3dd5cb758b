"""Ctrl-C that does not get lost."""

import signal
import threading

import pytest
from lost_interrupt import interrupt_in_finaliser

from secagent_env.support.interrupts import remembered


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_dropped_is_raised_at_the_next_check():
    with remembered() as interrupts:
        interrupts.check()
        interrupt_in_finaliser()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    with remembered() as later:
        later.check()


def test_an_interrupt_is_raised_at_once_and_the_handler_is_restored():
    with pytest.raises(KeyboardInterrupt), remembered():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it is raised where it arrives")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda number, frame: None])
def test_a_program_that_handles_the_signal_itself_keeps_its_way(own):
    before = signal.signal(signal.SIGINT, own)
    try:
        with remembered() as interrupts:
            signal.raise_signal(signal.SIGINT)
            interrupts.check()
            assert signal.getsignal(signal.SIGINT) is own
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_than_the_main_one_changes_nothing():
    seen = []

    def enter() -> None:
        with remembered() as interrupts:
            interrupts.check()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def interrupted_writer() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        raise RuntimeError("the file cannot be closed")


def test_an_error_of_what_was_interrupted_gives_way_to_the_interrupt():
    with pytest.raises(KeyboardInterrupt), remembered():
        interrupted_writer()
    with pytest.raises(RuntimeError, match="by itself"), remembered():
        raise RuntimeError("by itself")
