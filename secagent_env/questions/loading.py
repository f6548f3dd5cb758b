"""Question sets by name: where their files are, and how to get them."""

from __future__ import annotations

import os
from collections.abc import Callable
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


@dataclass(frozen=True)
class Source:
    """A data set that users download: its file, the folder it may be in, where to get it, and how to read it."""

    file: str
    folder: str
    url: str
    read: Callable[[str, bytes], QuestionSet]


SOURCES: dict[str, Source] = {
    "arc-easy": Source("ARC-Easy-test.json", "arc", "https://allenai.org/data/arc", formats.read_arc),
    "arc-challenge": Source("ARC-Challenge-test.json", "arc", "https://allenai.org/data/arc", formats.read_arc),
    "boolq": Source(
        "boolq-dev.jsonl", "boolq", "https://github.com/google-research-datasets/boolean-questions", formats.read_boolq
    ),
    "teleqna": Source("TeleQnA.zip", "teleqna", "https://github.com/netop-team/TeleQnA", formats.read_teleqna),
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
        If the name is unknown, or the file is broken.
    FileNotFoundError
        If the file is not there; the sentence says what to download, and where to put it.
    ImportError
        If the extra ``knowledge`` is missing, for ``"teleqna"``.
    """
    if name == SAMPLE:
        own = Path(__file__).with_name("sample.json")
        return formats.read_sample(SAMPLE, own.read_bytes())
    file = find(check_name("question set", name, names()), path)
    if file is None:
        raise FileNotFoundError(advice(name, path))
    content = read_bytes(file, MAX_BYTES)
    try:
        return SOURCES[name].read(name, content)
    except ValueError as error:
        raise ValueError(f"{file} is not the file of {name}: {error}") from None


def find(name: str, path: str | Path | None = None) -> Path | None:
    """Return the file of a question set that is downloaded, or None; the arguments are those of :func:`load`."""
    source = SOURCES[name]
    given = path if path is not None else os.environ.get(ENVIRONMENT_VARIABLE)
    if not given:
        return None
    start = Path(given).expanduser()
    places = (start, start / source.file, start / source.folder / source.file)
    return next((place for place in places if place.is_file()), None)


def advice(name: str, path: str | Path | None = None) -> str:
    """Return a sentence that tells how to get a question set whose file is not there."""
    source = SOURCES[name]
    where = path if path is not None else os.environ.get(ENVIRONMENT_VARIABLE)
    looked = f"{source.file} is not in {where}" if where else "no folder of data sets is named"
    return (
        f"{looked}: download {name} from {source.url}, put {source.file} into a folder (or into {source.folder}/ "
        f"in it), and name the folder with {ENVIRONMENT_VARIABLE}=FOLDER; without it, use the packaged {SAMPLE!r}"
    )
