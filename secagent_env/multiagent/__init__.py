"""Allocation among agents that decide by themselves: each knows its own channels, energy and accuracy alone.

:func:`parallel_env` is the PettingZoo environment. :mod:`secagent_env.multiagent.strategies` has rules to play by, and
``secagent train ppo --policy local`` one network for all agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from secagent_env.model.scenario import Scenario
from secagent_env.support.extras import require

if TYPE_CHECKING:
    from secagent_env.multiagent.parallel import AllocationParallelEnv

__all__ = ["parallel_env"]


def parallel_env(
    scenario: Scenario | str | Mapping[str, Any] | None = None, base_station: str = "solver", **options: Any
) -> AllocationParallelEnv:
    """Return the PettingZoo environment.

    The arguments are those of :class:`~secagent_env.multiagent.parallel.AllocationParallelEnv`.

    Raises
    ------
    ImportError
        If PettingZoo is missing; the message names the command that installs it.
    ValueError
        If an argument is out of range.
    """
    require("pettingzoo", "multiagent")
    from secagent_env.multiagent.parallel import AllocationParallelEnv

    return AllocationParallelEnv(scenario, base_station, **options)
