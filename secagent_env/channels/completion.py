"""Behind :meth:`secagent_env.Instance.from_channels`: check what is given, make what is missing, tell which is which.

What is missing comes from the draws of :func:`secagent_env.sample_instance` with the same seed and index. Gains that
are derived take the places given, and of these draws only the fading.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from secagent_env.channels.choose import numpy_of, require_complex
from secagent_env.model.batched import plain_array, require_finite
from secagent_env.model.instance import DIMENSIONS, Instance, sizes_of
from secagent_env.model.prior import PRIOR
from secagent_env.model.scenario import Scenario
from secagent_env.sampling.generator import CHUNK, draw_into, empty_instances
from secagent_env.sampling.seeds import Seed, generators_of
from secagent_env.support.checks import choice
from secagent_env.support.units import decibel

_SIZES = {"N": "num_agents", "L": "num_antennas", "E": "num_eavesdroppers"}
"""The fields of a scenario that set the dimensions."""
_CHANNELS = ("channel_bs", "channel_eve")
_PLACES = ("position_m", "eve_position_m")
_MEANS = ("prior_bs_mean", "prior_agents_mean")
_LEFT_OUT = (*_PLACES, *PRIOR)
"""What is never made."""
_NEEDS = {"gain_agents": ("position_m",), "gain_eve": _PLACES}
"""The places that each gain is derived from."""

STRONGEST_GAIN = 1e-2
"""A mean power gain of a link above this is no path loss: at 3.5 GHz 1 m of air has 5e-5."""
WEAKEST_SNR = 1.0
"""A median SNR of the downlink, per antenna at full power, below this is no network's."""


class ChannelWarning(UserWarning):
    """Numbers that look like another quantity, or another unit, than the one they were given as."""


def completed(
    given: Mapping[str, Any], scenario: Scenario, *, complete: str | None = None, seed: Seed = 0, first: int = 0
) -> Instance:
    """Return the instance of the fields ``given``, those that are None drawn or derived.

    Parameters
    ----------
    given
        All array fields of an Instance by name.
    scenario, complete, seed
        As in :meth:`secagent_env.Instance.from_channels`.
    first
        The index of the first instance, where they are a part of a larger batch.

    Raises
    ------
    ValueError
        As there.
    """
    if complete is not None:
        choice("complete", complete, ("scenario",))
    arrays = {name: _checked(name, value, scenario) for name, value in given.items() if value is not None}
    for name in _CHANNELS:
        if name not in arrays:
            raise ValueError(f"{name} must be an array, got None")
    batch = arrays["channel_bs"].shape[:-2]
    arrays = {name: _over(name, array, batch, len(DIMENSIONS[name])) for name, array in arrays.items()}
    origin = dict.fromkeys(arrays, "given")
    for name, places in _NEEDS.items():
        lacking = [place for place in places if place not in arrays]
        if name not in arrays and lacking and complete is None:
            raise ValueError(
                f"{name} is missing, and so is {lacking[0]}, from which it could be derived: give either, or say "
                f'complete="scenario" for places drawn from the scenario, which then decide who can send in secret'
            )
        origin.setdefault(name, "drawn" if lacking else "derived")
    for name in DIMENSIONS:
        if name not in _LEFT_OUT:
            origin.setdefault(name, "drawn")
    made = [name for name in origin if name not in arrays]
    for name, places in _NEEDS.items():
        if origin[name] == "derived":
            _check_range(name, scenario, arrays[places[0]], arrays[places[-1]])
    if made:
        arrays |= _made(made, scenario, {name: arrays.get(name) for name in _PLACES}, batch, seed, first)
    instance = Instance(scenario=scenario, **arrays, origin=origin)
    _look(instance)
    return instance


