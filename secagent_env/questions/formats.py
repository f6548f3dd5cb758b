"""Forms in which question sets are published. A record that is no question is skipped, with a reason.

A question has the same key and the same text in whatever form its set is read. A reason never holds the record's text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from secagent_env.questions.question import Question, QuestionSet
from secagent_env.questions.records import records_of

_INSTRUCTED_OPTION = re.compile(r"\bAnswer(\d):")
_INTRODUCTION = "Please choose the correct answer to the question:"
_INSTRUCTION_END = "Answer format:"
_OPTION = re.compile(r"option (\d{1,3})\b")
_RELEASE = re.compile(r"\s*\[[^\]]*\]\s*$")


class Form(NamedTuple):
    """The fields by which a form is recognised, and what makes a question of a key and a record that has them.

    ``make`` raises ValueError, with a reason that begins with "it", for a record that is no question.
    """

    fields: tuple[str, ...]
    make: Callable[[str, dict[str, Any]], Question]


def read(name: str, data: bytes) -> QuestionSet:
    """Read the file of a question set, in any of its forms and in whatever holds them (:mod:`.records`).

    Raises
    ------
    ValueError
        If the file is broken, or holds no question; the sentence begins with "it" or "the archive".
    ImportError
        If the extra is missing that reads it.
    """
    forms = FORMS[name]
    questions, skipped = [], []
    groups: dict[str, str] = {}  # named after the first question of the same words
    for place, key, record in records_of(data, lambda content: _form_of(content, forms) is not None):
        try:
            if isinstance(key, int):
                key = f"question {key}" if name == "teleqna" else f"{name}-{key}"
            question = _question(_encodable(key, "key"), record, forms)
            group = groups.setdefault(_words_of(question.text), question.key)
            questions.append(dataclasses.replace(question, group=group))
        except ValueError as error:
            skipped.append(f"{place}: {error}")
    if not questions:
        raise ValueError(f"it holds no question; {skipped[0]}" if skipped else "it holds no question: it is empty")
    return QuestionSet(name, tuple(questions), tuple(skipped))


def _question(key: str, record: Any, forms: tuple[Form, ...]) -> Question:
    form = _form_of(record, forms)
    if form is None:
        raise ValueError(f"it must have the fields {'; or '.join(', '.join(form.fields) for form in forms)}")
    return form.make(key, record)


def _form_of(record: Any, forms: tuple[Form, ...]) -> Form | None:
    """Return the first form whose fields a record has."""
    if not isinstance(record, dict):
        return None
    return next((form for form in forms if all(field in record for field in form.fields)), None)


def _words_of(text: str) -> str:
    """Return the words of a text in lower case, by which questions count as the same."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _arc_instruction(key: str, record: dict[str, Any]) -> Question:
    """Make a question of ``… question: TEXT Answer1: … Answer2: … Answer format: …``."""
    parts = _INSTRUCTED_OPTION.split(_text(record, "instruction").partition(_INSTRUCTION_END)[0])
    if [*parts[1::2]] != [str(number) for number in range(1, 1 + len(parts) // 2)]:
        raise ValueError("its options are not numbered from 1")
    gold = re.fullmatch(r"answer(\d)", _text(record, "answer"))
    if gold is None:
        raise ValueError("its answer is not of the form answer1")
    text = parts[0].replace(_INTRODUCTION, "").strip()
    return Question(key, text, tuple(part.strip() for part in parts[2::2]), int(gold[1]) - 1)


def _arc_columns(key: str, record: dict[str, Any]) -> Question:
    """Make a question of Hugging Face's columns: ``question``, and ``choices`` with a list of texts and of labels."""
    return _labelled(key, _text(record, "question"), record["choices"], record["answerKey"])


def _arc(key: str, record: dict[str, Any]) -> Question:
    """Make a question of AI2's records, in which ``question`` holds a ``stem`` and ``choices``."""
    question = record["question"]
    if not isinstance(question, dict):
        raise ValueError("its question has no stem and choices")
    return _labelled(key, _text(question, "stem"), question.get("choices"), record["answerKey"])


def _labelled(key: str, text: str, choices: Any, answer: Any) -> Question:
    """Make a question of labelled choices: a list of objects with text and label, or an object with a list of each."""
    if isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices):
        choices = {field: [choice.get(field) for choice in choices] for field in ("text", "label")}
    if not isinstance(choices, dict):
        raise ValueError("its choices are no texts with labels")
    options = _texts(choices, "text")
    labels = [_label(label) for label in _list(choices, "label")]
    if len(labels) != len(options):
        raise ValueError(f"its choices have {len(options)} texts and {len(labels)} labels")
    if len(set(labels)) < len(labels):
        raise ValueError("its choices have the same label twice")
    if _label(answer) not in labels:
        raise ValueError("its answer is none of the labels of its choices")
    return Question(key, text, options, labels.index(_label(answer)))


def _label(value: Any) -> str:
    """Return a label such as ``A`` or ``1``; numbers count as their digits."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("its labels and its answer must be texts or whole numbers")
    return str(value).strip()


def _boolq(key: str, record: dict[str, Any]) -> Question:
    """Make a question of the original fields; the text gets the question mark that it lacks."""
    if not isinstance(record["answer"], bool):
        raise ValueError("its answer is neither true nor false")
    text = _text(record, "question")
    if text and not text.endswith("?"):
        text += "?"
    return Question(key, text, ("no", "yes"), int(record["answer"]), passage=_text(record, "passage"))


def _boolq_instruction(key: str, record: dict[str, Any]) -> Question:
    """Make a question of a query: ``Passage: …``, and on the last line of its own ``Question: …``."""
    passage, mark, text = _text(record, "query").rpartition("\nQuestion:")
    if not mark:
        raise ValueError("it has no question after its passage")
    passage = passage.removeprefix("Passage:").strip()
    return Question(key, text.strip(), _texts(record, "choices"), _index(record, "gold"), passage=passage)


def _teleqna(key: str, record: dict[str, Any]) -> Question:
    """Make a question of the original fields; in a table, a question with fewer options has None for the others."""
    options = {
        int(match[1]): name for name in record if (match := _OPTION.fullmatch(name)) and record[name] is not None
    }
    if sorted(options) != list(range(1, 1 + len(options))):
        raise ValueError("its options are not numbered from 1")
    gold = _OPTION.match(_text(record, "answer"))
    if gold is None:
        raise ValueError("its answer does not begin with an option")
    texts = tuple(_text(record, options[number]) for number in sorted(options))
    return _telecom(key, record, texts, int(gold[1]) - 1, "category")


def _teleqna_columns(key: str, record: dict[str, Any]) -> Question:
    """Make a question of Hugging Face's columns, whose ``answer`` is an index from 0."""
    return _telecom(key, record, _texts(record, "choices"), _index(record, "answer"), "subject")


def _telecom(key: str, record: dict[str, Any], options: tuple[str, ...], answer: int, category: str) -> Question:
    text = _RELEASE.sub("", _text(record, "question"))
    spelt = next((field for field in ("explanation", "explaination") if record.get(field)), None)
    explanation = _text(record, spelt) if spelt else ""
    return Question(key, text, options, answer, category=_text(record, category), explanation=explanation)


def _sample(key: str, record: dict[str, Any]) -> Question:
    others = {field: _text(record, field) for field in ("category", "explanation", "passage") if field in record}
    return Question(key, _text(record, "text"), _texts(record, "options"), _index(record, "answer"), **others)


FORMS: dict[str, tuple[Form, ...]] = {
    **dict.fromkeys(
        ("arc-easy", "arc-challenge"),
        (
            Form(("question", "choices", "answerKey"), _arc_columns),
            Form(("question", "answerKey"), _arc),
            Form(("instruction", "answer"), _arc_instruction),
        ),
    ),
    "boolq": (
        Form(("question", "passage", "answer"), _boolq),
        Form(("query", "choices", "gold"), _boolq_instruction),
    ),
    "teleqna": (
        Form(("question", "option 1", "answer", "category"), _teleqna),
        Form(("question", "choices", "answer", "subject"), _teleqna_columns),
    ),
    "sample": (Form(("text", "options", "answer"), _sample),),
}
"""By the name of the set; where a record has the fields of several, the first counts."""


def _text(record: dict[str, Any], field: str) -> str:
    return _encodable(record.get(field), field).strip()


def _encodable(value: Any, field: str) -> str:
    """Return a text; raise ValueError where it is none, or nobody could send it."""
    if not isinstance(value, str):
        raise ValueError(f"its {field} is no text")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON may hold half a surrogate pair
        raise ValueError(f"its {field} is broken Unicode") from None
    return value


def _list(record: dict[str, Any], field: str) -> list[Any]:
    value = record.get(field)
    if not isinstance(value, list):
        raise ValueError(f"its {field} is no list")
    return value


def _texts(record: dict[str, Any], field: str) -> tuple[str, ...]:
    return tuple(_encodable(value, field).strip() for value in _list(record, field))


def _index(record: dict[str, Any], field: str) -> int:
    value = record.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"its {field} is no whole number")
    return value
