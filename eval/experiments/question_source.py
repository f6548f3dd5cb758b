"""Where the questions of an experiment come from: a data set on this machine, or the packaged sample in its place."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secagent_env import questions
from secagent_env.questions import QuestionSet
from secagent_env.questions.loading import ENVIRONMENT_VARIABLE

TELEQNA, SAMPLE = "teleqna", "sample"


@dataclass(frozen=True)
class Source:
    """The set that questions come from.

    Attributes
    ----------
    name
        ``teleqna``, or ``sample`` where that is not on this machine.
    path
        The folder that it was looked for in; None: the one that the environment names.
    digest
        Of keys, options, answers and explanations.
    """

    name: str
    path: str | None
    digest: str

    @classmethod
    def of(cls, name: str = TELEQNA, data: Path | str | None = None) -> Source:
        """Return a question set, or the packaged sample where it is not found.

        Raises ValueError if it is there and cannot be read.
        """
        name, path, loaded = set_or_sample(load, name, data)
        return cls(name, path, digest_of([(q.key, q.options, q.answer, q.explanation) for q in loaded]))

    def load(self) -> QuestionSet:
        """Return the questions."""
        return load(self.name, self.path)


def load(name: str, path: str | None) -> QuestionSet:
    """Return a question set, read once in a process from each folder."""
    return _load(name, folder_of(path))


def folder_of(path: str | None) -> str | None:
    """Return the folder of data sets: the one given, or the one that the environment names now."""
    return os.environ.get(ENVIRONMENT_VARIABLE) if path is None else path


_load = functools.lru_cache(maxsize=4)(questions.load)


def set_or_sample(
    load_set: Callable[[str, str | None], QuestionSet], name: str, data: Path | str | None
) -> tuple[str, str | None, QuestionSet]:
    """Return the name, the path and the questions of a set, or those of the packaged sample where it is not found."""
    path = None if data is None else os.fspath(data)
    try:
        return name, path, load_set(name, path)
    except FileNotFoundError:
        return SAMPLE, None, load_set(SAMPLE, None)


def digest_of(content: object) -> str:
    """Return a hash of plain data."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
