"""Scenarios by name, as users give them."""

from __future__ import annotations

import os
from typing import Any

from secagent_env import Scenario


def named_scenario(name: str, /, **overrides: Any) -> Scenario:
    """Return the scenario of a preset's name, or of the path of a TOML file of fields, with some fields replaced."""
    if name.endswith(".toml") or os.sep in name:
        return Scenario.from_toml(name).replace(**overrides)
    return Scenario.preset(name, **overrides)
