"""A decision on draws of what is not known: how often it fails, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance, evaluate


@dataclass(frozen=True)
class Trial:
    """A decision on draws of the eavesdroppers' links; ``energy_j`` (draws,) is infinite where it is infeasible."""

    energy_j: np.ndarray

    @classmethod
    def of(cls, decision: Decision, parts: Iterable[Instance]) -> Trial:
        """Return the trial of a decision on batches of instances."""
        outcomes = (evaluate(part, decision) for part in parts)
        return cls(np.concatenate([np.where(o.feasible, o.energy_j, np.inf) for o in outcomes]))

    @property
    def draws(self) -> int:
        """Their number."""
        return len(self.energy_j)

    @property
    def failures(self) -> int:
        """On how many draws the decision is infeasible."""
        return int(np.sum(~np.isfinite(self.energy_j)))

    @property
    def outage(self) -> float:
        """The share of failures."""
        return self.failures / self.draws

    def quantile_j(self, outage: float) -> float:
        """Return the energy that is exceeded on a share ``outage`` of the draws at most, J."""
        return float(np.sort(self.energy_j)[self.draws - 1 - int(outage * self.draws)])
