"""Files of question sets in the forms in which these are published. The questions are our own."""

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow
import pyarrow.parquet
import pyzipper

from secagent_env.questions import Question
from secagent_env.questions.records import PASSWORD

SCIENCE = [
    Question("", "What falls?", ("A stone.", "Light.", "Nothing at 5: pm."), 2),
    Question("", "What is wet?", ("Sand", "Glass", "Rain", "Wind"), 0),
    Question("", "What is loud?", ("Snow", "A leaf", "A cloud", "Moss", "Thunder"), 4),
    Question("", "What is round?", ("A box", "A ball", "A book", "A bench", "A brick"), 1),
]
YES_OR_NO = [
    Question("", "is ice cold?", ("no", "yes"), 1, passage="Ice is cold.\nIt melts.\u2028It is water."),
    Question("", "is fire cold?", ("no", "yes"), 0, passage="Fire is hot."),
]
TELECOM = [
    Question("", "What is a beam?", ("Light", "A shaped signal"), 1, "Lexicon", "A beam is a shaped signal."),
    Question("", "What is noise?", ("Heat", "A song", "A unit"), 0, "Research overview", "Noise comes from heat."),
    Question("", "what is a BEAM?", ("A ray", "Wood", "A sum", "A wave", "A code"), 4, "Lexicon", "It is a code."),
]
OURS = {"arc-easy": SCIENCE, "arc-challenge": SCIENCE, "boolq": YES_OR_NO, "teleqna": TELECOM}
"""By the name of the set."""


def lines(records: Iterable[Any]) -> bytes:
    """JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def parquet(records: Sequence[dict[str, Any]], **options: Any) -> bytes:
    """A Parquet file, with nulls for the fields that a record lacks."""
    fields = dict.fromkeys(field for record in records for field in record)
    columns = {field: [record.get(field) for record in records] for field in fields}
    return packed(columns, **options)


def packed(columns: dict[str, Any], **options: Any) -> bytes:
    """A Parquet file of columns."""
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink, **options)
    return sink.getvalue().to_pybytes()


def zipped(content: bytes, password: bytes = PASSWORD, files: int = 1) -> bytes:
    """An encrypted zip, as TeleQnA's authors publish it."""
    file = io.BytesIO()
    with pyzipper.AESZipFile(file, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(password)
        for number in range(files):
            archive.writestr(f"{number}.txt", content)
    return file.getvalue()


def _labels(number: int, question: Question) -> list[str]:
    """A, B, … for even questions, 1, 2, … for odd ones: ARC has both."""
    return list("12345" if number % 2 else "ABCDE")[: len(question.options)]


def arc_records(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """AI2's JSON."""
    return [
        {
            "id": f"Mine_{number}",
            "question": {
                "stem": question.text,
                "choices": [{"text": t, "label": label} for t, label in zip(question.options, labels, strict=True)],
            },
            "answerKey": labels[question.answer],
        }
        for number, question in enumerate(questions)
        for labels in [_labels(number, question)]
    ]


def arc_rows(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Hugging Face's columns."""
    return [
        {
            "id": f"Mine_{number}",
            "question": question.text,
            "choices": {"text": list(question.options), "label": _labels(number, question)},
            "answerKey": _labels(number, question)[question.answer],
        }
        for number, question in enumerate(questions)
    ]


def arc_instructions(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """The instructions of LLM-Adapters."""
    return [
        {
            "instruction": f"Please choose the correct answer to the question: {question.text}\n\n"
            + " ".join(f"Answer{number}: {option}" for number, option in enumerate(question.options, start=1))
            + "\n\nAnswer format: answer1/answer2",
            "input": "",
            "output": f"the correct answer is answer{question.answer + 1}",
            "answer": f"answer{question.answer + 1}",
        }
        for question in questions
    ]


def boolq_records(questions: Sequence[Question], **more: str) -> list[dict[str, Any]]:
    """Google's JSON, whose questions have no question mark, and, without the title, Hugging Face's columns."""
    return [
        {
            "question": question.text.removesuffix("?"),
            **more,
            "answer": bool(question.answer),
            "passage": question.passage,
        }
        for question in questions
    ]


def boolq_queries(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """The queries of evaluation harnesses."""
    return [
        {"query": f"Passage: {q.passage}\nQuestion: {q.text}", "choices": ["no", "yes"], "gold": q.answer}
        for q in questions
    ]


def teleqna_records(questions: Sequence[Question], release: str = " [3GPP Release 17]") -> list[dict[str, Any]]:
    """The JSON of TeleQnA's authors, without the names of the questions."""
    return [
        {
            "question": question.text + release,
            **{f"option {number}": option for number, option in enumerate(question.options, start=1)},
            "answer": f"option {question.answer + 1}: {question.options[question.answer]}",
            "explanation": question.explanation,
            "category": question.category,
        }
        for question in questions
    ]


def teleqna_rows(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Hugging Face's columns; one name is misspelt there."""
    return [
        {
            "question": question.text + " [3GPP Release 17]",
            "choices": list(question.options),
            "answer": question.answer,
            "subject": question.category,
            "explaination": question.explanation,
        }
        for question in questions
    ]


def named(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """TeleQnA's records by the names of the questions."""
    return {f"question {number}": record for number, record in enumerate(records)}


def published(name: str, questions: Sequence[Question]) -> dict[str, bytes]:
    """Return the files of a set with these questions, by the name of the form."""
    match name:
        case "boolq":
            return {
                "Google's lines": lines(boolq_records(questions, title="A page")),
                "Hugging Face's table": parquet(boolq_records(questions)),
                "queries": lines(boolq_queries(questions)),
            }
        case "teleqna":
            original = json.dumps(named(teleqna_records(questions))).encode()
            return {
                "the authors' archive": zipped(original),
                "its text": original,
                "a list": json.dumps(teleqna_records(questions), indent=1).encode(),
                "Hugging Face's table": parquet(teleqna_rows(questions)),
                "a table of the original fields": parquet(teleqna_records(questions)),
                "lines": lines(teleqna_rows(questions)),
            }
    return {
        "AI2's lines": lines(arc_records(questions)),
        "Hugging Face's table": parquet(arc_rows(questions)),
        "its rows as lines": lines(arc_rows(questions)),
        "instructions": json.dumps(arc_instructions(questions)).encode(),
    }
