"""One thread for small matrices: for as long as any block lasts, and in no block what was before."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import solvers
from eval import BLAS_THREADS
from secagent_env import sample_instance
from secagent_env.support import blas
from secagent_env.support.blas import single_threaded


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def three_threads():
    blas._libraries.cache_clear()  # other tests may have loaded some since
    limits = threadpool_limits(3, user_api="blas")
    blas._let_go()
    try:
        if blas_threads() != {3}:
            pytest.skip("the linear algebra here has no threads")
        yield
    finally:  # or the tests that follow would have three threads on each core
        limits.restore_original_limits()
        blas._let_go()


def test_all_of_this_in_a_process_with_threads():
    """The tests' own processes have one thread, and skip."""
    environment = {name: value for name, value in os.environ.items() if name not in BLAS_THREADS}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "not all_of_this"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout, done.stdout


def test_blocks_may_be_nested(three_threads):
    with single_threaded():
        with single_threaded():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {3}


def test_an_error_ends_a_block_too(three_threads):
    with pytest.raises(ZeroDivisionError), single_threaded():
        _ = 1 / 0
    assert blas_threads() == {3}


def test_the_last_of_several_threads_restores_what_was(three_threads):
    inside, over = threading.Event(), threading.Event()

    def work():
        with single_threaded():
            inside.set()
            over.wait(10)

    thread = threading.Thread(target=work)
    with single_threaded():  # the first, in another thread than the last
        thread.start()
        inside.wait(10)
    assert blas_threads() == {1}
    over.set()
    thread.join()
    assert blas_threads() == {3}


def test_a_solve_uses_one_thread_and_restores_the_others(three_threads):
    seen = []

    class Watch(solvers.Solver):
        name = "watch"

        def _solve(self, run):
            seen.append(blas_threads())
            np.linalg.eigh(np.eye(3))

    Watch().solve(sample_instance("small", 0))
    assert seen == [{1}]
    assert blas_threads() == {3}
