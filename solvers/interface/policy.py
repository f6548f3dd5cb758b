"""Any solver as a policy of any environment whose episodes are Instances."""

from __future__ import annotations

from typing import Any

from secagent_env import Decision
from solvers.interface.base import Solution, Solver


class SolverPolicy:
    """Plays an environment by solving its instance at every step.

    The environment is only read: ``env.unwrapped.instance`` is solved, and ``env.unwrapped.encode`` turns the
    decision into an action. The solver scores its decisions as the action format can express them, so that the best
    one is played without change.

    Attributes
    ----------
    solution
        The :class:`~solvers.Solution` behind the last action; None before the first.
    """

    solution: Solution | None = None

    def __init__(self, solver: Solver, env: Any) -> None:
        self.solver = solver
        for name in ("instance", "encode", "decode"):
            if not hasattr(type(env.unwrapped), name):
                raise ValueError(f"a solver plays environments of Instances, {env.unwrapped!r} has no {name!r}")
        self._env = env.unwrapped
        self._seed = 0

    def reset(self, seed: int = 0) -> None:
        """Start again: the next actions depend on ``seed`` and the instances alone."""
        self._seed = seed
        self.solution = None

    def act(self, observation: Any = None) -> Any:
        """Return the action for the present instance; the observation is not used."""
        self.solution = self.solver.solve(self._env.instance, seed=self._seed, express=self._expressed)
        self._seed += 1
        return self._env.encode(self.solution.decision)

    def _expressed(self, decision: Decision) -> Decision:
        return self._env.decode(self._env.encode(decision))


def as_policy(solver: Solver, env: Any) -> SolverPolicy:
    """Return a policy with ``reset(seed)`` and ``act(observation)`` that plays ``env`` with ``solver``."""
    return SolverPolicy(solver, env)
