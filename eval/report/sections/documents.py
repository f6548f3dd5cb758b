"""The section of experiments that come as a text with tables and a picture."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from eval.report.data.documents import Document
from eval.report.sections.parts import Section


def documents_section(documents: Sequence[Document]) -> Section:
    """Return the texts with their pictures."""
    pictures = [base64.b64encode(document.picture).decode() for document in documents]
    lead = (
        "Agents that vote, knowledge that travels, what it costs in energy, and agents that talk, as they were printed."
    )
    content = {"documents": list(zip(documents, pictures, strict=True))}
    return Section("questions", "Questions, knowledge and games", lead, content)