def _checked(name: str, value: Any, scenario: Scenario) -> np.ndarray:
    """Return a field as an array of its last dimensions; ValueError says what it needs and what it looks like."""
    array = numpy_of(plain_array(name, value))
    dims, sizes = DIMENSIONS[name], sizes_of(scenario)
    wanted = tuple(sizes[dim] for dim in dims)
    letters = ", ".join(f"{'xy' if dim == '2' else dim} = {sizes[dim]}" for dim in dims)
    if 0 in array.shape:
        raise ValueError(f"{name} holds nothing: its shape is {array.shape}, and it needs (…, {letters})")
    own = array.shape[-len(wanted) :]
    if own != wanted:
        hint = ""
        if own == wanted[::-1]:
            hint = ": its last two axes are transposed"
        elif dims[-1] == "2" and own == (wanted[0], 3):
            hint = ": leave the heights out, as in [..., :2]"
        elif set(wanted) <= set(array.shape):
            hint = ": put its axes in this order with np.moveaxis"
        elif array.ndim >= len(wanted):
            other = [(dim, got) for dim, got in zip(dims, own, strict=True) if got != sizes[dim] and dim in _SIZES]
            fields = dict.fromkeys(f"{_SIZES[dim]}={got}" for dim, got in other)
            hint = f": change the array, or the scenario to {', '.join(fields)}" if fields else ""
        raise ValueError(f"{name} must have the shape (…, {letters}) of the scenario, got {array.shape}{hint}")
    if name in _PLACES:
        require_finite(name, array, np)
    if name in (*_CHANNELS, *_MEANS):
        require_complex(name, array)
    if name == "prior_bs_covariance":
        return array.astype(np.result_type(array, np.complex64), copy=False)
    if name not in (*_CHANNELS, *_MEANS) and array.dtype.kind == "c":
        raise ValueError(f"{name} must be real, got {array.dtype}; a power gain is abs(h) ** 2")
    if name in (*_NEEDS, "prior_agents_variance") and (array < 0).any():
        raise ValueError(
            f"{name} must hold power gains ≥ 0, got {float(array.min()):.4g}, which looks like decibels: "
            "give 10 ** (gain / 10)"
        )
    return array


def _over(name: str, array: np.ndarray, batch: tuple[int, ...], own: int) -> np.ndarray:
    """Return an array with the batch dimensions, a view where it has none."""
    found = array.shape[: array.ndim - own]
    if found == batch:
        return array
    if found:
        raise ValueError(f"{name} must have the batch dimensions {batch} of channel_bs, or none, got {found}")
    return np.broadcast_to(array, batch + array.shape)


def _check_range(name: str, scenario: Scenario, places: np.ndarray, others: np.ndarray) -> None:
    """Raise ValueError where the path loss of the scenario does not hold between two kinds of places (…, n, 2)."""
    apart = (np.linalg.norm(others - places[..., n : n + 1, :], axis=-1) for n in range(places.shape[-2]))
    longest = max(float(np.max(lengths)) for lengths in apart)
    longest += scenario.eve_position_error_m * (name == "gain_eve")
    scenario.propagation.check_range(f"{name} would be derived over {{}}", longest, from_bs=False)


def _made(
    names: list[str],
    scenario: Scenario,
    places: Mapping[str, np.ndarray | None],
    batch: tuple[int, ...],
    seed: Seed,
    first: int,
) -> dict[str, np.ndarray]:
    """Return the fields ``names`` of the instances that the seed draws at these places, or at those it draws."""
    count = math.prod(batch)
    generators = generators_of(seed, count, first=first)
    flat = {name: None if at is None else at.reshape(count, *at.shape[-2:]) for name, at in places.items()}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for start in range(0, count, CHUNK):
        rows = slice(start, start + CHUNK)
        drawn = empty_instances(scenario, len(generators[rows]))
        draw_into(drawn, generators[rows], **{name: None if at is None else at[rows] for name, at in flat.items()})
        for name, part in parts.items():
            part.append(getattr(drawn, name))
    joined = {name: np.concatenate(part) for name, part in parts.items()}
    return {name: array.reshape(batch + array.shape[1:]) for name, array in joined.items()}


def _look(instance: Instance) -> None:
    """Warn where the numbers look like another quantity or unit."""
    scenario = instance.scenario
    budgets = {"channel_bs": scenario.bs_power_w, "channel_eve": scenario.bs_power_w}
    budgets |= dict.fromkeys(_NEEDS, scenario.max_power_w)
    for name, power in budgets.items():
        array = getattr(instance, name)
        gain = np.abs(array) ** 2 if name in _CHANNELS else array
        mean, snr = float(np.mean(gain)), power * float(np.median(gain)) / scenario.noise_power_w
        if mean > STRONGEST_GAIN and snr > 1e9:
            _warn(
                f"{name} has a mean power gain of {mean:.3g} while the noise is {scenario.noise_power_w:.3g} W: it "
                "looks normalised; multiply it by the path loss, or set noise_power_w to its scale"
            )
        elif name == "channel_bs" and snr < WEAKEST_SNR:
            _warn(
                f"{name} has a mean power gain of {mean:.3g}, an SNR of {float(decibel(snr)):.0f} dB at full power: it "
                "looks like power gains where amplitude gains belong"
            )


def _warn(text: str) -> None:
    warnings.warn(text, ChannelWarning, stacklevel=5)
