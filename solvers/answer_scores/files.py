"""Files of scores by question: JSON lines, which grow as a model is measured, so that an interruption loses nothing.

The first line tells what was measured; each other line holds the scores of a question, its key in the data set, the
number of its options and the right one's index. No text is in them. A file may be compressed (``.xz``).
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secagent_env.support.checks import integer
from secagent_env.support.files import write_bytes
from secagent_env.support.reading import parse_json, read_bytes
from solvers.answer_scores.scores import Scores

FORMAT, VERSION = "secagent.AnswerScores", 1


@dataclass(frozen=True)
class Scored:
    """A question with its scores: the data set, the question's key there, m, the right option, and the scores."""

    data_set: str
    key: str
    num_options: int
    answer: int
    scores: Scores

    def to_line(self) -> bytes:
        """Return the line of a file."""
        fields = {"set": self.data_set, "key": self.key, "options": self.num_options, "answer": self.answer}
        return json.dumps({**fields, **self.scores.to_dict()}, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Scored:
        """Return what a line holds; raise ValueError if it is none."""
        names = [content.get(name) for name in ("set", "key")]
        if not all(isinstance(name, str) and name for name in names):
            raise ValueError("set and key must be texts")
        num_options = integer("options", content.get("options"), 2, 26)
        answer = integer("answer", content.get("answer"), 0, num_options - 1)
        return cls(str(names[0]), str(names[1]), num_options, answer, Scores.of(content, num_options))


@dataclass(frozen=True)
class ScoreFile:
    """What is in a file: what the model is and which data sets were asked (``about``), and the scored questions."""

    about: Mapping[str, Any]
    questions: tuple[Scored, ...]

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.about["model"])

    def of(self, data_set: str) -> list[Scored]:
        """Return the scored questions of a data set, in the order of the file."""
        return [each for each in self.questions if each.data_set == data_set]


def read_scores(path: Path | str) -> ScoreFile:
    """Read a file of scores; a last line that was cut off is left out.

    Raises
    ------
    ValueError
        If it is no such file, a line is damaged, or a question is in it twice.
    OSError
        If it cannot be read.
    """
    content = read_bytes(path)
    if Path(path).suffix == ".xz":
        try:
            content = lzma.decompress(content)
        except lzma.LZMAError as error:
            raise ValueError(f"{path} is damaged: {error}") from None
    lines = content.split(b"\n")[:-1]
    if not lines:
        raise ValueError(f"{path} holds no scores of answers")
    about = _parsed(path, 1, lines[0])
    if about.get("format") != FORMAT or not isinstance(about.get("model"), str):
        raise ValueError(f"{path} holds no scores of answers")
    if about.get("version") != VERSION:
        raise ValueError(f"{path} is of version {about.get('version')!r}, this release reads version {VERSION}")
    return ScoreFile(about, tuple(_questions(path, lines[1:])))


def _questions(path: Path | str, lines: list[bytes]) -> Iterator[Scored]:
    seen = set()
    for number, line in enumerate(lines, 2):
        try:
            scored = Scored.of(_parsed(path, number, line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {str(error).removeprefix(f'{path}, line {number}: ')}") from None
        if (scored.data_set, scored.key) in seen:
            raise ValueError(f"{path}, line {number}: {scored.key} was there before")
        seen.add((scored.data_set, scored.key))
        yield scored


def _parsed(path: Path | str, number: int, line: bytes) -> dict[str, Any]:
    try:
        content = parse_json(line)
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}, line {number}: it is no JSON object")
    return content


def compressed(source: Path | str, target: Path | str) -> None:
    """Write a file of scores compressed, after reading it whole; raise ValueError if it is none."""
    read = read_scores(source)
    lines = [json.dumps(dict(read.about)).encode() + b"\n", *(each.to_line() for each in read.questions)]
    write_bytes(target, lzma.compress(b"".join(lines), preset=9 | lzma.PRESET_EXTREME))
