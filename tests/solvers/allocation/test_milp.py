"""Integer programs leave standard output alone, whatever HiGHS prints there."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import optimize

from solvers.numerics.milp import milp

PRINTS = """
import ctypes, os, threading, time
from scipy import optimize
import solvers.numerics.milp as module

libc = ctypes.CDLL(None)

def noisy(pause=0.0):
    libc.puts(b"from C")
    time.sleep(pause)
    return "result"

optimize.milp = noisy
print("before")
threads = [threading.Thread(target=module.milp, args=(0.05 * number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(module.milp(), flush=True)
"""


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_what_is_printed_in_c_goes_to_stderr():
    done = run(PRINTS)
    assert done.stdout == "before\nresult\n"
    assert done.stderr.count("from C") == 5


@pytest.mark.parametrize("stream", [1, 2])
def test_closed_streams_are_no_obstacle(stream):
    solve = "milp([1.0], bounds=(2, 5), integrality=[1]).x[0]"
    assert (
        run(f"import os\nfrom solvers.numerics.milp import milp\nos.close({stream})\nos._exit(int({solve}))").returncode
        == 2
    )


def test_the_result_is_scipy_s():
    cost, matrix = np.array([3.0, 1.0, 2.0]), optimize.LinearConstraint(np.ones((1, 3)), 2, np.inf)
    problem = {"integrality": np.ones(3), "bounds": optimize.Bounds(0, 1), "constraints": matrix}
    assert milp(cost, **problem).x.tolist() == optimize.milp(cost, **problem).x.tolist() == [0, 1, 1]
