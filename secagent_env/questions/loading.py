"""Question sets by name: where their files are, and how to get them."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from secagent_env.questions import formats
from secagent_env.questions.question import QuestionSet
from secagent_env.support.errors import check_name
from secagent_env.support.reading import read_bytes

ENVIRONMENT_VARIABLE = "SECAGENT_DATA"
"""Names the folder in which data sets are looked for."""
MAX_BYTES = 200_000_000
"""Larger files are no question sets, and are not read."""
SAMPLE = "sample"

_logger = logging.getLogger("secagent.files")


@dataclass(frozen=True)
class Source:
    """A data set that users download.

    Attributes
    ----------
    folder
        Of its own, in the folder of data sets; the files may lie in either.
    url
        Where to get it.
    files
        The names that its file may have, the one that ``url`` gives first; each may end in ``.gz`` too.
    """

    folder: str
    url: str
    files: tuple[str, ...]


def _tables(split: str) -> tuple[str, str]:
    """Return the names that Hugging Face gives the table of a split."""
    name = f"{split}-00000-of-00001.parquet"
    return f"data/{name}", name


def _arc(name: str) -> Source:
    """Return the source of ARC's easy or challenging questions: AI2's archive, Hugging Face's folders, instructions."""
    original, table = f"{name}/{name}-Test.jsonl", f"{name}/test-00000-of-00001.parquet"
    files = (f"{name}-Test.jsonl", original, f"ARC-V1-Feb2018-2/{original}", table, f"{name}-test.json")
    return Source("arc", "https://allenai.org/data/arc", files)


SOURCES: dict[str, Source] = {
    "arc-easy": _arc("ARC-Easy"),
    "arc-challenge": _arc("ARC-Challenge"),
    "boolq": Source(
        "boolq",
        "https://github.com/google-research-datasets/boolean-questions",
        ("dev.jsonl", *_tables("validation"), "boolq-dev.jsonl"),
    ),
    "teleqna": Source(
        "teleqna",
        "https://github.com/netop-team/TeleQnA",
        ("TeleQnA.zip", "TeleQnA.txt", "TeleQnA.json", *_tables("test")),
    ),
}


def names() -> tuple[str, ...]:
    """Return the names of all question sets, the packaged sample last."""
    return (*SOURCES, SAMPLE)


def load(name: str, path: str | Path | None = None) -> QuestionSet:
    """Read a question set.

    Parameters
    ----------
    name
        One of :func:`names`; ``"sample"`` is in the package.
    path
        Its file, or a folder that holds it; None: the folder that the environment variable ``SECAGENT_DATA`` names.

    Raises
    ------
    ValueError
        If the name is unknown, or the file is broken or holds no question. Records that are no questions are skipped;
        the log names the first of them.
    FileNotFoundError
        If the file is not there; the sentence says what to download, and where to put it.
    ImportError
        If the extra ``knowledge`` is missing, for a zip, or ``eval``, for a Parquet file.
    """
    if name == SAMPLE:
        return formats.read(SAMPLE, Path(__file__).with_name("sample.json").read_bytes())
    file = find(check_name("question set", name, names()), path)
    if file is None:
        raise FileNotFoundError(advice(name, path))
    content = read_bytes(file, MAX_BYTES)
    try:
        found = formats.read(name, content)
    except ValueError as error:
        raise ValueError(f"{file} is not the file of {name}: {error}") from None
    if found.skipped:
        count = len(found.skipped)
        _logger.warning("%s: records left out since they are no questions: %d; %s", file, count, found.skipped[0])
    return found


def find(name: str, path: str | Path | None = None) -> Path | None:
    """Return the file of a question set that is downloaded, or None; the arguments are those of :func:`load`."""
    source = SOURCES[name]
    given = path if path is not None else os.environ.get(ENVIRONMENT_VARIABLE)
    if not given:
        return None
    start = Path(given).expanduser()
    folders = (start / source.folder, start)
    places = (folder / f"{file}{end}" for folder in folders for file in source.files for end in ("", ".gz"))
    return next((place for place in (start, *places) if place.is_file()), None)


def advice(name: str, path: str | Path | None = None) -> str:
    """Return a sentence that tells how to get a question set whose file is not there."""
    source = SOURCES[name]
    file = source.files[0]
    where = path if path is not None else os.environ.get(ENVIRONMENT_VARIABLE)
    looked = f"{file} is not in {where}" if where else "no folder of data sets is named"
    return (
        f"{looked}: download {name} from {source.url}, put {file} into a folder (or into {source.folder}/ "
        f"in it), and name the folder with {ENVIRONMENT_VARIABLE}=FOLDER; without it, use the packaged {SAMPLE!r}"
    )
