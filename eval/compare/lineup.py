"""Solvers and trained agents by name, and those that a comparison has by default."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

import solvers
import training
from secagent_env.support.errors import unknown_name
from secagent_env.support.secrets import check_written
from solvers import Solver
from solvers.interface import registry

AGENTS = "training.play.agents"
"""The module of all trained agents."""
HEADLINE = ("ppo", "l2o")
"""The trained agents of the default line-up, where they are shipped and can be run."""


def make(name: str, **options: Any) -> Solver:
    """Return the solver or trained agent called ``name``, or the agent at this path.

    Raises
    ------
    ValueError
        If the name or an option is unknown, an option out of range or a secret, or a policy's file broken, foreign or
        newer.
    OSError
        If a policy's file cannot be read.
    ImportError
        If an extra is needed that is not installed.
    """
    check_written(options)
    if name in solvers.names():
        return solvers.make(name, **options)
    if name not in training.names() and not training.is_path(name):
        raise unknown_name("solver", name, [*solvers.names(), *training.names()])
    valid = [option for option in inspect.signature(training.load_agent).parameters if option != "name"]
    for option in options:
        if option not in valid:
            raise unknown_name(f"option of {name}", option, valid)
    return training.load_agent(name, **options)


def module_of(name: str) -> str:
    """Return the module that defines what is called ``name``, a solver or a trained agent."""
    return registry.module_of(name) if name in solvers.names() else AGENTS


def default_solvers() -> tuple[str, ...]:
    """Return the names of the solvers and agents that a comparison has if none are named."""
    installed = importlib.util.find_spec("onnxruntime") is not None
    learned = (name for name in HEADLINE if installed and name in training.names())
    return ("exact", "asc-plus", "asc", *learned, "randas")


def default_agents() -> tuple[str, ...]:
    """Return the trained agents among them, where they are shipped and can be run."""
    return tuple(name for name in default_solvers() if name not in solvers.names())
