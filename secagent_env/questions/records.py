"""Records of a file of questions, whatever holds them: JSON, JSON lines or Parquet, as they are or in an archive.

The bytes tell which it is, not the name of the file. Files are data: nothing in them is executed, and nothing is
written. No sentence holds their text.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from secagent_env.support.extras import require
from secagent_env.support.reading import parse_json, short

PASSWORD = b"teleqnadataset"
"""Of TeleQnA's archive, as its authors publish it: they encrypt it so that no model is trained on it by accident."""
MAX_UNPACKED_BYTES = 200_000_000
MAX_VALUES = 2_000_000
"""In a Parquet file; its metadata says how many there are."""

_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK", b"PAR1"


class Record(NamedTuple):
    """A record of a file.

    Attributes
    ----------
    place
        Where it is: ``line 3`` of JSON lines, ``row 3`` of Parquet, ``record 3`` of a JSON list or object.
    key
        Its name in a JSON object of records, otherwise its number, from 0.
    content
        JSON's data.
    """

    place: str
    key: str | int
    content: Any


def records_of(data: bytes, is_record: Callable[[Any], bool]) -> Iterator[Record]:
    """Yield the records in the bytes of a file.

    Parameters
    ----------
    data
        JSON (a list or an object of records), JSON lines or Parquet; or a zip of one of these, or gzip of any.
    is_record
        Whether data are a record: an object that is none holds records by their names.

    Raises
    ------
    ValueError
        If the file is broken, which may be noticed after some records.
    ImportError
        If the extra ``eval`` is missing, for Parquet, or ``knowledge``, for a zip.
    """
    if data.startswith(_GZIP):
        data = _gunzipped(data)
    if data.startswith(_ZIP):
        data = _unzipped(data)
    yield from _rows(data) if data.startswith(_PARQUET) else _json_records(data, is_record)


class _Refused(ValueError):
    """Raised, with the reason, for a sound file that is not read."""


def _json_records(data: bytes, is_record: Callable[[Any], bool]) -> Iterator[Record]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    try:
        content = parse_json(text, finite=False)
    except ValueError as error:
        yield from _lines(text, error)
        return
    if isinstance(content, list):
        yield from (Record(f"record {number + 1}", number, record) for number, record in enumerate(content))
    elif isinstance(content, dict) and not is_record(content):
        yield from (Record(f"record {number}", *item) for number, item in enumerate(content.items(), start=1))
    else:
        yield Record("line 1", 0, content)


def _lines(text: str, error: ValueError) -> Iterator[Record]:
    """Yield the records of JSON lines; ``error`` says why the whole is not JSON."""
    count = 0
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: a JSON text may hold U+2028
        if line.strip():
            try:
                content = parse_json(line, finite=False)
            except ValueError:
                raise ValueError(f"it is not JSON ({f'line {number}' if count else short(error)})") from None
            yield Record(f"line {number}", count, content)
            count += 1


def _rows(data: bytes) -> Iterator[Record]:
    """Yield the rows of a Parquet file, with nested columns as JSON's data."""
    arrow, parquet = require("pyarrow", extra="eval"), require("pyarrow.parquet", extra="eval")
    source, room = arrow.BufferReader(data), MAX_UNPACKED_BYTES
    try:
        with parquet.ParquetFile(source, page_checksum_verification=True) as file:
            # In little memory; of what is damaged this raises an error, where the lines below would end the process.
            file.scan_contents()
            about = file.metadata
        chunks = [
            about.row_group(group).column(at)
            for group in range(about.num_row_groups)
            for at in range(about.num_columns)
        ]
        if max(about.num_rows, sum(chunk.num_values for chunk in chunks)) > MAX_VALUES:
            raise _Refused(f"it holds more than {MAX_VALUES} values")
        if sum(chunk.total_uncompressed_size for chunk in chunks) > room:
            raise _too_large()
        texts = [chunk.path_in_schema for chunk in chunks if chunk.physical_type == "BYTE_ARRAY"]
        number = 0
        # As dictionaries, texts that repeat take no more memory than in the file until their row is read.
        with parquet.ParquetFile(source, read_dictionary=texts, page_checksum_verification=True) as file:
            for batch in file.iter_batches(use_threads=False):
                for at in range(len(batch)):
                    [row] = batch.slice(at, 1).to_pylist()
                    room -= _size(row)
                    if room < 0:
                        raise _too_large()
                    yield Record(f"row {number + 1}", number, row)
                    number += 1
    except _Refused:
        raise
    except Exception:  # whatever a damaged file provokes in the decoders
        raise ValueError("it is a broken Parquet file") from None


def _size(value: Any) -> int:
    """Return the number of characters of all texts in data, and 8 for any other value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value) if isinstance(value, (str, bytes)) else 8


def _gunzipped(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return _bounded(file)
    except _Refused:
        raise
    except Exception:  # as above
        raise ValueError("the archive is broken") from None


def _unzipped(data: bytes) -> bytes:
    pyzipper = require("pyzipper", extra="knowledge")
    try:
        with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
            archive.setpassword(PASSWORD)
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) != 1:
                raise _Refused("the archive must hold one file")
            with archive.open(entries[0]) as file:
                return _bounded(file)
    except _Refused:
        raise
    except Exception:  # as above
        raise ValueError("the archive is broken, or its password is not the published one") from None


def _bounded(file: Any) -> bytes:
    content = file.read(MAX_UNPACKED_BYTES + 1)
    if len(content) > MAX_UNPACKED_BYTES:
        raise _too_large()
    return bytes(content)


def _too_large() -> _Refused:
    return _Refused(f"it unpacks to more than {MAX_UNPACKED_BYTES // 1_000_000} MB")
