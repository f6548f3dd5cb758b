"""The networks of the benchmark set and their certificates: arrays in files, which no change of a generator changes.

``data/PRESET.npz`` holds the networks of a preset (:meth:`secagent_env.Instance.save`), and ``data/certificates.json``
what no decision on them can do without. The folder is ready to be uploaded: its ``README.md`` is the card of the set.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env import Instance, Scenario, __version__, sample_instance
from secagent_env.model.instance_files import stored_digest
from secagent_env.support.digests import sealed, verified
from secagent_env.support.errors import check_name
from secagent_env.support.files import write_text
from secagent_env.support.reading import parse_json, read_text
from training.learn.seeds import TEST

NAME, VERSION = "secagent-bench", 1
"""A set with other networks is another version. Better certificates of the same networks are not."""
FORMAT = "secagent.Certificates"
FOLDER = Path(__file__).parent / "data"
CERTIFICATES = "certificates.json"
SIZE, FEWER = 20, {"dense": 8}
"""Networks of a preset; of the largest ones fewer, so that the set stays small."""
SEED = TEST.start + 500_000_000
"""That the networks were drawn with, once: a test seed, which no training, choice or table had seen."""


@dataclass(frozen=True, eq=False)
class Frozen:
    """The networks of a preset.

    Attributes
    ----------
    preset
        Its name.
    instances
        The networks, a batch (K,).
    lower_bound_j
        (K,), J: what every feasible decision takes at least; infinite where it is proved that there is none.
    """

    preset: str
    instances: Instance
    lower_bound_j: np.ndarray

    @property
    def solvable(self) -> np.ndarray:
        """(K,), where no proof says that nothing is feasible."""
        return np.isfinite(self.lower_bound_j)


def instances_path(preset: str, folder: Path = FOLDER) -> Path:
    """Return the file of the networks of a preset."""
    return folder / f"{preset}.npz"


def freeze(presets: Sequence[str], folder: Path) -> None:
    """Draw the networks of a new set into a folder that holds none; their bounds are 0 J until more is proved."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {preset: FEWER.get(preset, SIZE) for preset in presets}
    for preset in presets:
        path = instances_path(preset, folder)
        if path.exists():
            raise FileExistsError(f"{path} exists: the networks of a set stay as they are")
        sample_instance(Scenario.preset(preset), SEED, batch=(sizes[preset],)).save(path)
    write_text(folder / CERTIFICATES, certificates_text({name: np.zeros(sizes[name]) for name in presets}, folder))


def certificates_text(bounds: Mapping[str, np.ndarray], folder: Path = FOLDER) -> str:
    """Return the file of the bounds (K,), J, by preset, on the networks in ``folder``; infinite: none is feasible."""
    presets = {
        preset: {
            "instances": stored_digest(instances_path(preset, folder)),
            "lower_bound_j": [None if np.isinf(value) else float(value) for value in bound],
        }
        for preset, bound in bounds.items()
    }
    content = {"format": FORMAT, "name": NAME, "version": VERSION, "secagent": __version__, "presets": presets}
    return json.dumps(sealed(content), indent=1) + "\n"


def presets(folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the names of the presets of the set."""
    return tuple(_certificates(folder))


def frozen(preset: str, folder: Path = FOLDER) -> Frozen:
    """Return the networks of a preset, with their certificates.

    Raises
    ------
    ValueError
        If there is no such preset in the set, or a file is damaged or does not belong to the others.
    OSError
        If a file cannot be read.
    """
    certificates = _certificates(folder)
    check_name("preset of the benchmark set", preset, certificates)
    path, own = instances_path(preset, folder), certificates[preset]
    if stored_digest(path) != own["instances"]:
        raise ValueError(f"{path} does not hold the networks that {folder / CERTIFICATES} is about")
    instances = _loaded(path, own["instances"])
    bound = np.array([np.inf if value is None else value for value in own["lower_bound_j"]], float)
    if instances.batch_shape != bound.shape:
        raise ValueError(f"{folder / CERTIFICATES} has {bound.size} bounds for {instances.batch_shape} networks")
    return Frozen(preset, instances, bound)


@functools.lru_cache(maxsize=16)
def _loaded(path: Path, digest: str) -> Instance:
    """Return the networks in a file with this digest."""
    return Instance.load(path)


def _certificates(folder: Path) -> dict[str, Any]:
    """Return what the file of the certificates says, by preset."""
    path = folder / CERTIFICATES
    content = parse_json(read_text(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} holds no certificates of a benchmark set")
    if content.get("version") != VERSION:
        raise ValueError(f"{path} is of version {content.get('version')!r:.40} of the set, this secagent has {VERSION}")
    try:
        found: dict[str, Any] = verified(content, path)["presets"]
    except (ValueError, KeyError) as error:
        raise ValueError(f"cannot read {path}: {error}") from None
    return found
