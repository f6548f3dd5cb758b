"""From arrays with axes of any order to the channels of an instance: what is chosen, what is averaged, and the sign.

Axes are named by letters: ``b`` instances (any number of such axes), ``n`` receivers, ``x`` transmitters, ``r`` receive
antennas, ``l`` transmit antennas, ``t`` time samples, ``f`` carriers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from secagent_env.support.checks import choice, integer, number

AXES = {
    "b": "instance",
    "n": "receiver",
    "x": "transmitter",
    "r": "receive antenna",
    "l": "transmit antenna",
    "t": "time sample",
    "f": "carrier",
}
CONVENTIONS = ("Hw", "hHw")
"""y = H w, of which h is the conjugate of a row; or y = hᴴ w, as here."""
QUANTITIES = ("power", "amplitude")
UNITS = ("linear", "dB")
_ARGUMENTS = {"x": "tx", "r": "rx_antenna", "t": "time", "f": "subcarrier"}


def numpy_of(value: Any) -> np.ndarray:
    """Return an array of any library as NumPy's, those of torch from any device and without their gradients."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def require_complex(name: str, array: np.ndarray) -> None:
    """Raise ValueError, which says what it looks like, where an array is real in the place of amplitude gains."""
    if array.dtype.kind == "c":
        return
    what = "decibels" if (array < 0).any() and np.abs(array).max() > 20 else "magnitudes or power gains"
    raise ValueError(
        f"{name} must be complex, amplitude gains with their phases, got {array.dtype}, which looks like {what}: "
        "a beam cannot be steered by them"
    )


def from_array(
    h: Any,
    axes: str,
    *,
    convention: str,
    tx: int | None = None,
    rx_antenna: int | None = None,
    time: int | None = None,
    subcarrier: int | None = None,
    scale_db: float = 0.0,
) -> np.ndarray:
    """Return channels (…, n, l), with |hᴴw|² the received power, from complex amplitude gains.

    Parameters
    ----------
    h
        Complex, an axis per letter of ``axes``.
    axes
        Letters as the module says, among them n and l; l is missing where there is one transmit antenna.
    convention
        ``"Hw"`` where the received signal is y = H w: the conjugate is returned. ``"hHw"`` where it is hᴴw already.
    tx, rx_antenna, time, subcarrier
        Which transmitter, receive antenna, time sample and carrier; each is needed where there are several.
    scale_db
        By how much the power gains are to be raised, dB: the mean path gain where ``h`` is normalised.

    Raises
    ------
    ValueError
        If the axes do not fit, a choice is missing or out of range, or ``h`` is not complex.
    """
    choice("convention", convention, CONVENTIONS)
    array, letters = _array("h", h, axes, needed="n")
    require_complex("h", array)
    chosen = {"x": tx, "r": rx_antenna, "t": time, "f": subcarrier}
    for letter, index in chosen.items():
        array, letters = _chosen(array, letters, letter, index)
    if "l" not in letters:
        array, letters = array[..., None], letters + "l"
    array = _ordered(array, letters, "nl") * 10 ** (number("scale_db", scale_db) / 20)
    return array.conj() if convention == "Hw" else array


def power_gain(
    values: Any, axes: str, *, quantity: str = "amplitude", unit: str = "linear", scale_db: float = 0.0
) -> np.ndarray:
    """Return power gains |h|², (…, n) or (…, x, n), averaged over antennas, time samples and carriers.

    Powers may be averaged: complex amplitudes would cancel, and what is left of a beam's powers is no beam.

    Parameters
    ----------
    values
        Gains, an axis per letter of ``axes``, among them n.
    quantity
        ``"amplitude"``, complex or magnitudes, or ``"power"``.
    unit
        ``"linear"`` or ``"dB"``, which are the same of both quantities.
    scale_db
        By how much the power gains are to be raised, dB.

    Raises
    ------
    ValueError
        If the axes do not fit, or the numbers cannot be such gains.
    """
    choice("quantity", quantity, QUANTITIES)
    choice("unit", unit, UNITS)
    array, letters = _array("values", values, axes, needed="n")
    if unit == "dB":
        if array.dtype.kind == "c":
            raise ValueError("values must be real where they are in dB, got complex numbers")
        power = 10 ** (array / 10)
    elif array.dtype.kind != "c" and (array < 0).any():
        raise ValueError("values must be ≥ 0 where they are linear gains: negative numbers look like dB")
    elif quantity == "power" and array.dtype.kind == "c":
        raise ValueError("values must be real where they are power gains, got complex numbers: amplitudes?")
    else:
        power = array if quantity == "power" else np.abs(array) ** 2
    averaged = tuple(i for i, letter in enumerate(letters) if letter in "rltf")
    left = "".join(letter for letter in letters if letter not in "rltf")
    kept = "xn" if "x" in left else "n"
    return _ordered(np.mean(power, axis=averaged), left, kept) * 10 ** (number("scale_db", scale_db) / 10)


