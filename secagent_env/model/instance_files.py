"""The files and folders of instances: a header with the scenario beside arrays, versioned and sealed with a digest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.model.array_folder import open_folder
from secagent_env.model.prior import PRIOR
from secagent_env.model.scenario import Scenario
from secagent_env.support.digests import DIGEST, check_digest, digest
from secagent_env.support.files import whole_file
from secagent_env.support.reading import check_array_bytes, open_arrays, parse_json, short

FORMAT = "secagent.Instance"
FORMAT_VERSIONS = (1, 2)
"""Of files without a prior, and of those with one."""

Stored = tuple[Scenario, dict[str, np.ndarray], Any]
"""The scenario, the arrays by name, and the origin as it stands in the header."""
Shapes = Callable[[Scenario], Mapping[str, tuple[int, ...]]]
"""The last dimensions of the arrays by name."""


def header_of(scenario: Scenario, names: Iterable[str], origin: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the header of an instance that has the arrays ``names``."""
    version = FORMAT_VERSIONS[any(name in PRIOR for name in names)]
    header = {"format": FORMAT, "version": version, "scenario": scenario.to_dict()}
    return header if origin is None else {**header, "origin": dict(origin)}


def write_file(path: str | Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write a file, whole or not at all."""
    check_array_bytes(arrays)
    text = json.dumps({**header, DIGEST: digest({"header": header, **arrays})})
    with whole_file(path) as file:
        np.savez_compressed(file, header=np.array(text), **arrays)  # type: ignore[arg-type]


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Name the file in a ValueError of the block."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"cannot load an instance from {path}: {short(error, 800)}") from error


def read_file(path: str | Path, shapes: Shapes) -> Stored:
    """Return what a file holds; ValueError where it is damaged, foreign, or of a later version."""
    with open_arrays(path) as file:
        header = _checked(parse_json(file.text("header")) if "header" in file.names else None)
        scenario = Scenario.coerce(header["scenario"])
        arrays = file.read(shapes(scenario))
    found = header.pop(DIGEST, None)
    check_digest(found, {"header": header, **arrays}, path)
    return scenario, arrays, header.get("origin")


def map_folder(path: str | Path, shapes: Shapes) -> Stored:
    """Return what a folder holds, its arrays mapped into memory; ValueError as in :func:`read_file`."""
    header, arrays = open_folder(path)
    scenario = Scenario.coerce(_checked(header)["scenario"])
    known = shapes(scenario)
    return scenario, {name: array for name, array in arrays.items() if name in known}, header.get("origin")


def stored_digest(path: str | Path) -> str:
    """Return the digest that a file or folder carries, without reading its arrays.

    ValueError is raised where it carries none, OSError where it cannot be read.
    """
    with reading(path):
        header: Any = None
        if os.path.isdir(path):
            header = open_folder(path)[0]
        else:
            with open_arrays(path) as file:
                if "header" in file.names:
                    header = parse_json(file.text("header"))
        found = _checked(header).get(DIGEST)
    if not isinstance(found, str):
        raise ValueError(f"{path} carries no digest: write it anew with Instance.save")
    return found


def _checked(header: Any) -> dict[str, Any]:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("it holds no secagent instance")
    if header.get("version") not in FORMAT_VERSIONS:
        raise ValueError(
            f"it has format version {header.get('version')!r:.80}, this secagent reads {FORMAT_VERSIONS[-1]}; "
            "upgrade secagent to read it"
        )
    if not isinstance(header.get("scenario"), dict):
        raise ValueError("its header names no scenario")
    return header
