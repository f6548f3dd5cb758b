"""Agents that do not learn: solvers of an Instance, by name.

>>> import solvers
>>> from secagent_env import sample_instance
>>> solvers.make("exact").solve(sample_instance("small", seed=1)).status
'optimal'
"""

from solvers.interface.base import Interrupted, Solution, Solver
from solvers.interface.policy import as_policy
from solvers.interface.registry import make, names, register

__all__ = ["Interrupted", "Solution", "Solver", "as_policy", "make", "names", "register"]
