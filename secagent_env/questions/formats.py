"""Readers of the files of question sets. A record that is no question is skipped, with a reason.

A reason never holds the record's text.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from secagent_env.questions.question import Question, QuestionSet
from secagent_env.support.extras import require

PASSWORD = b"teleqnadataset"
"""Of TeleQnA's archive, as its authors publish it: they encrypt it so that no model is trained on it by accident."""
MAX_UNPACKED_BYTES = 200_000_000

_ARC_OPTION = re.compile(r"\bAnswer(\d):")
_ARC_INTRODUCTION = "Please choose the correct answer to the question:"
_ARC_END = "Answer format:"
_OPTION = re.compile(r"option (\d+)")
_RELEASE = re.compile(r"\s*\[[^\]]*\]\s*$")

Maker = Callable[[str, Any], Question]


def read_arc(name: str, data: bytes) -> QuestionSet:
    """Read ARC as a list of instructions: ``… question: TEXT Answer1: … Answer2: … Answer format: …``."""
    return _question_set(name, enumerate(_list(_json(data))), _arc)


def read_boolq(name: str, data: bytes) -> QuestionSet:
    """Read BoolQ, a JSON object a line: ``query`` (passage and question), ``choices``, ``gold``."""
    lines = [line for line in _text(data).splitlines() if line.strip()]
    if not lines:
        raise ValueError("it is empty")
    return _question_set(name, enumerate(lines), lambda key, line: _boolq(key, _json(line.encode())))


def read_teleqna(name: str, data: bytes) -> QuestionSet:
    """Read TeleQnA from its encrypted archive, or from the JSON in it, in memory: nothing is written anywhere."""
    if data.startswith(b"PK"):
        data = _unzipped(data)
    content = _json(data)
    if not isinstance(content, dict) or not content:
        raise ValueError("it must hold a JSON object of questions")
    return _question_set(name, content.items(), _teleqna)


def read_sample(name: str, data: bytes) -> QuestionSet:
    """Read the packaged sample: a list of objects with the fields of :class:`Question`."""
    return _question_set(name, enumerate(_list(_json(data))), _sample)


def _question_set(name: str, records: Iterable[tuple[Any, Any]], make: Maker) -> QuestionSet:
    questions, skipped = [], []
    groups: dict[str, str] = {}  # named after the first question of the same words
    for number, (key, record) in enumerate(records, start=1):
        try:
            question = make(f"{name}-{key}" if isinstance(key, int) else _string(key), record)
            group = groups.setdefault(_words_of(question.text), question.key)
            questions.append(dataclasses.replace(question, group=group))
        except _NotAQuestion as error:
            skipped.append(f"record {number}: {error}")
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            reason = str(error) if type(error) is ValueError and str(error).startswith("it") else "it has another form"
            skipped.append(f"record {number}: {reason}")
    if not questions:
        raise ValueError(f"it holds no question; {skipped[0] if skipped else 'it is empty'}")
    return QuestionSet(name, tuple(questions), tuple(skipped))


def _words_of(text: str) -> str:
    """Return the words of a text in lower case, by which questions count as the same."""
    return " ".join(re.findall(r"\w+", text.lower()))


class _NotAQuestion(Exception):
    """The reason why a record is no question, without its text."""


def _arc(key: str, record: Any) -> Question:
    parts = _ARC_OPTION.split(_string(record["instruction"]).partition(_ARC_END)[0])
    if [*parts[1::2]] != [str(number) for number in range(1, 1 + len(parts) // 2)]:
        raise _NotAQuestion("its options are not numbered from 1")
    text = parts[0].replace(_ARC_INTRODUCTION, "").strip()
    gold = re.fullmatch(r"answer(\d)", _string(record["answer"]))
    if gold is None:
        raise _NotAQuestion("its answer is not of the form answer1")
    options = tuple(part.strip() for part in parts[2::2])
    return Question(key, text, options, int(gold[1]) - 1)


def _boolq(key: str, record: Any) -> Question:
    passage, mark, text = _string(record["query"]).rpartition("\nQuestion:")
    if not mark:
        raise _NotAQuestion("it has no question after its passage")
    options = tuple(_string(choice) for choice in _list(record["choices"]))
    text = text.strip()
    passage = passage.removeprefix("Passage:").strip()
    return Question(key, text, options, _integer(record["gold"]), passage=passage)


def _teleqna(key: str, record: Any) -> Question:
    options = {int(match[1]): value for name, value in record.items() if (match := re.fullmatch(r"option (\d+)", name))}
    if sorted(options) != list(range(1, 1 + len(options))):
        raise _NotAQuestion("its options are not numbered from 1")
    gold = _OPTION.match(_string(record["answer"]))
    if gold is None:
        raise _NotAQuestion("its answer does not begin with an option")
    text = _RELEASE.sub("", _string(record["question"])).strip()
    explanation = record.get("explanation") or ""
    return Question(
        key,
        text,
        tuple(_string(options[number]).strip() for number in sorted(options)),
        int(gold[1]) - 1,
        category=_string(record["category"]).strip(),
        explanation=_string(explanation).strip(),
    )


def _sample(key: str, record: Any) -> Question:
    text = _string(record["text"])
    return Question(
        key,
        text,
        tuple(_string(option) for option in _list(record["options"])),
        _integer(record["answer"]),
        category=_string(record.get("category", "")),
        explanation=_string(record.get("explanation", "")),
        passage=_string(record.get("passage", "")),
    )


def _unzipped(data: bytes) -> bytes:
    pyzipper = require("pyzipper", extra="knowledge")
    try:
        with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
            archive.setpassword(PASSWORD)
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) != 1:
                raise _NotAQuestion
            with archive.open(entries[0]) as file:
                content = file.read(MAX_UNPACKED_BYTES + 1)
    except _NotAQuestion:
        raise ValueError("the archive must hold one file") from None
    except Exception:  # whatever a hostile archive provokes in the decoders
        raise ValueError("the archive is broken, or its password is not the published one") from None
    if len(content) > MAX_UNPACKED_BYTES:
        raise ValueError(f"the archive unpacks to more than {MAX_UNPACKED_BYTES // 1_000_000} MB")
    return bytes(content)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def _json(data: bytes) -> Any:
    text = _text(data)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a ValueError also where a number has too many digits
        raise ValueError("it is not JSON") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("it must be a list")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # JSON may hold half a surrogate pair, which nobody can send
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value
