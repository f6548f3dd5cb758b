"""DeepMIMO's data sets, of one base station: channels of users, and where they are.

====================== ================================================ ==========================================
what                   version 4                                        versions 2 and 3
====================== ================================================ ==========================================
channels               ``dataset.channel``                              ``dataset["user"]["channel"]``
places of the users    ``dataset.rx_pos`` (users, 3)                    ``dataset["user"]["location"]`` (users, 3)
of the base station    ``dataset.tx_pos`` (3,)                          ``dataset["location"]`` (3,)
====================== ================================================ ==========================================

Channels are (users, receive antennas, transmit antennas, subcarriers[, times]), in the frequency domain. The received
signal is y = H w there, so the conjugate is returned. DeepMIMO divides each subcarrier's amplitude by √K, K the number
of its OFDM subcarriers in all: they are multiplied by it, so that |h|² is the gain of the path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from secagent_env.channels.choose import from_array
from secagent_env.support.checks import integer

_NAMES = {"channel": ("channel", "channel"), "users": ("rx_pos", "location"), "station": ("tx_pos", "location")}


def from_deepmimo(
    dataset: Any,
    agents: Any,
    eavesdroppers: Any,
    *,
    total_subcarriers: int,
    subcarrier: int | None = None,
    time: int | None = None,
    rx_antenna: int | None = None,
    scale_db: float = 0.0,
) -> dict[str, np.ndarray]:
    """Return the arguments of :meth:`secagent_env.Instance.from_channels`: channels and, where known, places.

    Parameters
    ----------
    dataset
        As DeepMIMO returns it, of one base station, or a mapping with the names above.
    agents, eavesdroppers
        Which users they are: indices (…, N) and (…, E); :func:`~secagent_env.channels.drawn_groups` draws them.
    total_subcarriers
        K, as in DeepMIMO's ``ofdm.subcarriers``.
    subcarrier, time, rx_antenna
        Which of the subcarriers in the data set, times and receive antennas; each is needed where there are several.
    scale_db
        By how much the power gains are to be raised, dB.

    Raises
    ------
    ValueError
        If something is missing, of another shape, or an agent has no path to the base station; if there are several
        base stations; if channels were computed in the time domain, or with another number of subcarriers.
    """
    dataset = _only(dataset)
    channel = np.asarray(_part(dataset, "channel"))
    _check_settings(dataset, total_subcarriers)
    if channel.ndim not in (4, 5):
        raise ValueError(
            "channel must have the axes users, receive antennas, transmit antennas, subcarriers, and perhaps times, "
            f"got the shape {channel.shape}"
        )
    factor = math.sqrt(integer("total_subcarriers", total_subcarriers, 1))
    axes = "nrlft"[: channel.ndim]
    chosen: dict[str, Any] = {"rx_antenna": rx_antenna, "time": time, "subcarrier": subcarrier}
    all_users = factor * from_array(channel, axes, convention="Hw", scale_db=scale_db, **chosen)
    which = {"agents": agents, "eavesdroppers": eavesdroppers}
    rows = {name: _indices(name, users, len(all_users)) for name, users in which.items()}
    silent = np.unique(rows["agents"][~all_users[rows["agents"]].any(axis=-1)])
    if silent.size:
        raise ValueError(
            f"{silent.size} agents have no path to the base station, such as user {silent[0]}: choose among those with "
            'one, as dataset.get_idxs("active") does'
        )
    found = {"channel_bs": all_users[rows["agents"]], "channel_eve": all_users[rows["eavesdroppers"]]}
    users, station = (_part(dataset, name, optional=True) for name in ("users", "station"))
    if users is None or station is None:
        return found
    users, station = np.asarray(users, np.float64), np.asarray(station, np.float64).reshape(-1)
    if users.shape[:1] != (len(all_users),) or users.ndim != 2 or users.shape[1] < 2 or len(station) < 2:
        raise ValueError(f"places must be (users, 3) and (3,), got {users.shape} and {station.shape}")
    places = users[:, :2] - station[:2]
    return {**found, "position_m": places[rows["agents"]], "eve_position_m": places[rows["eavesdroppers"]]}


def _indices(name: str, which: Any, count: int) -> np.ndarray:
    indices = np.asarray(which)
    if indices.dtype.kind not in "iu" or indices.ndim < 1 or not indices.size:
        raise ValueError(f"{name} must be indices of users, got {which!r:.80}")
    if indices.min() < 0 or indices.max() >= count:
        raise ValueError(f"{name} must be indices of the {count} users, got {indices.min()} … {indices.max()}")
    return indices


def _only(dataset: Any) -> Any:
    """Return the data set of the one base station in version 3's list of them, or in version 4's ``MacroDataset``."""
    if isinstance(dataset, Mapping):
        return dataset
    within = dataset if isinstance(dataset, (list, tuple)) else getattr(dataset, "datasets", None)
    if within is None:
        return dataset
    if len(within) != 1:
        raise ValueError(f"the data set is of {len(within)} base stations or moments: give one, as dataset[0]")
    return _only(within[0])


def _check_settings(dataset: Any, total_subcarriers: int) -> None:
    """Raise ValueError where version 4 says that its channels are others."""
    settings = dataset.get("ch_params") if isinstance(dataset, Mapping) else getattr(dataset, "ch_params", None)
    if not isinstance(settings, Mapping):
        return
    if not settings.get("freq_domain", True):
        raise ValueError(
            "channel is in the time domain, a coefficient per path: compute their sum, with freq_domain=True"
        )
    ofdm = settings.get("ofdm")
    computed = ofdm.get("subcarriers", total_subcarriers) if isinstance(ofdm, Mapping) else total_subcarriers
    if computed != total_subcarriers:
        raise ValueError(
            f"total_subcarriers must be {computed}, as the data set was computed with, got {total_subcarriers}"
        )


def _part(dataset: Any, part: str, *, optional: bool = False) -> Any:
    """Return a part of a data set of any version."""
    new, old = _NAMES[part]
    if isinstance(dataset, Mapping) and "user" in dataset:
        inner = dataset if part == "station" else dataset["user"]
        if (value := inner.get(old)) is not None:
            return value
    elif isinstance(dataset, Mapping):
        if dataset.get(new) is not None:
            return dataset[new]
    elif getattr(dataset, new, None) is not None:
        return getattr(dataset, new)
    if optional:
        return None
    raise ValueError("the data set has no channel: compute it first, as dataset.compute_channels() does")
