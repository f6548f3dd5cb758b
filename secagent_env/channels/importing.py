"""Behind `secagent import`: from a file of channels to instances, part by part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.channels.choose import drawn_groups, from_array, power_gain
from secagent_env.channels.completion import completed
from secagent_env.channels.deepmimo import from_deepmimo
from secagent_env.channels.files import read_arrays
from secagent_env.channels.sionna import from_sionna
from secagent_env.model.instance import DIMENSIONS, Instance
from secagent_env.model.scenario import Scenario
from secagent_env.support.checks import choice, integer
from secagent_env.support.errors import check_name

KINDS = ("sionna", "deepmimo", "mat", "npz", "hdf5")
GAINS = ("power", "amplitude", "dB")
PART = 1024
"""How many instances are made at a time."""
_PRIOR_POWERS = {"prior_bs_mean": 1, "prior_bs_covariance": 2}
"""The power of the channels' amplitudes that these are, of channels of the user's own."""
_CHOSEN_OF_OWN = ("tx", "rx_antenna", "time", "subcarrier")
_CHOSEN = {
    "sionna": ("frequency_hz", *_CHOSEN_OF_OWN),
    "deepmimo": ("total_subcarriers", "rx_antenna", "time", "subcarrier"),
}
_NAMES = {"sionna": ("h", "a", "tau", "position_m"), "deepmimo": ("channel", "rx_pos", "tx_pos")}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a file is read; see `secagent import --help`.

    Attributes
    ----------
    kind
        One of :data:`KINDS`: whose axes its arrays have.
    names
        What the file calls an array, by the name it has here; by default the same.
    axes, convention, gains
        Of arrays of the user's own: axes by name (:mod:`secagent_env.channels.choose`), ``"Hw"`` or ``"hHw"``, and what
        gains between devices are, one of :data:`GAINS`.
    draw
        How many groups of receivers are drawn; None: one, the first agents and then the eavesdroppers.
    chosen
        ``subcarrier``, ``time``, ``tx``, ``rx_antenna``, ``frequency_hz`` and ``total_subcarriers``, where they are
        needed.
    scale_db, complete, seed
        As in :func:`secagent_env.channels.from_array` and :meth:`secagent_env.Instance.from_channels`.
    """

    kind: str
    names: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, str] = field(default_factory=dict)
    convention: str | None = None
    gains: str | None = None
    draw: int | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    scale_db: float = 0.0
    complete: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        choice("kind", self.kind, KINDS)
        for name in self.names:
            check_name("array", name, _NAMES.get(self.kind, DIMENSIONS))
        own = self.kind not in _NAMES
        if self.draw is not None:
            integer("draw", self.draw, 1)
        idle = ["draw"] if own and self.draw is not None else []
        if not own:
            idle += [name for name in ("axes", "convention", "gains") if getattr(self, name)]
        idle += [name for name in self.chosen if name not in _CHOSEN.get(self.kind, _CHOSEN_OF_OWN)]
        if idle:
            option = idle[0].replace("_", "-")
            raise ValueError(f"--{option} means nothing for arrays of the kind {self.kind}: leave it out")
        for name in self.axes:
            check_name("array with axes", name, ("channel_bs", "channel_eve"))


def imported(path: str | Path, scenario: Scenario, recipe: Recipe, part: int | None = PART) -> Iterator[Instance]:
    """Yield the instances of a file, batches of at most ``part`` along the first axis; None: all at once.

    Raises
    ------
    OSError, ImportError
        As :func:`secagent_env.channels.read_arrays`.
    ValueError
        If an array is missing, or does not fit.
    """
    given = _given(path, scenario, recipe)
    channel = given["channel_bs"]
    batch = channel.shape[:-2]
    if not batch or part is None:
        yield completed(given, scenario, complete=recipe.complete, seed=recipe.seed)
        return
    for start in range(0, batch[0], part):
        rows = slice(start, start + part)
        taken = {
            name: array[rows] if array.ndim == len(batch) + own else array
            for name, array in given.items()
            for own in [len(DIMENSIONS[name])]
        }
        first = start * math.prod(batch[1:])
        yield completed(taken, scenario, complete=recipe.complete, seed=recipe.seed, first=first)


