"""Vehicles at a crossing: they see little round the corners, and may talk over a shared radio channel.

:func:`parallel_env` is the PettingZoo environment; :class:`~secagent_env.convoy.crossing.Crossings` runs thousands of
crossings at once. Rules that play it are in ``solvers.convoy``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secagent_env.convoy.crossing import Actions, Crossings, Start, draw, results
from secagent_env.convoy.messages import LEVELS, Message, decode, encode
from secagent_env.convoy.rules import CrossingRules
from secagent_env.convoy.views import View, observations, view_of
from secagent_env.support.extras import require

if TYPE_CHECKING:
    from secagent_env.convoy.parallel import ConvoyParallelEnv

__all__ = [
    "LEVELS",
    "Actions",
    "CrossingRules",
    "Crossings",
    "Message",
    "Start",
    "View",
    "decode",
    "draw",
    "encode",
    "observations",
    "parallel_env",
    "results",
    "view_of",
]


def parallel_env(render_mode: str | None = None, **arguments: Any) -> ConvoyParallelEnv:
    """Return the PettingZoo environment; the arguments are those of :class:`CrossingRules`.

    Raises
    ------
    ImportError
        If PettingZoo is missing; the message names the command that installs it.
    ValueError
        If an argument is out of range.
    """
    require("pettingzoo", "multiagent")
    from secagent_env.convoy.parallel import ConvoyParallelEnv

    return ConvoyParallelEnv(render_mode=render_mode, **arguments)
