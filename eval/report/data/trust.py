"""Which solvers of a results folder may be run again for pictures: those whose cells name nothing but numbers.

It is a list of what is allowed: shipped solvers and agents, and those that the user registered, with options that are
numbers or flags, or texts that are known to be no paths or addresses, on networks of an ordinary size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import solvers
import training
from eval.report.data.received import TRUST
from secagent_env import Scenario

TEXTS = {"sdr"}
"""Options whose texts name a method."""
MOST = 1e5
"""Numbers up to it are allowed, which bounds the time."""
SIZES = {"num_agents": 200, "num_antennas": 200, "num_eavesdroppers": 50}
"""The largest networks."""


def refusal(solver: Mapping[str, Any], scenario: Scenario) -> str | None:
    """Return why the solver of a cell, a dict with ``solver`` and ``solver_options``, is not run; None if it may be."""
    name = solver["solver"]
    if name not in solvers.names() and name not in training.names():
        return f"{name!r:.80} is no solver or agent that is shipped, and paths are followed with {TRUST} only"
    for option, value in solver["solver_options"].items():
        if not _is_harmless(option, value):
            return f"its option {option:.40} is not a number of an ordinary size, and is passed on with {TRUST} only"
    for field, most in SIZES.items():
        if getattr(scenario, field) > most:
            return f"its networks have {field} = {getattr(scenario, field)}, and are drawn with {TRUST} only"
    return None


def _is_harmless(option: str, value: Any) -> bool:
    if isinstance(value, str):
        return option in TEXTS
    return value is None or (isinstance(value, (bool, int, float)) and math.isfinite(value) and abs(value) <= MOST)
