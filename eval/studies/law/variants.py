"""LAW without a language model: the stand-in and the controls, as options of LAW by their labels in tables."""

from __future__ import annotations

from typing import Any

STAND_IN = "law (no LLM)"
SEARCH_ALONE = "expert search alone"
CONTROLS: dict[str, dict[str, Any]] = {
    "law (first rows)": {"control": "first-rows"},
    "law (random)": {"control": "random"},
    SEARCH_ALONE: {"control": "repeat"},
}
