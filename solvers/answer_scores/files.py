"""Files of scores by question: JSON lines, which grow as a model is measured, so that an interruption loses nothing.

The first line tells what was measured; each other line holds the scores of a question, its key in the data set, the
number of its options and the right one's index. No text is in them. The files of several models make one recording,
one after the other in one xz stream.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secagent_env.support.checks import integer
from secagent_env.support.reading import parse_json, read_bytes
from solvers.answer_scores.scores import Scores

FORMAT, VERSION = "secagent.AnswerScores", 1
MAX_UNPACKED_BYTES = 1 << 28
"""What unpacks to more is not read (268 MB)."""


@dataclass(frozen=True)
class Scored:
    """A question with its scores: the data set, its key and category there, m, the right option, and the scores."""

    data_set: str
    key: str
    num_options: int
    answer: int
    scores: Scores
    category: str = ""

    def to_line(self) -> str:
        """Return the line of a file, without its end."""
        fields = {"set": self.data_set, "key": self.key, "options": self.num_options, "answer": self.answer}
        category = {"category": self.category} if self.category else {}
        return json.dumps({**fields, **category, **self.scores.to_dict()}, separators=(",", ":"))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Scored:
        """Return what a line holds; raise ValueError if it is none."""
        data_set, key, category = (content.get(name, "") for name in ("set", "key", "category"))
        if not all(isinstance(name, str) for name in (data_set, key, category)) or not (data_set and key):
            raise ValueError("set and key must be texts")
        num_options = integer("options", content.get("options"), 2, 26)
        answer = integer("answer", content.get("answer"), 0, num_options - 1)
        return cls(data_set, key, num_options, answer, Scores.of(content, num_options), category)


@dataclass(frozen=True)
class ScoreFile:
    """What was measured of a model: what it is and which data sets were asked (``about``), and the scored questions."""

    about: Mapping[str, Any]
    questions: tuple[Scored, ...]

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.about["model"])

    def of(self, data_set: str) -> list[Scored]:
        """Return the scored questions of a data set, in the order of the file."""
        return [each for each in self.questions if each.data_set == data_set]

    def to_bytes(self) -> bytes:
        """Return the file."""
        lines = [json.dumps(dict(self.about)), *(each.to_line() for each in self.questions)]
        return "".join(f"{line}\n" for line in lines).encode()


def read_scores(path: Path | str) -> list[ScoreFile]:
    """Read a file of the scores of a model, or a recording of several; a last line that was cut off is left out.

    Raises
    ------
    ValueError
        If it is no such file, a line is damaged, a question is in it twice, or a model with one data set.
    OSError
        If it cannot be read.
    """
    lines = _unpacked(path, read_bytes(path)).split(b"\n")[:-1]
    files: list[tuple[dict[str, Any], dict[tuple[str, str], Scored]]] = []
    for number, line in enumerate(lines, 1):
        try:
            content = parse_json(line)
            if not isinstance(content, dict):
                raise ValueError("it is no JSON object")
            if "format" in content:
                files.append((_about(content), {}))
            elif not files:
                raise ValueError("it is not the header of scores of answers")
            else:
                scored = Scored.of(content)
                if (scored.data_set, scored.key) in files[-1][1]:
                    raise ValueError(f"{scored.key} was there before")
                files[-1][1][scored.data_set, scored.key] = scored
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    if not files:
        raise ValueError(f"{path} holds no scores of answers")
    held = [(about["model"], name) for about, questions in files for name in {name for name, _ in questions} or {""}]
    if len(set(held)) < len(held):
        raise ValueError(f"{path} holds the scores of a model twice")
    return [ScoreFile(about, tuple(questions.values())) for about, questions in files]


def recording(files: Sequence[ScoreFile]) -> bytes:
    """Return the recording of several models' scores."""
    return lzma.compress(b"".join(file.to_bytes() for file in files), preset=9 | lzma.PRESET_EXTREME)


def _about(content: dict[str, Any]) -> dict[str, Any]:
    if content["format"] != FORMAT or not isinstance(content.get("model"), str):
        raise ValueError("it is not the header of scores of answers")
    if content.get("version") != VERSION:
        raise ValueError(f"it is of version {content.get('version')!r:.20}, and this release reads version {VERSION}")
    return content


def _unpacked(path: Path | str, content: bytes) -> bytes:
    if not content.startswith(b"\xfd7zXZ\0"):
        return content
    try:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        content = stream.decompress(content, MAX_UNPACKED_BYTES)
    except lzma.LZMAError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not stream.eof:
        raise ValueError(f"{path} is damaged: it ends too early")
    return content
