"""The file of a solution: ``decision.json``, written by `secagent solve`, read by :func:`load_decision`.

JSON, versioned; SI units in the names; the selection as the list of the selected agents' indices; numbers
that are not finite are null.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from eval.compare.rows import plain
from secagent_env import Decision, __version__
from secagent_env.support import checks
from secagent_env.support.digests import sealed, verified
from secagent_env.support.files import write_text
from secagent_env.support.reading import parse_json, read_bytes, short
from secagent_env.support.secrets import check_written
from solvers import Solution

FORMAT = "secagent.Decision"
FORMAT_VERSION = 1

_OUTCOME = (
    "energy_j",
    "execution_energy_j",
    "transmission_energy_j",
    "latency_s",
    "downlink_time_s",
    "inference_time_s",
    "uplink_time_s",
    "downlink_secrecy",
    "mean_accuracy",
    "violations",
    "violated",
    "feasible",
)
_SOLUTION = (
    "status",
    "message",
    "solver",
    "seed",
    "lower_bound_j",
    "transmission_bound_j",
    "gap",
    "transmission_gap",
    "evaluations",
    "wall_time_s",
)


def save_decision(path: str | Path, solution: Solution, *, options: dict[str, Any] | None = None) -> None:
    """Write a solution's decision, its outcome and where it comes from, whole or not at all.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    solution
        Of a single instance.
    options
        The solver's options, for the record; ValueError if they hold a key or password.
    """
    check_written(options or {})
    decision = solution.decision
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "secagent": __version__,
        "num_agents": len(decision.selection),
        "num_antennas": len(decision.beamformer),
        "selected": np.flatnonzero(decision.selection).tolist(),
        "beamformer_real": decision.beamformer.real.tolist(),
        "beamformer_imag": decision.beamformer.imag.tolist(),
        "power_w": decision.power_w.tolist(),
        "outcome": {name: plain(getattr(solution.outcome, name)) for name in _OUTCOME},
        **{name: plain(getattr(solution, name)) for name in _SOLUTION},
        "options": plain(options or {}),
    }
    document = json.loads(json.dumps(content, allow_nan=False, default=str))
    write_text(path, json.dumps(sealed(document), indent=2) + "\n")


def load_decision(path: str | Path) -> Decision:
    """Read the decision that :func:`save_decision` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a decision, incomplete, inconsistent, or of a later version.
    """
    text = read_bytes(path)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ValueError(f"cannot load a decision from {path}: it is not valid JSON ({error})") from None
    try:
        return _decision(content, path)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else short(error, 800)
        raise ValueError(f"cannot load a decision from {path}: {reason}") from error


def _decision(content: Any, path: str | Path) -> Decision:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("it holds no secagent decision")
    if content["version"] != FORMAT_VERSION:
        raise ValueError(
            f"it has format version {content['version']!r:.80}, this secagent reads {FORMAT_VERSION}; "
            "upgrade secagent to read it"
        )
    content = verified(content, path)
    agents, antennas = (checks.integer(name, content[name], 1) for name in ("num_agents", "num_antennas"))
    selected = content["selected"]
    if not isinstance(selected, list) or not all(type(i) is int and 0 <= i < agents for i in selected):
        raise ValueError(f"selected must be a list of indices from 0 to {agents - 1}, got {selected!r:.80}")
    if len(set(selected)) != len(selected):
        raise ValueError(f"selected must name each agent once, got {selected!r:.80}")
    selection = np.zeros(agents, bool)
    selection[selected] = True
    return Decision(
        selection=selection,
        beamformer=_numbers(content, "beamformer_real", antennas) + 1j * _numbers(content, "beamformer_imag", antennas),
        power_w=_numbers(content, "power_w", agents),
    )


def _numbers(content: dict[str, Any], name: str, size: int) -> np.ndarray:
    values = content[name]
    if not isinstance(values, list) or len(values) != size or any(type(v) not in (int, float) for v in values):
        raise ValueError(f"{name} must be a list of {size} numbers")
    return np.array(values, float)
