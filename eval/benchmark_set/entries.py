"""Entries of the leaderboard: the decisions of one solver or agent on the benchmark set, in one file.

A file holds decisions and no energies: whoever reads it computes these from the networks, so that an entry can be
believed whoever made it, and with whatever tool. It is an ``.npz`` file of NumPy with a text ``header`` (JSON) and, for
each preset P of K networks, N agents and L antennas, ``P.selection`` (K, N) bool, ``P.beamformer`` (K, L) complex, √W,
``P.power_w`` (K, N), W, ``P.decided`` (K,) bool, False where there is no decision, ``P.seconds`` (K,), s, and where the
base station sends artificial noise ``P.noise_covariance`` (K, L, L), W.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eval.benchmark_set import frozen
from secagent_env import Decision, __version__
from secagent_env.support import checks
from secagent_env.support.digests import DIGEST, check_digest, digest
from secagent_env.support.files import write_bytes
from secagent_env.support.reading import open_arrays, parse_json, short
from secagent_env.support.secrets import check_written

FORMAT, FORMAT_VERSION = "secagent.Entry", 1
SUFFIX = ".entry.npz"
MOST_BYTES = 1 << 26
"""An entry with more is not read (67 MB)."""


@dataclass(frozen=True, eq=False)
class Decided:
    """Decisions on the networks of a preset.

    Attributes
    ----------
    decision
        A batch (K,).
    decided
        (K,) bool: False where there is no decision, and what ``decision`` holds does not count.
    seconds
        (K,), s: how long each took, as the maker of the entry says.
    """

    decision: Decision
    decided: np.ndarray
    seconds: np.ndarray

    def __post_init__(self) -> None:
        shape = self.decision.batch_shape
        for name, kind in (("decided", bool), ("seconds", float)):
            array = np.asarray(getattr(self, name))
            if array.shape != shape or (kind is bool and array.dtype != bool):
                raise ValueError(f"{name} must be an array {shape} of {kind.__name__}, one for each decision")
            object.__setattr__(self, name, array.astype(kind))
        if not (self.seconds >= 0).all():
            raise ValueError("seconds must be at least 0")


@dataclass(frozen=True, eq=False)
class Entry:
    """An entry of the leaderboard.

    Attributes
    ----------
    name
        Of the solver or agent; entries of one name are its seeds.
    decided
        The decisions by preset.
    seed
        Of the solver, or of an agent's training.
    about
        Further plain data for the record, such as options, versions, a paper.
    """

    name: str
    decided: Mapping[str, Decided]
    seed: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 80 or not self.name.isprintable():
            raise ValueError(
                f"an entry's name must be a text of 1 to 80 characters in one line, got {self.name!r:.100}"
            )
        if not self.decided:
            raise ValueError("an entry needs the decisions of at least one preset")
        checks.integer("seed", self.seed)
        check_written(dict(self.about))

    @property
    def file_name(self) -> str:
        """The usual name of its file."""
        plain = "".join(letter if letter.isalnum() else "-" for letter in self.name).strip("-").lower()
        return f"{plain or 'entry'}-{self.seed}{SUFFIX}"

    def save(self, path: str | Path) -> None:
        """Write the entry, whole or not at all."""
        write_bytes(path, self.content())

    def content(self) -> bytes:
        """Return what its file holds."""
        arrays: dict[str, np.ndarray] = {}
        for preset, own in self.decided.items():
            decision = own.decision
            parts = {"selection": decision.selection, "beamformer": decision.beamformer, "power_w": decision.power_w}
            if decision.noise_covariance is not None:
                parts["noise_covariance"] = decision.noise_covariance
            parts |= {"decided": own.decided, "seconds": own.seconds}
            arrays |= {f"{preset}.{name}": np.asarray(array) for name, array in parts.items()}
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "benchmark": [frozen.NAME, frozen.VERSION],
            "name": self.name,
            "seed": int(self.seed),
            "secagent": __version__,
            "about": json.loads(json.dumps(dict(self.about), allow_nan=False)),
        }
        text = json.dumps({**header, DIGEST: digest({"header": header, **arrays})})
        file = io.BytesIO()
        np.savez_compressed(file, header=np.array(text), **arrays)  # type: ignore[arg-type]
        return file.getvalue()


def load_entry(path: str | Path) -> Entry:
    """Return the entry in a file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, no entry, of another set or version, or its decisions do not fit the networks.
    """
    try:
        with open_arrays(path) as file:
            header = _checked(parse_json(file.text("header")) if "header" in file.names else None)
            arrays = {name: array for name, array in file.read_all(MOST_BYTES).items() if name != "header"}
        check_digest(header.pop(DIGEST, None), {"header": header, **arrays}, path)
        names = dict.fromkeys(name.rpartition(".")[0] for name in arrays)
        decided = {preset: _decided(preset, arrays) for preset in names}
        about = header.get("about")
        known = {**about, "secagent": header.get("secagent")} if isinstance(about, dict) else {}
        return Entry(header["name"], decided, checks.integer("seed", header.get("seed")), known)
    except ValueError as error:
        raise ValueError(f"cannot read an entry of the leaderboard from {path}: {short(error, 400)}") from error


def entry_paths(places: Iterable[str | Path]) -> list[Path]:
    """Return the files of entries in some places, each a file or a folder of such files.

    Raises ValueError if a folder has none, OSError if there is no such place.
    """
    paths: list[Path] = []
    for place in map(Path, places):
        found = sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]
        if not found:
            raise ValueError(f"{place} holds no entry of the leaderboard: no file *{SUFFIX}")
        paths += found
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"there is no {path}")
    return paths


def _checked(header: Any) -> dict[str, Any]:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("it holds no entry")
    if header.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"it has format version {header.get('version')!r:.40}, this secagent reads {FORMAT_VERSION}; "
            "upgrade secagent to read it"
        )
    if header.get("benchmark") != [frozen.NAME, frozen.VERSION]:
        raise ValueError(
            f"it is about the benchmark set {header.get('benchmark')!r:.60}, this is {frozen.NAME} {frozen.VERSION}"
        )
    if not isinstance(header.get("name"), str):
        raise ValueError("its header names no solver or agent")
    return header


def _decided(preset: str, arrays: Mapping[str, np.ndarray]) -> Decided:
    networks = frozen.frozen(preset)
    own = {name.rpartition(".")[2]: array for name, array in arrays.items() if name.rpartition(".")[0] == preset}
    for name in ("selection", "beamformer", "power_w", "decided", "seconds"):
        if name not in own:
            raise ValueError(f"{preset}.{name} is missing")
    try:
        decided = Decided(
            Decision(
                selection=own["selection"],
                beamformer=own["beamformer"],
                power_w=own["power_w"],
                noise_covariance=own.get("noise_covariance"),
            ),
            own["decided"],
            own["seconds"],
        )
    except ValueError as error:
        raise ValueError(f"{preset}: {error}") from None
    scenario = networks.instances.scenario
    wanted = (*networks.instances.batch_shape, scenario.num_agents, scenario.num_antennas)
    found = (*decided.decision.selection.shape, decided.decision.beamformer.shape[-1])
    if found != wanted:
        raise ValueError(
            f"{preset} has {wanted[0]} networks of {wanted[1]} agents and {wanted[2]} antennas, "
            f"the decisions are of shape {found}"
        )
    return decided
