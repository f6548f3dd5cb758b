"""Experiments stored as a text with tables and a picture: those with questions, and the second paper's games."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eval.experiments.genainet_power.experiment import PowerGames
from eval.experiments.knowledge_energy.experiment import KnowledgeEnergy
from eval.experiments.knowledge_transfer.experiment import KnowledgeTransfer
from eval.experiments.votes.experiment import Votes

FILES = {
    f"{experiment.name}.md": f"{experiment.name}.png"
    for experiment in (Votes, KnowledgeTransfer, KnowledgeEnergy, PowerGames)
}
"""By the text that `secagent reproduce` writes, the picture beside it."""
MAX_BYTES = 20_000_000


@dataclass(frozen=True)
class Document:
    """A text in Markdown, and its picture, a PNG file; empty where there is none."""

    name: str
    markdown: str
    picture: bytes = b""


def read_documents(folders: Iterable[Path]) -> list[Document]:
    """Return the texts of :data:`FILES` in some folders, the first of each name.

    Raises
    ------
    ValueError
        If a text is not UTF-8, or a file is too large to be one of them.
    """
    documents: dict[str, Document] = {}
    for folder in folders:
        for text, picture in FILES.items():
            if text not in documents and (folder / text).is_file():
                content, image = (_bytes(folder / name) for name in (text, picture))
                try:
                    documents[text] = Document(text.removesuffix(".md"), content.decode(), image)
                except UnicodeDecodeError:
                    raise ValueError(f"{folder / text} is not UTF-8 text; reproduce it anew") from None
    return list(documents.values())


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        return b""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES // 1_000_000} MB, and is not put into a report")
    return path.read_bytes()
