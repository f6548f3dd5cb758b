"""Agents that learn. So far there are none: :func:`names` is empty.

The package will hold the Stable-Baselines3 bridge, hyperparameters, training runs with checkpoints, and the
trained policies, which solve an Instance as a solver does.
"""

from typing import NoReturn

from secagent_env._errors import unknown_name

__all__ = ["load_agent", "names"]


def names() -> list[str]:
    """Return the names of the trained agents."""
    return []


def load_agent(name: str) -> NoReturn:
    """Return the trained agent called ``name``.

    Raises
    ------
    ValueError
        If there is no such agent; for now, always.
    """
    raise unknown_name("trained agent", name, names())
