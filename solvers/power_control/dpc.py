"""Distributed power control (Foschini and Miljanic 1993), with powers capped at P_max (Grandhi et al. 1994).

Each pair scales its power by the factor that its SINR lacks, p_i ← min(P_max, p_i γ_i / SINR_i), from its own power,
rate and target alone. With the cap it always converges; where the targets can be reached, to the least powers
that reach them, and where not, some pairs end at P_max, short of their target, which is bought with everybody's
interference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from secagent_env.model.batched import Array, namespace
from secagent_env.power_control import Game, sinr
from secagent_env.power_control.match import ROUNDS
from secagent_env.support.checks import integer
from solvers.power_control.players import agent_index


def dpc(game: Game, rounds: int = ROUNDS) -> Array:
    """Return the powers of all rounds, (R + 1, …, N), W, of one game or a batch of them; first the initial ones.

    Raises
    ------
    ValueError
        If ``rounds`` is not a whole number ≥ 1.
    """
    xp = namespace(game.initial_power_w)
    powers = [game.initial_power_w]
    for _ in range(integer("rounds", rounds, 1)):
        wanted = powers[-1] * game.target_sinr / sinr(game, powers[-1])
        powers.append(xp.where(wanted < game.max_power_w, wanted, xp.full_like(wanted, game.max_power_w)))
    return xp.stack(powers)


class DPC:
    """The same algorithm as a player of one agent, which computes its SINR from the rate that it observes.

    It sends no messages, and leaves the cap to the environment.
    """

    def reset(self, seed: int) -> None:
        """Do nothing: the player is deterministic and has no memory."""

    def act(self, agent: str, observation: Mapping[str, Any]) -> float:
        """Return the power of an agent, W."""
        power, rate = (float(observation[name][0]) for name in ("power", "rate"))
        target = float(observation["targets"][agent_index(agent)])
        present, wanted = np.expm1(np.array([rate, target]) * np.log(2))
        return float(power * wanted / present) if present > 0 else power
