"""The reader of files from elsewhere: what it refuses, each for its own reason, and what it lets pass."""

import io
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest

from secagent_env.support.reading import (
    MAX_DEPTH,
    MAX_INTEGER,
    open_arrays,
    parse_json,
    parse_toml,
    read_bytes,
    read_text,
)


def test_a_file_of_just_the_allowed_size_is_read_and_no_larger_one(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(ValueError, match=r"file has more than 4e-06 MB, and is not read"):
        read_bytes(path, 4)


def test_texts_are_utf_8_with_a_mark_or_without(tmp_path: Path):
    path = tmp_path / "text"
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + "µ".encode())
        assert read_text(path) == "µ"
    path.write_bytes(b"ab\xff")
    with pytest.raises(ValueError, match=r"text is not UTF-8 text \(byte 2\)"):
        read_text(path)


@pytest.mark.parametrize("parse", [parse_json, lambda text: parse_toml(f"a = {text}")["a"]], ids=["JSON", "TOML"])
def test_depth_and_whole_numbers_are_bounded(parse):
    depth = MAX_DEPTH - 1  # the table of TOML is a level
    assert parse(f"{'[' * depth}{']' * depth}") is not None
    with pytest.raises(ValueError, match="nested more than 100 levels"):
        parse(f"{'[' * (MAX_DEPTH + 1)}{']' * (MAX_DEPTH + 1)}")
    with pytest.raises(ValueError, match="nested more than 100 levels"):
        parse("[" * 100_000)
    assert parse(str(MAX_INTEGER - 1)) == MAX_INTEGER - 1
    for number in (MAX_INTEGER, -MAX_INTEGER, 10**400):
        with pytest.raises(ValueError, match="a whole number in it has more than 40 digits"):
            parse(str(number))


def test_numbers_of_json_are_finite_unless_others_are_asked_for():
    for text in ("1e999", "[-1e999]", "NaN", '{"a": Infinity}'):
        with pytest.raises(ValueError, match=r"is (too large a number|not a number of JSON)"):
            parse_json(text)
    assert parse_json("1e999", finite=False) == math.inf


# --- Arrays ----------------------------------------------------------------------------------------------------


def refused(content: bytes, tmp_path: Path, message: str) -> None:
    path = tmp_path / "arrays.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message), open_arrays(path) as file:
        file.read({"a": (3,)})


def archive_of(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def entry_of(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def test_arrays_are_read(tmp_path: Path):
    path = tmp_path / "arrays.npz"
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(2)), "c": np.array("text")}
    np.savez_compressed(path, **arrays)
    with open_arrays(path) as file:
        assert file.names == {"a", "b", "c"}
        assert file.text("c") == "text"
        read = file.read({"a": (3,), "b": (2, 2), "d": (1,)})
    assert read.keys() == {"a", "b"}
    for name, array in read.items():
        np.testing.assert_array_equal(array, arrays[name], strict=True)


def test_an_entry_that_is_longer_than_its_array_is_refused(tmp_path: Path):
    refused(archive_of({"a.npy": entry_of(np.ones(3)) + b"more"}), tmp_path, "a is longer than it says")


def test_checksums_are_verified(tmp_path: Path):
    content = archive_of({"a.npy": entry_of(np.ones(3))})
    place = content.index(np.ones(3).tobytes())
    refused(content[:place] + b"\1" + content[place + 1 :], tmp_path, "Bad CRC-32")


def test_objects_of_python_are_refused(tmp_path: Path):
    out = io.BytesIO()
    np.save(out, np.array([None, {}, 1], dtype=object), allow_pickle=True)
    refused(archive_of({"a.npy": out.getvalue()}), tmp_path, "an array holds object, not numbers")


def test_encrypted_entries_are_refused(tmp_path: Path):
    content = bytearray(archive_of({"a.npy": entry_of(np.ones(3))}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    refused(bytes(content), tmp_path, "a is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, method: int):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a.npy", entry_of(np.ones(3)))
    refused(out.getvalue(), tmp_path, "compressed in another way than NumPy's")


def test_a_directory_of_thousands_of_entries_is_refused(tmp_path: Path):
    refused(archive_of({f"{'x' * 200}{i}": b"" for i in range(5000)}), tmp_path, "its directory is too large")