def _given(path: str | Path, scenario: Scenario, recipe: Recipe) -> dict[str, np.ndarray]:
    """Return the fields that a file gives, by name."""
    arrays = _named(path, recipe)
    try:
        if recipe.kind == "sionna":
            return _of_sionna(arrays, scenario, recipe)
        if recipe.kind == "deepmimo":
            return _of_deepmimo(arrays, scenario, recipe)
        return _of_own(arrays, recipe)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _named(path: str | Path, recipe: Recipe) -> dict[str, np.ndarray]:
    """Return the arrays of a file that have a meaning, by the names they have here."""
    found = read_arrays(path)
    there = ", ".join(f"{name} {array.shape}" for name, array in sorted(found.items()))
    for name, variable in recipe.names.items():
        if variable not in found:
            raise ValueError(f"{path} holds no {variable} to take as {name}; it holds: {there}")
    wanted = _NAMES.get(recipe.kind, tuple(DIMENSIONS))
    arrays = {name: found[recipe.names.get(name, name)] for name in wanted if recipe.names.get(name, name) in found}
    needed = {"sionna": "h", "deepmimo": "channel"}.get(recipe.kind, "channel_bs")
    if needed not in arrays and not {"a", "tau"} <= set(arrays):
        says = "h, or a and tau" if needed == "h" else needed
        raise ValueError(f"{path} holds no {says}: name it with --array {needed}=VARIABLE; it holds: {there}")
    return arrays


def _of_sionna(arrays: Mapping[str, np.ndarray], scenario: Scenario, recipe: Recipe) -> dict[str, np.ndarray]:
    h = arrays["h"] if "h" in arrays else arrays["a"]
    tau = None if "h" in arrays else arrays["tau"]
    channel = from_sionna(h, tau, **recipe.chosen, scale_db=recipe.scale_db)
    agents, eves = _groups(channel.shape[-2], scenario, recipe)
    given = {"channel_bs": channel[..., agents, :], "channel_eve": channel[..., eves, :]}
    if "position_m" in arrays:
        place = np.asarray(arrays["position_m"], np.float64)
        batch, receivers = channel.shape[:-2], channel.shape[-2]
        if place.shape[:-1] not in ((receivers,), (*batch, receivers)) or place.shape[-1] not in (2, 3):
            over = f" or ({', '.join(map(str, batch))}, …)" if batch else ""
            raise ValueError(f"position_m must be ({receivers} receivers, 2 or 3){over}, got {place.shape}")
        for name, rows in (("position_m", agents), ("eve_position_m", eves)):
            at = place[..., rows, :2]
            given[name] = np.broadcast_to(at, (*given["channel_bs"].shape[:-2], *at.shape[-2:]))
    return given


def _of_deepmimo(arrays: Mapping[str, np.ndarray], scenario: Scenario, recipe: Recipe) -> dict[str, np.ndarray]:
    heard = np.flatnonzero(np.any(arrays["channel"] != 0, axis=tuple(range(1, arrays["channel"].ndim))))
    agents, eves = _groups(heard if recipe.draw else len(arrays["channel"]), scenario, recipe)
    if "total_subcarriers" not in recipe.chosen:
        raise ValueError("--total-subcarriers is needed: DeepMIMO divides by the root of that number")
    return from_deepmimo(arrays, agents, eves, **recipe.chosen, scale_db=recipe.scale_db)


def _of_own(arrays: Mapping[str, np.ndarray], recipe: Recipe) -> dict[str, np.ndarray]:
    if recipe.convention is None:
        raise ValueError("--convention is needed: Hw where the received signal is H w, hHw where it is hᴴ w")
    given = dict(arrays)
    for name in ("channel_bs", "channel_eve"):
        if name not in arrays:
            raise ValueError(f"there is no {name}: name it with --array {name}=VARIABLE")
        axes = recipe.axes.get(name, "b" * (arrays[name].ndim - 2) + "nl")
        try:
            given[name] = from_array(
                arrays[name], axes, convention=recipe.convention, scale_db=recipe.scale_db, **recipe.chosen
            )
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    for name, power in _PRIOR_POWERS.items():
        if name in arrays:
            at = np.asarray(arrays[name]) * 10 ** (power * recipe.scale_db / 20)
            given[name] = at.conj() if recipe.convention == "Hw" else at
    for name in ("gain_agents", "gain_eve"):
        if name in arrays:
            if recipe.gains is None:
                raise ValueError(f"--gains is needed for {name}: power, amplitude or dB")
            unit, quantity = ("dB", "power") if recipe.gains == "dB" else ("linear", recipe.gains)
            axes = "b" * (arrays[name].ndim - 2) + "xn"
            try:
                given[name] = power_gain(arrays[name], axes, quantity=quantity, unit=unit)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return given


def _groups(receivers: Any, scenario: Scenario, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Return which receivers are agents and which eavesdroppers: (N,) and (E,), or (K, N) and (K, E) of K groups."""
    agents, eves = scenario.num_agents, scenario.num_eavesdroppers
    if recipe.draw is not None:
        return drawn_groups(receivers, agents, eves, recipe.draw, recipe.seed)
    if receivers < agents + eves:
        raise ValueError(f"{agents} agents and {eves} eavesdroppers need {agents + eves} receivers, got {receivers}")
    return np.arange(agents), np.arange(agents, agents + eves)
