"""Sionna's arrays (versions 1 and 2): channel impulse responses and frequency responses, with or without a batch axis.

=========================================== ==========================================================================
``Paths.cir``, channel models: a            [batch,] num_rx, num_rx_ant, num_tx, num_tx_ant, num_paths, num_time_steps
of both: tau                                [batch,] num_rx, num_tx, num_paths; or with both axes of antennas
``Paths.cfr``, ``cir_to_ofdm_channel``: h   [batch,] num_rx, num_rx_ant, num_tx, num_tx_ant, num_time_steps, num_freq
=========================================== ==========================================================================

The received signal is y = H w there, so the conjugate is returned. Arrays of any library that NumPy reads are taken,
torch's from any device, and the pair (real, imaginary) of Dr.Jit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from secagent_env.channels.choose import from_array, numpy_of, path_sum, power_gain

_LETTERS = "nrxltf"


def from_sionna(
    h: Any,
    tau: Any = None,
    *,
    frequency_hz: float | None = None,
    subcarrier: int | None = None,
    time: int | None = None,
    tx: int | None = None,
    rx_antenna: int | None = None,
    scale_db: float = 0.0,
) -> np.ndarray:
    """Return the channels of all receivers, ([batch,] num_rx, num_tx_ant): agents and eavesdroppers are rows of it.

    Parameters
    ----------
    h
        A frequency response h; or path coefficients a, with their delays ``tau``.
    tau
        Delays in s.
    frequency_hz
        With ``tau``, the frequency beside the carrier at which Σ a e^(−j2πfτ) is taken; 0 is the carrier.
    subcarrier
        Without ``tau``, which of the frequencies.
    time, tx, rx_antenna
        Which time step, transmitter (the base station) and receive antenna; each is needed where there are several.
    scale_db
        Mean path gain, dB, where the arrays were made with ``normalize=True`` or ``normalize_channel=True``.

    Raises
    ------
    ValueError
        If the shapes are not those above, or a choice is missing.
    """
    frequencies: Sequence[float] = ()
    if tau is not None:
        if frequency_hz is None or subcarrier is not None:
            raise ValueError(
                "path coefficients with tau need frequency_hz, in Hz beside the carrier, and no subcarrier"
            )
        frequencies, subcarrier = [frequency_hz], 0
    elif frequency_hz is not None:
        raise ValueError("frequency_hz needs the delays tau; of a frequency response, choose a subcarrier")
    response, axes = _response(h, tau, frequencies)
    chosen: dict[str, Any] = {"tx": tx, "rx_antenna": rx_antenna, "time": time, "subcarrier": subcarrier}
    return from_array(response, axes, convention="Hw", scale_db=scale_db, **chosen)


def sionna_gain(
    h: Any, tau: Any = None, *, frequency_hz: Sequence[float] | None = None, scale_db: float = 0.0
) -> np.ndarray:
    """Return the power gains from all transmitters (rows) to all receivers, ([batch,] num_tx, num_rx).

    Averaged over antennas, time steps and frequencies: with agents on both ends this is ``gain_agents``, with
    eavesdroppers as receivers ``gain_eve``.

    Parameters
    ----------
    h, tau, scale_db
        As in :func:`from_sionna`.
    frequency_hz
        With ``tau``, the frequencies beside the carrier over which gains are averaged.
    """
    if tau is not None and frequency_hz is None:
        raise ValueError("path coefficients with tau need frequency_hz, in Hz beside the carrier, as in [0.0]")
    response, axes = _response(h, tau, frequency_hz or ())
    return power_gain(response, axes, quantity="amplitude", scale_db=scale_db)


def _response(h: Any, tau: Any, frequencies: Sequence[float]) -> tuple[np.ndarray, str]:
    """Return a frequency response, of path coefficients where there are delays, and the letters of its axes."""
    response = _complex(h) if tau is None else _of_paths(_complex(h), numpy_of(tau), frequencies)
    _check(response, "a frequency response must have the axes num_rx, num_rx_ant, num_tx, num_tx_ant, time, frequency")
    return response, "b" * (response.ndim - 6) + _LETTERS


def _of_paths(a: np.ndarray, tau: np.ndarray, frequencies: Sequence[float]) -> np.ndarray:
    """Return the frequency response of path coefficients."""
    _check(a, "path coefficients must have the axes num_rx, num_rx_ant, num_tx, num_tx_ant, num_paths, num_time_steps")
    if tau.ndim == a.ndim - 3:
        tau = np.expand_dims(tau, (-4, -2))  # one delay for all antennas
    if tau.ndim != a.ndim - 1 or tau.dtype.kind != "f":
        raise ValueError(
            f"tau must be real, (num_rx, num_tx, num_paths) or with both axes of antennas, got {tau.dtype} {tau.shape} "
            f"beside a of {a.shape}"
        )
    try:
        np.broadcast_shapes(tau.shape, a.shape[:-1])
    except ValueError:
        raise ValueError(f"tau has the shape {tau.shape}, which does not fit a of {a.shape}") from None
    return np.stack([path_sum(a, tau[..., None], f, axis=-2) for f in frequencies], axis=-1)


def _check(array: np.ndarray, wanted: str) -> None:
    if array.ndim not in (6, 7):
        raise ValueError(f"{wanted}, and perhaps a batch axis before them, got the shape {array.shape}")


def _complex(value: Any) -> np.ndarray:
    """Return an array, of a pair of real and imaginary part too."""
    if not (isinstance(value, (tuple, list)) and len(value) == 2):
        return numpy_of(value)
    real, imaginary = map(numpy_of, value)
    if real.shape != imaginary.shape or "c" in real.dtype.kind + imaginary.dtype.kind:
        raise ValueError(
            "a pair must be real and imaginary part, of one shape; "
            "give coefficients and delays as two arguments, a and tau"
        )
    return real + 1j * imaginary
