"""The world of secagent: secure, energy-efficient wireless networks of AI agents.

``Scenario`` → ``sample_instance`` → ``Instance`` → ``Decision`` → ``evaluate`` → ``Outcome``, and the
Gymnasium environments ``secagent/Allocation-v0`` and ``secagent/Lifetime-v0`` around them, registered on import.

Beside them :mod:`secagent_env.power_control`, the second paper's game, and ``secagent/PowerControl-v0``.
"""

import gymnasium

from secagent_env._version import __version__
from secagent_env.decision import Decision
from secagent_env.instance import Instance
from secagent_env.outcome import Outcome
from secagent_env.physics import evaluate
from secagent_env.sampling import sample_instance
from secagent_env.scenario import Scenario

__all__ = ["Decision", "Instance", "Outcome", "Scenario", "__version__", "evaluate", "sample_instance"]

gymnasium.register(
    id="secagent/Allocation-v0",
    entry_point="secagent_env.allocation:AllocationEnv",
    vector_entry_point="secagent_env.vector_allocation:AllocationVectorEnv",
)
gymnasium.register(
    id="secagent/Lifetime-v0",
    entry_point="secagent_env.lifetime:LifetimeEnv",
    vector_entry_point="secagent_env.vector_lifetime:LifetimeVectorEnv",
    max_episode_steps=1000,
)
gymnasium.register(
    id="secagent/PowerControl-v0",
    entry_point="secagent_env.power_control.gym_view:PowerControlEnv",
    vector_entry_point="secagent_env.power_control.vector_gym_view:PowerControlVectorEnv",
)
