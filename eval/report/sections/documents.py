"""Experiments that come as a text with tables and a picture: those with questions, and the second paper's games."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from eval.experiments.genainet_power.experiment import PowerGames
from eval.experiments.knowledge_energy.experiment import KnowledgeEnergy
from eval.experiments.knowledge_transfer.experiment import KnowledgeTransfer
from eval.experiments.votes.experiment import Votes
from eval.report.sections.prose import html_of, inline
from eval.report.sections.section import Section

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
    """Return what the folders hold of :data:`FILES`, the first of each name.

    Raises
    ------
    ValueError
        If a text is not UTF-8, or a file is too large to be one of them.
    """
    found: dict[str, Document] = {}
    for folder in folders:
        for text, picture in FILES.items():
            if text not in found and (folder / text).is_file():
                content, drawn = (_bytes(folder / name) for name in (text, picture))
                try:
                    found[text] = Document(text.removesuffix(".md"), content.decode(), drawn)
                except UnicodeDecodeError:
                    raise ValueError(f"{folder / text} is not UTF-8 text; reproduce it anew") from None
    return list(found.values())


def documents_section(documents: Iterable[Document]) -> Section:
    """Return the texts with their pictures."""
    parts = []
    for document in documents:
        picture = ""
        if document.picture:
            data = base64.b64encode(document.picture).decode()
            picture = f'<img src="data:image/png;base64,{data}" alt="{escape(document.name)}" style="max-width:100%">'
        parts.append(f'<section class="part">{_html(document.markdown)}{picture}</section>')
    lead = (
        "Agents that vote, knowledge that travels, what it costs in energy, and agents that talk, as they were printed."
    )
    return Section("questions", "Questions, knowledge and games", lead, "".join(parts))


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        return b""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES // 1_000_000} MB, and is not put into a report")
    return path.read_bytes()


def _html(markdown: str) -> str:
    """Return headings, tables, paragraphs and lists as HTML."""
    parts = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        lines = block.splitlines()
        if match := re.fullmatch(r"(#{1,4}) (.*)", block):
            level = min(len(match[1]) + 1, 5)
            parts.append(f"<h{level}>{inline(match[2])}</h{level}>")
        elif len(lines) > 1 and all(line.startswith("|") for line in lines):
            parts.append(_table(lines))
        else:
            parts.append(f'<div class="prose">{html_of(block)}</div>')
    return "".join(parts)


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head = "".join(f'<th scope="col">{inline(cell)}</th>' for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{inline(cell)}</td>' for cell in row)}</tr>" for row in rows[2:])
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(rows[0][0])}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
