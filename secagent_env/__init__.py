"""The world of secagent: secure, energy-efficient wireless networks of AI agents.

``Scenario`` → ``sample_instance`` → ``Instance`` → ``Decision`` → ``evaluate`` → ``Outcome``, and the
Gymnasium environments ``secagent/Allocation-v0`` and ``secagent/Lifetime-v0`` around them, registered on import.

Beside them :mod:`secagent_env.power_control`, the second paper's game, and ``secagent/PowerControl-v0``.
"""

import gymnasium

from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.physics import evaluate
from secagent_env.model.scenario import Scenario
from secagent_env.sampling.generator import sample_instance
from secagent_env.support.version import __version__

__all__ = ["Decision", "Instance", "Outcome", "Scenario", "__version__", "evaluate", "sample_instance"]

gymnasium.register(
    id="secagent/Allocation-v0",
    entry_point="secagent_env.allocation.env:AllocationEnv",
    vector_entry_point="secagent_env.allocation.vector:AllocationVectorEnv",
)
gymnasium.register(
    id="secagent/Lifetime-v0",
    entry_point="secagent_env.lifetime.env:LifetimeEnv",
    vector_entry_point="secagent_env.lifetime.vector:LifetimeVectorEnv",
    max_episode_steps=1000,
)
gymnasium.register(
    id="secagent/PowerControl-v0",
    entry_point="secagent_env.power_control.env:PowerControlEnv",
    vector_entry_point="secagent_env.power_control.vector:PowerControlVectorEnv",
)
