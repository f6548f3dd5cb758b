"""What each agent sees of a network by itself."""

from __future__ import annotations

import math

import numpy as np

from secagent_env.allocation.observations import observation_shapes
from secagent_env.model.scenario import Scenario


def own_views(compact: np.ndarray, scenario: Scenario) -> np.ndarray:
    """Return the observations of the mobile agents, (…, N, 11 + 2E), of compact observations (…, D) of a scenario.

    The task, the agent's own row, and the row of the eavesdroppers; see :mod:`secagent_env.allocation.observations`.
    """
    shapes = observation_shapes(scenario, "compact")
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    task, agents, eavesdroppers = np.split(compact, ends[:-1], axis=-1)
    rows = agents.reshape(*compact.shape[:-1], *shapes["agents"])

    def for_each(part: np.ndarray) -> np.ndarray:
        return np.broadcast_to(part[..., None, :], (*rows.shape[:-1], part.shape[-1]))

    return np.concatenate([for_each(task), rows, for_each(eavesdroppers)], axis=-1)