def path_sum(a: Any, tau: Any, frequency_hz: float, axis: int = -1) -> np.ndarray:
    """Return Σ a e^(−j2πfτ), the channel at a frequency, of path coefficients and delays.

    Parameters
    ----------
    a, tau
        Coefficients and delays in s, which are broadcast to one another.
    frequency_hz
        f beside the carrier of which ``a`` is the baseband: 0 is the carrier itself.
    axis
        That of the paths.
    """
    f = number("frequency_hz", frequency_hz)
    return np.sum(np.asarray(a) * np.exp(-2j * np.pi * f * np.asarray(tau)), axis=axis)


def drawn_groups(
    receivers: Any, agents: int, eavesdroppers: int, instances: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw groups of receivers without repetition: which are agents (K, N) and which eavesdroppers (K, E).

    Parameters
    ----------
    receivers
        The number of receivers, or the indices of those that can be drawn.
    agents, eavesdroppers, instances
        N, E and K.
    seed
        A non-negative integer: group i depends on it and i alone.
    """
    indices = np.arange(receivers) if isinstance(receivers, (int, np.integer)) else np.asarray(receivers)
    integer("seed", seed, 0)
    size = integer("agents", agents, 1) + integer("eavesdroppers", eavesdroppers, 1)
    if indices.ndim != 1 or len(indices) < size:
        raise ValueError(f"{agents} agents and {eavesdroppers} eavesdroppers need {size} receivers, got {indices.size}")
    streams = (np.random.default_rng((seed, i)) for i in range(integer("instances", instances, 1)))
    groups = np.stack([indices[stream.permutation(len(indices))[:size]] for stream in streams])
    return groups[:, :agents], groups[:, agents:]


def _array(name: str, value: Any, axes: str, needed: str) -> tuple[np.ndarray, str]:
    """Return an array and the letters of its axes, checked."""
    array = numpy_of(value)
    if array.dtype.kind not in "iufc":
        raise ValueError(f"{name} must be numbers, got {array.dtype}")
    letters = axes.replace(" ", "").replace(",", "")
    if set(letters) - set(AXES) or any(letters.count(letter) > 1 for letter in AXES if letter != "b"):
        named = ", ".join(f"{letter} {what}" for letter, what in AXES.items())
        raise ValueError(f"axes must be letters ({named}), each once but b, got {axes!r:.80}")
    if missing := [letter for letter in needed if letter not in letters]:
        raise ValueError(f"axes must name the {AXES[missing[0]]}s ({missing[0]}), got {axes!r:.80}")
    if array.ndim != len(letters):
        raise ValueError(f"{name} must have the {len(letters)} axes {axes!r}, got the shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} holds nothing: its shape is {array.shape}")
    return array, letters


def _chosen(array: np.ndarray, letters: str, letter: str, index: Any) -> tuple[np.ndarray, str]:
    """Return an array without an axis, of which one index is taken."""
    place = letters.find(letter)
    argument = _ARGUMENTS[letter]
    if place < 0:
        if index not in (None, 0):
            raise ValueError(f"{argument} is {index!r:.40}, but there is only one {AXES[letter]}")
        return array, letters
    size = array.shape[place]
    if isinstance(index, str):
        raise ValueError(
            f"{argument} must be an index, got {index!r:.40}: a mean over complex gains cancels, and one over powers "
            "leaves no beam; power_gain averages the gains between devices"
        )
    if index is None and size > 1:
        raise ValueError(f"{argument} must be given: there are {size} {AXES[letter]}s, and the channel is that of one")
    index = integer(argument, 0 if index is None else index, -size, size - 1)
    return array.take(index, axis=place), letters[:place] + letters[place + 1 :]


def _ordered(array: np.ndarray, letters: str, last: str) -> np.ndarray:
    """Return an array with the axes ``last`` behind those of the instances."""
    batch = [i for i, letter in enumerate(letters) if letter == "b"]
    return np.transpose(array, [*batch, *(letters.index(letter) for letter in last)])
