"""Power control among transmitter–receiver pairs that share a spectrum: the second paper's case study B.

``sample_game`` → ``Game`` → powers → ``rates``; many games at once through the same functions. The environments around
it: :func:`parallel_env`, a PettingZoo ``ParallelEnv`` of one agent per pair, with messages or without, and
``secagent/PowerControl-v0``, a Gymnasium environment of one controller of all powers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secagent_env.power_control.changes import IntentChange, NewTargets
from secagent_env.power_control.feasibility import is_feasible, least_powers
from secagent_env.power_control.game import Game, rates, sinr
from secagent_env.power_control.generator import sample_game
from secagent_env.power_control.match import Match, Record
from secagent_env.power_control.messages import Message
from secagent_env.power_control.metrics import Metric
from secagent_env.support.extras import require

if TYPE_CHECKING:
    from secagent_env.power_control.parallel import PowerControlParallelEnv

__all__ = [
    "Game",
    "IntentChange",
    "Match",
    "Message",
    "Metric",
    "NewTargets",
    "Record",
    "is_feasible",
    "least_powers",
    "parallel_env",
    "rates",
    "sample_game",
    "sinr",
]


def parallel_env(num_pairs: int = 4, rounds: int = 10, talk: bool = True, **options: Any) -> PowerControlParallelEnv:
    """Return the PettingZoo environment.

    The arguments are those of :class:`~secagent_env.power_control.parallel.PowerControlParallelEnv`; the options
    ``metric="rate_gap"``, ``feasible=None``, ``max_power_w=10.0``, ``intent_change=None``, ``targets_seen="all"``,
    ``max_message_length=500``, ``render_mode=None``.

    Raises
    ------
    ImportError
        If PettingZoo is missing; the message names the command that installs it.
    ValueError
        If an argument is out of range.
    """
    require("pettingzoo", "multiagent")
    from secagent_env.power_control.parallel import PowerControlParallelEnv

    return PowerControlParallelEnv(num_pairs, rounds, talk, **options)
