"""Where results come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from secagent_env.support.extras import require


@dataclass(frozen=True)
class Provenance:
    """Where cells come from: ``versions`` of secagent, ``sources`` (digests of its code) and ``days`` (UTC)."""

    versions: tuple[str, ...]
    sources: tuple[str, ...]
    days: tuple[str, ...]


def provenance(cells: Any) -> Provenance:
    """Return where cells (a pandas DataFrame, at least one) come from."""
    pandas = require("pandas", extra="eval")
    days = pandas.to_datetime(cells["finished"], unit="s", utc=True).dt.strftime("%Y-%m-%d")
    versions, sources = (tuple(sorted(set(cells[name]))) for name in ("version", "sources"))
    return Provenance(versions, sources, tuple(sorted({days.min(), days.max()})))
