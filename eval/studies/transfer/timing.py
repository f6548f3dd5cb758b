"""What one decision of a policy costs in a batch of them, for ``secagent study transfer``."""

from __future__ import annotations

import time

import training
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, finite, returns
from secagent_env import Scenario
from secagent_env.support.extras import installed
from training.learn import seeds

FUNCTION = "eval.studies.transfer.timing:time_batch"
REPEATS = 3


@returns(columns(batch_ms=finite))
def time_batch(cell: Cell) -> Row:
    """Return the processor time per decision, ms, of all test networks at once: the least of several.

    Nothing is repaired; actions are decoded in machine code where numba is installed.
    """
    networks = seeds.test_instances(Scenario(**cell.options["scenario"]), cell.options["instances"])
    agent = training.load_agent(cell.options["agent"], repair=False, compiled=installed("numba"))
    agent.solve_batch(networks[:2])  # compiles
    spent = []
    for _ in range(REPEATS):
        began = time.process_time()
        agent.solve_batch(networks)
        spent.append(time.process_time() - began)
    return {"batch_ms": 1e3 * min(spent) / len(networks)}
