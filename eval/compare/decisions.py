"""The file of a solution: ``decision.json``, written by `secagent solve`, read by :func:`load_decision`.

JSON, versioned; SI units in the names; the selection as the list of the selected agents' indices; numbers
that are not finite are null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
PLAIN_VERSION, NOISE_VERSION = 1, 2
"""Of decisions without and with artificial noise, which an earlier secagent must not read without it."""

_NOISE = ("noise_covariance_real", "noise_covariance_imag")
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
    content = {
        "format": FORMAT,
        "version": PLAIN_VERSION if solution.decision.noise_covariance is None else NOISE_VERSION,
        "secagent": __version__,
        **plain_decision(solution.decision),
        "outcome": {name: plain(getattr(solution.outcome, name)) for name in _OUTCOME},
        **{name: plain(getattr(solution, name)) for name in _SOLUTION},
        "options": plain(options or {}),
    }
    document = json.loads(json.dumps(content, allow_nan=False, default=str))
    write_text(path, json.dumps(sealed(document), indent=2) + "\n")


def plain_decision(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON's data, which :func:`decision_of` reads."""
    noise = decision.noise_covariance
    covariance = {} if noise is None else dict(zip(_NOISE, (noise.real.tolist(), noise.imag.tolist()), strict=True))
    return {
        "num_agents": len(decision.selection),
        "num_antennas": len(decision.beamformer),
        "selected": np.flatnonzero(decision.selection).tolist(),
        "beamformer_real": decision.beamformer.real.tolist(),
        "beamformer_imag": decision.beamformer.imag.tolist(),
        "power_w": decision.power_w.tolist(),
        **covariance,
    }


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
        return decision_of(_checked(content, path))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else short(error, 800)
        raise ValueError(f"cannot load a decision from {path}: {reason}") from error


def _checked(content: Any, path: str | Path) -> dict[str, Any]:
    """Return what a file of a version that is known says, its digest checked."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("it holds no secagent decision")
    version = content["version"]
    if version not in (PLAIN_VERSION, NOISE_VERSION):
        raise ValueError(
            f"it has format version {version!r:.80}, this secagent reads {PLAIN_VERSION} and {NOISE_VERSION}; "
            "upgrade secagent to read it"
        )
    content = verified(content, path)
    if version == PLAIN_VERSION:
        return {name: value for name, value in content.items() if name not in _NOISE}
    if missing := [name for name in _NOISE if name not in content]:
        raise KeyError(missing[0])
    return content


def decision_of(content: Mapping[str, Any]) -> Decision:
    """Return the decision of :func:`plain_decision`; ValueError or KeyError where something in it does not fit."""
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
        beamformer=_numbers(content["beamformer_real"], "beamformer_real", antennas)
        + 1j * _numbers(content["beamformer_imag"], "beamformer_imag", antennas),
        power_w=_numbers(content["power_w"], "power_w", agents),
        noise_covariance=_covariance(content, antennas) if _NOISE[0] in content else None,
    )


def _covariance(content: Mapping[str, Any], size: int) -> np.ndarray:
    parts = []
    for name in _NOISE:
        rows = content[name]
        if not isinstance(rows, list) or len(rows) != size:
            raise ValueError(f"{name} must be a list of {size} rows")
        parts.append(np.stack([_numbers(row, f"a row of {name}", size) for row in rows]))
    return np.asarray(parts[0] + 1j * parts[1])


def _numbers(values: Any, name: str, size: int) -> np.ndarray:
    if not isinstance(values, list) or len(values) != size or any(type(v) not in (int, float) for v in values):
        raise ValueError(f"{name} must be a list of {size} numbers")
    return np.array(values, float)
