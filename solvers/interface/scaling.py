"""One scale for all networks: the noise is 1 W, and gains are over the noise; received powers stay what they are.

Rates depend on the gains and the noise by their ratios alone, so that a decision is as good on both. Solvers search on
the scaled network: what they do depends on no unit and no path loss.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from secagent_env import Instance, Scenario

LARGEST = 1e60
"""The largest power gain over the noise, 1/W: products of a few must not overflow."""


def scaled(instance: Instance) -> Instance:
    """Return an instance with a noise of 1 W, its channels over the root of its noise and its gains over its noise.

    What is known of the eavesdroppers beforehand is scaled with them.

    Raises ValueError where the noise is negligible beside a channel beyond all measure.
    """
    noise = instance.scenario.noise_power_w
    root = math.sqrt(noise)
    fields = {name: getattr(instance, name) for name in Instance._arrays}
    for name, unit, largest in (
        ("channel_bs", root, math.sqrt(LARGEST)),
        ("channel_eve", root, math.sqrt(LARGEST)),
        ("gain_agents", noise, LARGEST),
        ("gain_eve", noise, LARGEST),
        ("prior_bs_mean", root, math.sqrt(LARGEST)),
        ("prior_bs_covariance", noise, LARGEST),
        ("prior_agents_mean", root, math.sqrt(LARGEST)),
        ("prior_agents_variance", noise, LARGEST),
    ):
        if fields[name] is None:
            continue
        with np.errstate(over="ignore"):
            fields[name] = fields[name] / unit
        if not np.all(np.abs(fields[name]) <= largest):
            raise ValueError(
                f"{name} is too large beside noise_power_w: solvers take power gains of up to {LARGEST:g} "
                f"times the noise, 1/W"
            )
    return Instance._trusted(**{**fields, "scenario": _with_noise_one(instance.scenario)})


@functools.lru_cache(maxsize=64)
def _with_noise_one(scenario: Scenario) -> Scenario:
    return scenario.replace(noise_power_w=1.0)
