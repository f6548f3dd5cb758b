"""One scale for all networks: the noise is 1 W, and gains are over the noise; received powers stay what they are.

Rates depend on the gains and the noise by their ratios alone, so that a decision is as good on both. Solvers search on
the scaled network: what they do depends on no unit and no path loss.
"""

from __future__ import annotations

import functools
import math

from secagent_env import Instance, Scenario


def scaled(instance: Instance) -> Instance:
    """Return an instance with a noise of 1 W, its channels over the root of its noise and its gains over its noise."""
    noise = instance.scenario.noise_power_w
    root = math.sqrt(noise)
    fields = {name: getattr(instance, name) for name in Instance._arrays}
    return Instance._trusted(
        **{
            **fields,
            "scenario": _with_noise_one(instance.scenario),
            "channel_bs": instance.channel_bs / root,
            "channel_eve": instance.channel_eve / root,
            "gain_agents": instance.gain_agents / noise,
            "gain_eve": instance.gain_eve / noise,
        }
    )


@functools.lru_cache(maxsize=64)
def _with_noise_one(scenario: Scenario) -> Scenario:
    return scenario.replace(noise_power_w=1.0)
