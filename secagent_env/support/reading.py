"""The one reader of files from elsewhere: data, never code, in bounded memory, a sentence where damaged."""

from __future__ import annotations

import io
import json
import math
import os
import stat
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn

import numpy as np

MAX_BYTES = 1 << 25
"""Larger texts are not read (34 MB): their data could take thirty times as much."""
MAX_TOML_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 29
"""Arrays that are larger in all are neither read nor written (537 MB)."""
MAX_DEPTH = 100
MAX_INTEGER = 10**40
_MAX_DIRECTORY_BYTES = 1 << 20
_END_OF_DIRECTORY = b"PK\5\6"
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


def read_bytes(path: str | Path, most: int = MAX_BYTES) -> bytes:
    """Return the content of a file; raise OSError if it cannot be read, ValueError if it has more than ``most`` bytes.

    A device without an end, such as /dev/zero, is read so far and no further.
    """
    with open(path, "rb") as file:
        return _bounded(file, path, most)


def _bounded(file: BinaryIO, path: str | Path, most: int) -> bytes:
    content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} has more than {most / 1e6:.3g} MB, and is not read")
    return content


def read_text(path: str | Path, most: int = MAX_BYTES) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark, as :func:`read_bytes` reads it."""
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (byte {error.start})") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the data of a TOML file; ValueError names the file and says why it holds none."""
    text = read_text(path, MAX_TOML_BYTES)
    try:
        return parse_toml(text)
    except ValueError as error:
        raise ValueError(f"{path} is not a valid TOML file: {error}") from None


def parse_json(text: str | bytes, *, finite: bool = True) -> Any:
    """Return the data of a JSON text.

    Raises ValueError for anything else, and for whole numbers of more than forty digits, a nesting of more than a
    hundred levels, and, if ``finite``, numbers that are not.
    """
    hooks: dict[str, Any] = {"parse_constant": _refuse, "parse_float": _finite} if finite else {}
    try:
        data = json.loads(text, **hooks)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except ValueError as error:
        raise ValueError(short(error)) from None
    check_size(data)
    return data


def parse_toml(text: str) -> dict[str, Any]:
    """Return the data of a TOML text; raise ValueError for anything else, as :func:`parse_json` does."""
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except ValueError as error:
        raise ValueError(short(error)) from None
    check_size(data)
    return data


def check_size(data: Any) -> None:
    """Raise ValueError if data are nested too deep, or a whole number in them is too large to compute with."""
    rest = [(data, 1)]
    while rest:
        value, depth = rest.pop()
        if isinstance(value, (dict, list)):
            if depth > MAX_DEPTH:
                raise ValueError(_TOO_DEEP)
            rest += [(part, depth + 1) for part in (value.values() if isinstance(value, dict) else value)]
        elif type(value) is int and abs(value) >= MAX_INTEGER:
            raise ValueError(f"a whole number in it has more than {len(str(MAX_INTEGER)) - 1} digits")


@contextmanager
def open_arrays(path: str | Path) -> Iterator[ArrayFile]:
    """Open an ``.npz`` file; raise OSError if it cannot be read, ValueError, which does not name it, if it is none."""
    with open(path, "rb") as opened:
        regular = stat.S_ISREG(os.fstat(opened.fileno()).st_mode)
        file: BinaryIO = opened if regular else io.BytesIO(_bounded(opened, path, MAX_ARRAY_BYTES))
        with _damage_as_value_error():
            archive = _archive(file)
        yield ArrayFile(archive)


class ArrayFile:
    """The arrays of an open ``.npz`` file. They are data: nothing in them is executed.

    Headers are read first: what has another shape, is too large or holds Python's objects is refused before it takes
    memory. Where the file is damaged, ValueError says so.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = {name.removesuffix(".npy") for name in archive.namelist()}

    def text(self, name: str) -> str:
        """Return an array that holds a text."""
        with _damage_as_value_error():
            return str(_array(self._archive, name, MAX_BYTES))

    def read(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        """Return those of the named arrays that are there; their last dimensions must be the given ones."""
        names = [name for name in shapes if name in self.names]
        with _damage_as_value_error():
            found = {name: _shape_and_bytes(self._archive, name) for name in names}
        for name, (shape, _) in found.items():
            if shape[max(len(shape) - len(shapes[name]), 0) :] != shapes[name]:
                wanted = ", ".join(map(str, shapes[name]))
                raise ValueError(f"{name} must have shape (…, {wanted}), got {shape}")
        _check_total(sum(size for _, size in found.values()))
        with _damage_as_value_error():
            return {name: _array(self._archive, name, size) for name, (_, size) in found.items()}

    def read_all(self, most: int) -> dict[str, np.ndarray]:
        """Return all arrays, which must have at most so many bytes in all."""
        with _damage_as_value_error():
            _check_total(sum(_shape_and_bytes(self._archive, name)[1] for name in self.names), most)
            return {name: _array(self._archive, name, most) for name in self.names}


def short(error: BaseException, most: int = 200) -> str:
    """Return an error's sentence in one line of at most so many characters."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def check_array_bytes(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError if arrays are larger, in all, than :class:`ArrayFile` reads."""
    _check_total(sum(array.nbytes for array in arrays.values()))


@contextmanager
def _damage_as_value_error() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged file can provoke any error in the decoders
        raise ValueError(f"it is broken or foreign ({short(error)})") from None


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open an archive, unless its directory is larger than that of any of ours."""
    file.seek(0, os.SEEK_END)
    file.seek(-min(file.tell(), 1 << 16), os.SEEK_CUR)
    tail = file.read()
    place = tail.rfind(_END_OF_DIRECTORY)
    if place >= 0 and int.from_bytes(tail[place + 12 : place + 16], "little") > _MAX_DIRECTORY_BYTES:
        raise ValueError("its directory is too large")
    return zipfile.ZipFile(file)


def _open(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
        raise ValueError(f"{name} is encrypted, or compressed in another way than NumPy's")
    return archive.open(entry)


def _shape_and_bytes(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], int]:
    """Return the shape and the size of an array, from its header alone."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with _open(archive, name) as entry:
        version = np.lib.format.read_magic(entry)
        if version not in readers:
            raise ValueError(f"an array is of the format {version}")
        shape, _, dtype = readers[version](entry)
    if dtype.kind not in "biufcU":
        raise ValueError(f"an array holds {dtype}, not numbers")
    return shape, dtype.itemsize * math.prod(shape)


def _array(archive: zipfile.ZipFile, name: str, most: int) -> np.ndarray:
    """Return an array of at most so many bytes; the checksum of its entry is verified."""
    if _shape_and_bytes(archive, name)[1] > most:
        raise ValueError(f"{name} is too large")
    with _open(archive, name) as entry:
        array: np.ndarray = np.lib.format.read_array(entry, allow_pickle=False)
        if entry.read(1):
            raise ValueError(f"{name} is longer than it says")
        return array


def _check_total(size: int, most: int | None = None) -> None:
    most = MAX_ARRAY_BYTES if most is None else most
    if size > most:
        raise ValueError(f"its arrays have {size / 1e6:.3g} MB, and at most {most / 1e6:.3g} MB are read")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number
