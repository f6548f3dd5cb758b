"""A file of cells: a Parquet file that says whether it was changed since it was written.

In its metadata there is a digest of all columns, their types and their values, beside the check sums of Parquet's
pages. A file that fails either, that is none of ours, or that is no file at all, is :class:`Damaged`, with the reason.
Opening one never waits, and takes memory in proportion to the file, whatever it holds.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from secagent_env.support.digests import digest
from secagent_env.support.extras import require

FORMAT, VERSION = b"secagent.cells", b"1"
"""In the metadata of every file."""
DIGEST = b"secagent.digest"
"""In the metadata of every file but those of earlier versions of secagent."""
MOST_BYTES = 2**30
"""Of a file."""
MOST_EXPANDED, TIMES_EXPANDED = 2**28, 64
"""The bytes that a table may have: so many, or so many times those of its file."""
TYPES = ("null", "bool", "int64", "double", "string")
"""Of columns, as Arrow calls them."""

_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO, errno.ENXIO, errno.ENOTDIR, errno.ENAMETOOLONG)


class Damaged(ValueError):
    """Raised, with the reason, for a file that holds no cells, or others than were written."""


def pack(table: Any) -> Any:
    """Return a table as the content of a file, a buffer."""
    arrow, parquet = require("pyarrow", extra="eval"), require("pyarrow.parquet", extra="eval")
    sink = arrow.BufferOutputStream()
    sealed = table.replace_schema_metadata({FORMAT: VERSION, DIGEST: _digest_of(table)})
    parquet.write_table(sealed, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def read(path: Path) -> tuple[Any, bool]:
    """Return the table in a file, and whether its digest says that it is the one that was written.

    It does not where there is no digest, in files of earlier versions of secagent.

    Raises
    ------
    FileNotFoundError
        If there is nothing of this name, not even a broken link.
    Damaged
        If it is no file of cells, or was changed.
    ValueError
        If it is of a newer version.
    """
    content = regular_bytes(path, MOST_BYTES)
    parquet, source = require("pyarrow.parquet", extra="eval"), require("pyarrow", extra="eval").BufferReader(content)
    try:
        about = parquet.read_metadata(source)
        schema = about.schema.to_arrow_schema()
    except Exception:  # whatever the parser makes of bytes that are no Parquet file
        raise Damaged("it is broken, or no Parquet file") from None
    metadata = schema.metadata or {}
    version = metadata.get(FORMAT)
    if version is not None and version != VERSION and version.isdigit() and len(version) < 4:
        raise ValueError(
            f"{path} has format version {version.decode()}, this secagent reads {VERSION.decode()}: "
            "use another folder, or the version of secagent that wrote it"
        )
    if version != VERSION:
        raise Damaged("it holds no results of secagent")
    for field in schema:
        if str(field.type) not in TYPES:
            raise Damaged(f"its column {field.name:.80} is of the type {field.type!s:.80}, which no result has")
    room = max(MOST_EXPANDED, TIMES_EXPANDED * len(content))
    if about.num_rows * max(about.num_columns, 1) * 8 > room:
        raise Damaged(f"it says that it has {about.num_rows} rows of {about.num_columns} columns, too many for it")
    texts = [field.name for field in schema if str(field.type) == "string"]
    try:
        with parquet.ParquetFile(source, read_dictionary=texts, page_checksum_verification=True) as file:
            table = _expanded(file.read(use_threads=False), room)
        table.validate(full=True)
    except Damaged:
        raise
    except Exception:  # as above, of its pages
        raise Damaged("its content is broken: the check sums do not fit") from None
    sealed = metadata.get(DIGEST)
    if sealed is not None and sealed != _digest_of(table):
        raise Damaged("its content is not what its digest says")
    return table, sealed is not None


def _digest_of(table: Any) -> bytes:
    """Return the digest of a table: of its rows' number, and of the names, types and values of its columns."""
    columns = [(name, *_content_of(table[at])) for at, name in enumerate(table.column_names)]
    return digest([len(table), *columns]).encode()


def _content_of(column: Any) -> tuple[Any, ...]:
    """Return the type of a column, which values are there, and the values: numbers, or lengths and UTF-8 of texts."""
    import pyarrow.compute as compute

    kind = str(column.type)
    if kind == "null":
        return (kind,)
    filled = compute.fill_null(column, {"string": "", "bool": False}.get(kind, 0))
    there = column.is_valid().to_numpy()
    if kind != "string":
        return kind, there, filled.to_numpy()
    return kind, there, compute.binary_length(filled).to_numpy(), b"".join(map(_text_of, filled.chunks))


def _text_of(texts: Any) -> Any:
    """Return the UTF-8 of all texts in an array, one after the other."""
    _, offsets, data = texts.buffers()
    ends = memoryview(offsets).cast("i")[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(data or b"")[ends[0] : ends[-1]]


def regular_bytes(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most so many bytes; whatever else is there is not waited for.

    Raises
    ------
    FileNotFoundError
        If there is nothing of this name, not even a broken link.
    Damaged
        If it is no such file, or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Damaged("it is no regular file")
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with open(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if size > most:
                raise Damaged(f"it has more than {most / 1e6:.0f} MB")
            return file.read(size)
    except FileNotFoundError:
        if os.path.lexists(path):
            raise Damaged("it is a link to nothing") from None
        raise
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        raise Damaged(f"it cannot be read ({error.strerror})") from None


def _expanded(table: Any, room: int) -> Any:
    """Return a table whose texts are dictionaries with the texts themselves, if these have no more bytes than that."""
    import numpy as np
    import pyarrow.compute as compute

    arrow = require("pyarrow", extra="eval")
    for at, column in enumerate(table.columns):
        if not arrow.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            lengths = compute.fill_null(compute.binary_length(chunk.dictionary), 0).to_numpy().astype(np.int64)
            used = chunk.indices.drop_null().to_numpy()
            room -= int(lengths[used].sum())
            if room < 0:
                raise Damaged(f"its column {table.column_names[at]:.80} has texts too long for it")
        table = table.set_column(at, table.column_names[at], column.cast("string"))
    return table
