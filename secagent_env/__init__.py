"""The world of secagent: secure, energy-efficient wireless networks of AI agents.

The way of the data, and the room of each step::

    Scenario → sample_instance → Instance → Decision → evaluate → Outcome     model/, draws in sampling/ by the
                                                                              channel models of propagation/
    observation → action → Decision → reward                                  allocation/, over many tasks lifetime/
    Game → powers → rates → reward                                            power_control/, the second paper's game

Around them are the Gymnasium environments ``secagent/Allocation-v0``, ``secagent/Lifetime-v0`` and
``secagent/PowerControl-v0``, registered on import, on the bases in ``gym_bases/``; ``rendering/`` draws them,
``bulk/`` holds the compiled parts of ``rng="bulk"``,
``secrecy/`` has outage and ergodic rates where the eavesdroppers' links are random, ``questions/`` holds the users'
questions, and ``support/`` what all packages stand on.
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
    id="secagent/AllocationGuided-v0",
    entry_point="secagent_env.allocation.env:AllocationEnv",
    vector_entry_point="secagent_env.allocation.vector:AllocationVectorEnv",
    kwargs={"action_format": "ranked", "observation_format": "ranked", "penalty_fixed": 0.3},
)
gymnasium.register(
    id="secagent/Lifetime-v0",
    entry_point="secagent_env.lifetime.env:LifetimeEnv",
    vector_entry_point="secagent_env.lifetime.vector:LifetimeVectorEnv",
    max_episode_steps=1000,
)
gymnasium.register(
    id="secagent/LifetimeGuided-v0",
    entry_point="secagent_env.lifetime.env:LifetimeEnv",
    vector_entry_point="secagent_env.lifetime.vector:LifetimeVectorEnv",
    max_episode_steps=1000,
    kwargs={"action_format": "guided", "observation_format": "compact"},
)
gymnasium.register(
    id="secagent/PowerControl-v0",
    entry_point="secagent_env.power_control.env:PowerControlEnv",
    vector_entry_point="secagent_env.power_control.vector:PowerControlVectorEnv",
)
