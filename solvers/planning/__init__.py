"""Chain, tree and graph of thoughts: planners behind one interface, for control and for questions.

The second paper's section III-B: an agent plans a path of thoughts, the reward of each chooses the branch, and the
answer is the content of the best. In :mod:`~solvers.planning.players` agents plan their powers in a game of
:mod:`secagent_env.power_control`; in :mod:`~solvers.planning.passages` a reader plans which passages it reads.
"""

from solvers.planning.planners import Chain, Graph, Planner, Tree, make, names
from solvers.planning.thoughts import MalformedThought, Path, Proposer, Thought

__all__ = ["Chain", "Graph", "MalformedThought", "Path", "Planner", "Proposer", "Thought", "Tree", "make", "names"]
