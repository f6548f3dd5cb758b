"""The little Markdown that other commands write, as HTML."""

from __future__ import annotations

import re
from html import escape


def html_of(markdown: str) -> str:
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
    """Return text with its marks as tags; escaping comes first, since marks are no characters of HTML."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return notation(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", marked))


def notation(text: str) -> str:
    """Return text, escaped before, with the subscripts of ``N_min``, ``Acc_min`` and the like set low."""
    return re.sub(r"\b(N|Acc|p)_(min|max)\b", r"\1<sub>\2</sub>", text)
