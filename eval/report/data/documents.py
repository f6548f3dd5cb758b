"""Experiments stored as a text with tables and a picture: those with questions, and the second paper's games."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eval.report.data.received import MAX_TEXT_BYTES, Received

EXPERIMENTS = ("table5", "genainet-table1", "knowledge-energy", "genainet")
"""By name: their modules need extras that a report does not."""
FILES = {f"{name}.md": f"{name}.png" for name in EXPERIMENTS}
"""By the text that `secagent reproduce` writes, the picture beside it."""


@dataclass(frozen=True)
class Document:
    """A text in Markdown, and its picture, a PNG file; empty where there is none."""

    name: str
    markdown: str
    picture: bytes = b""


def read_documents(received: Received, places: Iterable[Path]) -> list[Document]:
    """Return the texts of :data:`FILES` in some folders of a results folder, the first of each name."""
    documents: dict[str, Document] = {}
    for folder in places:
        for name, picture in FILES.items():
            content = received.read(folder / name, MAX_TEXT_BYTES) if name not in documents else None
            if content is None:
                continue
            try:
                text = content.decode()
            except UnicodeDecodeError:
                received.leave_out(f"{folder / name} is not UTF-8 text; reproduce it anew")
                continue
            documents[name] = Document(name.removesuffix(".md"), text, received.read(folder / picture) or b"")
    return list(documents.values())
