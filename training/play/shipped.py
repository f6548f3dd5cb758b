"""The shipped agents by name, and any trained agent by its path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from secagent_env.support.errors import unknown_name

if TYPE_CHECKING:
    from training.play.agents import TrainedAgent

POLICIES = Path(__file__).parents[1] / "policies"
"""The shipped policies: NAME.onnx, and NAME.md, its model card."""


def names() -> list[str]:
    """Return the names of the shipped agents."""
    return sorted(path.stem for path in POLICIES.glob("*.onnx"))


def is_path(name: str) -> bool:
    """Whether a name is the path of a policy, or of a run's folder, and not the name of a shipped agent."""
    return name not in names() and (name.endswith(".onnx") or os.sep in name or Path(name, "policy.onnx").is_file())


def load_agent(
    name: str | Path, *, repair: bool = True, refine: int = 0, samples: int | None = None, compiled: bool = False
) -> TrainedAgent:
    """Return a trained agent, which has the solvers' interface.

    Parameters
    ----------
    name
        A shipped agent's, or a path: of an .onnx file, or of a run's folder, whose ``policy.onnx`` is loaded.
    repair, refine, samples, compiled
        See :class:`training.play.agents.TrainedAgent`.

    Raises
    ------
    ValueError
        If there is no such agent, or the file is broken, foreign or newer.
    OSError
        If the file cannot be read.
    ImportError
        If onnxruntime, or for ``compiled`` numba, is not installed.
    """
    from training.play.agents import TrainedAgent

    agent = TrainedAgent(find(name), repair=repair, refine=refine, samples=samples, compiled=compiled)
    if name in names():
        agent.name = str(name)
    return agent


def find(name: str | Path) -> Path:
    """Return the file of a trained agent, by its name or path; ValueError if there is no such agent."""
    if isinstance(name, str) and name in names():
        return POLICIES / f"{name}.onnx"
    if isinstance(name, str) and not is_path(name):
        raise unknown_name("trained agent", name, names())
    path = Path(name)
    if not path.is_dir():
        return path
    if not (path / "policy.onnx").is_file():
        raise ValueError(f"{path} holds no policy.onnx: it is not the folder of a run, or the run exported none yet")
    return path / "policy.onnx"
