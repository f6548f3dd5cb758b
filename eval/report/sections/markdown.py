"""The little Markdown that other commands write, as HTML."""

from __future__ import annotations

import re
from html import escape

from eval.report.sections.chart import notation


def paragraphs(markdown: str) -> str:
    """Return paragraphs and lists, with bold words and code, as HTML; everything else is text."""
    blocks = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        lines = block.splitlines()
        if all(line.startswith("- ") for line in lines):
            blocks.append(f"<ul>{''.join(f'<li>{inline(line[2:])}</li>' for line in lines)}</ul>")
        else:
            blocks.append(f"<p>{inline(' '.join(lines))}</p>")
    return "".join(blocks)


def inline(text: str) -> str:
    """Return text as HTML, with bold words and code; it is escaped first, which leaves Markdown's marks as they are."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return notation(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", marked))


def document(markdown: str) -> str:
    """Return a text with headings, tables, paragraphs and lists as HTML."""
    parts = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        lines = block.splitlines()
        if match := re.fullmatch(r"(#{1,4}) (.*)", block):
            level = min(len(match[1]) + 1, 5)
            parts.append(f"<h{level}>{inline(match[2])}</h{level}>")
        elif len(lines) > 1 and all(line.startswith("|") for line in lines):
            parts.append(_table(lines))
        else:
            parts.append(f'<div class="prose">{paragraphs(block)}</div>')
    return "".join(parts)


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head = "".join(f'<th scope="col">{inline(cell)}</th>' for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{inline(cell)}</td>' for cell in row)}</tr>" for row in rows[2:])
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(rows[0][0])}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
