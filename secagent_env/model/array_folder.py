"""Folders of ``.npy`` files with a header: arrays too large for memory, written part by part and mapped when read.

``header.json`` is written last: a folder without it holds no instances.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from secagent_env.support.digests import DIGEST
from secagent_env.support.files import whole_file, write_text
from secagent_env.support.reading import MAX_TOML_BYTES, parse_json, read_text, short

HEADER = "header.json"


def write_folder(path: str | Path, parts: Iterable[tuple[dict[str, Any], dict[str, np.ndarray]]]) -> None:
    """Write parts, each a header and arrays (B, …) by name, to a folder: their arrays joined along the first axis.

    Raises
    ------
    OSError
        If the folder is not empty, or cannot be written.
    ValueError
        If there are no parts, or they do not fit together.
    """
    folder = Path(path)
    new = not folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name a new folder")
    try:
        header, digests = _write_arrays(folder, parts)
    except BaseException:
        if new:
            folder.rmdir()
        raise
    combined = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    write_text(folder / HEADER, json.dumps({**header, "arrays": digests, DIGEST: combined}, indent=2) + "\n")


def _write_arrays(
    folder: Path, parts: Iterable[tuple[dict[str, Any], dict[str, np.ndarray]]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Write the arrays of all parts, all files or none, and return the header and the digests by name."""
    header: dict[str, Any] | None = None
    files: dict[str, _Growing] = {}
    with ExitStack() as stack:
        for found, arrays in parts:
            if header is None:
                header = found
                for name, array in arrays.items():
                    files[name] = _Growing(stack.enter_context(whole_file(folder / f"{name}.npy")), array)
            if found != header or set(arrays) != set(files):
                raise ValueError("all parts must have the same scenario and the same fields")
            for name, array in arrays.items():
                files[name].append(array)
        if header is None or not all(file.rows for file in files.values()):
            raise ValueError("there are no instances to write: the data set is empty")
        return header, {name: file.finish() for name, file in files.items()}


def open_folder(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header of a folder and its arrays by name, mapped read-only.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If the folder has no header, or a file is not what the header says.
    """
    folder = Path(path)
    if not (folder / HEADER).is_file():
        raise ValueError(f"the folder has no {HEADER}: it holds no instances, or was not written to its end")
    header = parse_json(read_text(folder / HEADER, MAX_TOML_BYTES))
    names = header.get("arrays") if isinstance(header, dict) else None
    if not isinstance(names, dict) or not all(name.isidentifier() for name in names):
        raise ValueError(f"{HEADER} names no arrays")
    return header, {name: _mapped(folder / f"{name}.npy") for name in names}


def _mapped(path: Path) -> np.ndarray:
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(mapped, np.memmap):
            raise ValueError("it holds several arrays")
        if mapped.dtype.kind not in "fc":
            raise ValueError(f"it holds {mapped.dtype}")
        return mapped.view(np.ndarray)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path.name} is broken or foreign ({short(error)})") from None


class _Growing:
    """An ``.npy`` file to which rows are added; its digest is that of its bytes but the header."""

    def __init__(self, file: BinaryIO, like: np.ndarray) -> None:
        self.rows, self._shape, self._dtype = 0, like.shape[1:], like.dtype.newbyteorder("<")
        self._digest = hashlib.sha256()
        self._file = file
        self._write_header()

    def append(self, array: np.ndarray) -> None:
        if array.shape[1:] != self._shape:
            raise ValueError(f"a part has rows of shape {array.shape[1:]}, those before it of {self._shape}")
        content = np.ascontiguousarray(array, self._dtype)
        view = content.reshape(-1).view(np.uint8).data
        self._digest.update(view)
        self._file.write(view)
        self.rows += len(array)

    def finish(self) -> str:
        """Write the header anew and return the digest."""
        self._file.seek(0)
        self._write_header()
        return self._digest.hexdigest()

    def _write_header(self) -> None:
        """Write the header for the present number of rows; NumPy leaves room for the first axis to grow."""
        shape = (self.rows, *self._shape)
        fields = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, fields)
