"""Corpora: passages from explanations, vocabularies and text files, for a teacher's knowledge base."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from secagent_env.questions import Question
from secagent_env.support.extras import require
from secagent_env.support.reading import read_bytes, read_text
from solvers.knowledge.compress.shortening import sentences
from solvers.knowledge.store.passages import Passage

SUFFIXES = (".txt", ".md")
SENTENCES = 3
"""The sentences of a passage that is cut from a longer text."""
MAX_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 200_000_000
_SECTION = re.compile(r"terms|definitions|abbreviations", re.IGNORECASE)
"""In the headings of sections with terms."""
_STYLES = ("Normal", "EW")
"""The styles of paragraphs with terms or abbreviations."""
_TERM = re.compile(r"^\s*([^:\t]{1,120}?)\s*[:\t]\s*(\S.*)$")


def explanations(questions: Iterable[Question]) -> tuple[Passage, ...]:
    """Return the explanations of questions as passages, without empty ones and repetitions within a group.

    An explanation restates its answer: search with ``exclude_groups``, or keep a question's group out of the base.
    """
    passages: dict[tuple[str, str], Passage] = {}
    for question in questions:
        if question.explanation:
            passage = Passage(question.key, question.explanation, question.category, question.group)
            passages.setdefault((question.group, question.explanation), passage)
    return tuple(passages.values())


def vocabulary(path: str | Path, category: str = "Lexicon") -> tuple[Passage, ...]:
    """Return the terms and abbreviations of a 3GPP vocabulary (TR 21.905, a .docx file), one passage each.

    A term is a paragraph ``term: definition`` or ``abbreviation⇥meaning`` in a section of terms or abbreviations.

    Raises
    ------
    ValueError
        If the file is no Word document with terms.
    OSError, ImportError
        If the file cannot be read, or the extra ``knowledge`` is missing.
    """
    docx = require("docx", extra="knowledge")
    path = Path(path)
    try:
        content = read_bytes(path, MAX_BYTES)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        terms = _terms(docx.Document(io.BytesIO(content)), category) if unpacked <= MAX_UNPACKED_BYTES else {}
    except OSError:
        raise
    except Exception:  # a hostile file can provoke any error in the XML reader
        raise ValueError(f"{path} is no Word document that can be read") from None
    if unpacked > MAX_UNPACKED_BYTES:
        raise ValueError(f"{path} unpacks to more than {MAX_UNPACKED_BYTES // 1_000_000} MB, and is not read")
    if not terms:
        raise ValueError(f"{path} holds no terms: a paragraph of a term reads 'term: definition'")
    return tuple(terms.values())


def _terms(document: Any, category: str) -> dict[str, Passage]:
    terms: dict[str, Passage] = {}
    in_section = False
    for paragraph in document.paragraphs:
        style = (paragraph.style.name if paragraph.style is not None else "") or ""
        if style == "Heading 1":
            in_section = bool(_SECTION.search(paragraph.text))
        match = _TERM.match(paragraph.text) if in_section and style in _STYLES else None
        if match:
            key = f"term {match[1].strip()}"
            terms.setdefault(key, Passage(key, f"{match[1].strip()}: {match[2].strip()}", category))
    return terms


def texts(path: str | Path, category: str = "") -> tuple[Passage, ...]:
    """Return a text file, or all .txt and .md files of a folder, as passages of up to three sentences.

    Raises
    ------
    ValueError
        If there is no text, or a file is not UTF-8 or too large.
    OSError
        If a file cannot be read.
    """
    path = Path(path)
    files = (
        [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    )
    if not files:
        raise ValueError(
            f"{path} holds no texts: a corpus is a text file, or a folder of {' and '.join(SUFFIXES)} files"
        )
    passages: list[Passage] = []
    for file in files:
        content = read_text(file, MAX_BYTES)
        name = file.name if file == path else file.relative_to(path).as_posix()
        parts = [
            " ".join(own[start : start + SENTENCES])
            for paragraph in re.split(r"\n\s*\n", content)
            for own in [sentences(" ".join(paragraph.split()))]
            for start in range(0, len(own), SENTENCES)
        ]
        passages += [Passage(f"{name}:{number}", part, category) for number, part in enumerate(parts, 1)]
    if not passages:
        raise ValueError(f"{path} holds no text")
    return tuple(passages)
