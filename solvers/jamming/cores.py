r"""Agents that cost too much to serve together, whoever else is selected: cores, found with boxes.

Let C ⊂ S not be empty. Whatever serves S meets all that the problem of C (:mod:`solvers.jamming.problem`) demands, at
the same beam, times and powers of the jammers, the agents of S outside C counted as silent jammers:

* the receivers of C are among those of S, and beside the same jammers;
* S takes no less time to compute, and no less to send;
* the uplink's rows of C hold: θ'_e = (θ_e − Σ_S z_n r_ne) / (1 − Σ_S z_n) is θ_e plus terms for the agents of S that
  are all positive (:meth:`~solvers.jamming.problem.SetProblem.least_ratio`), and leaving some out lowers it.

So jammers beside S spend at least what those beside C do. Where that is more than a budget, no selection that holds C
and costs c without its jammers has a decision below c + budget.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from secagent_env import Instance
from solvers.jamming.search import SetBoxes


def dear_core(
    instance: Instance,
    selection: np.ndarray,
    cost: np.ndarray,
    budget_j: float,
    steps: int,
    check_time: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return agents (N,) bool of a selection beside whom jammers are proved to spend at least a budget, J.

    Agents are left out one by one, the dearest first, while ``steps`` boxes prove it of those that are left; it has to
    be proved of the selection already. ``cost`` is what each agent costs without jammers at least, (N,), J, and
    ``check_time`` is called between Newton steps and may raise.
    """
    core = selection
    for agent in sorted(np.flatnonzero(selection), key=lambda n: -cost[n]):
        smaller = core.copy()
        smaller[agent] = False
        if smaller.any():
            boxes = SetBoxes(instance, smaller, cutoff_j=float(cost[smaller].sum()) + budget_j)
            while not boxes.done and boxes.steps < steps:
                boxes.relax(check_time)
            if np.isinf(boxes.lower_j):
                core = smaller
    return core
