"""Random networks by counter, for many environments: what draws them from a scenario, in machine code."""

from __future__ import annotations

import math

import numpy as np

from secagent_env.bulk.kernels import draw
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.propagation.paper import Paper

_BEYOND = ("path_loss", "fading", "scatter_correlation")
"""The fields of the channel model that nothing here knows but the paper's values of."""


class Networks:
    """The random networks of a scenario: instance ``episode`` of ``seed`` depends on these two numbers alone.

    They have the distribution of :func:`~secagent_env.sampling.generator.sample_instance`, and other numbers: random
    ones of 32 bits, and fading of single precision, in float64 arrays.

    Raises
    ------
    ValueError
        If the scenario's channel model is not the paper's.
    """

    def __init__(self, scenario: Scenario) -> None:
        paper = Scenario()
        for name in _BEYOND:
            if (got := getattr(scenario, name)) != (wanted := getattr(paper, name)):
                raise ValueError(f"rng='bulk' draws channels with {name}={wanted!r} alone, got {got!r}: leave rng out")
        first, last = scenario.tool_tokens
        low, high = scenario.training_budget
        ranges = (
            *scenario.area_m,
            scenario.model_dim,
            (first, last + 1),
            scenario.compute_rate,
            scenario.compute_power_w,
            (math.log(low), math.log(high)),
            *scenario.eve_area_m,
        )
        self._ranges = np.array([(low, high - low) for low, high in ranges], float)
        self._widths = np.array(scenario.model_dims or (), float)
        output = scenario.output_tokens
        self._constants = (
            float(scenario.activation_ops + 1 + output + output**2),
            float(scenario.task_difficulty),
            Paper(scenario.carrier_hz).gain_at_1m,
            float(scenario.eve_position_error_m),
        )

    def draw(
        self, instances: Instance, bs_gain: np.ndarray, rows: np.ndarray, keys: np.ndarray, episodes: np.ndarray
    ) -> None:
        """Write instances to the ``rows`` (B,) of a batch of them, and of their gains g of (9) (·, N).

        ``keys`` (B,) uint64 are those of :func:`key_of`.
        """
        draw(
            rows,
            keys,
            episodes.astype(np.uint64),
            self._ranges,
            self._widths,
            self._constants,
            *links_and_agents(instances),
            instances.position_m,
            instances.eve_position_m,
            bs_gain,
        )


def links_and_agents(instances: Instance) -> tuple[np.ndarray, ...]:
    """Return the arrays of a batch of instances (B) as compiled functions take them, but places: complex ones as parts.

    They are views of float64 arrays in C order, and copies of others.
    """
    channels = (instances.channel_bs, instances.channel_eve)
    others = (
        instances.gain_agents,
        instances.gain_eve,
        instances.inference_time_s,
        instances.compute_power_w,
        instances.accuracy,
    )
    return (
        *(np.ascontiguousarray(array, complex).view(float) for array in channels),
        *(np.ascontiguousarray(array, float) for array in others),
    )


def key_of(seed: int) -> np.uint64:
    """Return the key of a seed: itself below 2⁶⁴, and 64 bits that NumPy's ``SeedSequence`` makes of a larger one.

    Raises
    ------
    ValueError
        If it is negative, as Gymnasium's number for a generator that was set without a seed.
    """
    if seed < 0:
        raise ValueError("rng='bulk' draws by the seed, and a generator without one was set: call reset(seed=…)")
    return np.uint64(seed) if seed < 2**64 else np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
