"""What an agent can simulate: its estimate of the network, from rates that were observed or reported.

Nobody knows the channels. With its power p_j and rate r_j of a round, pair j gives one equation,
p_j / SINR_j = (σ² + Σ_{k≠j} |h_kj|² p_k) / |h_jj|², which is linear in the unknown σ² / |h_jj|² and |h_kj|² / |h_jj|².
As many rounds as pairs, at different powers, tell them all; before that a prior that all gains are alike fills in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env.power_control import Game, sinr

RIDGE = 1e-4
"""The weight of the prior, beside relative squares of the equations' errors."""
LEAST = 1e-3
"""Estimates of σ² / |h_jj|² are at least this, so that gains stay finite."""
STEADY = 0.05
"""The weight of the prior that others keep their powers."""
_LN2 = np.log(2.0)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A model of the network and of the others in it.

    Attributes
    ----------
    game
        The gains as they are estimated, with a noise of 1, and the present powers as initial ones.
    response
        e in [0, 1]: the others take p_k ← p_k (γ_k / SINR_k)^e in every round; 0: they keep their powers.
    """

    game: Game
    response: float

    def after(self, agent: int, power_w: np.ndarray, rounds: int) -> np.ndarray:
        """Return the powers (rounds, C, N), W, of the next rounds, where an agent takes each of C powers and keeps it.

        In each round the others answer what they saw in the round before.
        """
        game = self.game
        power = np.broadcast_to(game.initial_power_w, (len(power_w), game.num_pairs))
        courses = []
        for _ in range(rounds):
            answer = power * (game.target_sinr / np.maximum(sinr(game, power), 1e-12)) ** self.response
            power = np.clip(answer, 0.0, game.max_power_w)
            power[:, agent] = power_w
            courses.append(power)
        return np.stack(courses)


def estimate(power_w: np.ndarray, rate: np.ndarray, target_rate: np.ndarray, max_power_w: float) -> Estimate:
    """Return the model that fits powers (T, N), W, and rates (T, N), bit/s/Hz, of T rounds, the present one last.

    A pair's round without a power and a rate > 0 is left out; NaN stands for what was not reported.
    """
    rounds, n = power_w.shape
    known = np.isfinite(power_w).all(axis=1)
    own = np.expm1(rate * _LN2)
    usable = known[:, None] & np.isfinite(rate) & (own > 0) & (power_w > 0)
    needed = np.where(usable, power_w, 1.0) / np.where(usable, own, 1.0)  # p / SINR
    seen = np.where(known[:, None], power_w, 0.0)
    design = np.concatenate([np.ones((rounds, 1)), seen], axis=1)  # (T, 1 + N): the noise, then the powers
    rows = np.broadcast_to(design[:, None, :], (rounds, n, n + 1)).copy()
    rows[:, np.arange(n), 1 + np.arange(n)] = 0.0
    rows *= np.where(usable, 1 / needed, 0.0)[..., None]
    normal = np.einsum("tji,tjk->jik", rows, rows) + RIDGE * np.eye(n + 1)
    goal = np.einsum("tji,tj->ji", rows, usable.astype(float)) + RIDGE
    ratios = np.linalg.solve(normal, goal[..., None])[..., 0]  # (N, 1 + N)
    noise, cross = np.maximum(ratios[:, 0], LEAST), np.maximum(ratios[:, 1:], 0.0)
    cross[np.arange(n), np.arange(n)] = 1.0
    last = np.clip(np.where(np.isfinite(power_w[-1]), power_w[-1], max_power_w / 2), 1e-6, max_power_w)
    gain = np.ascontiguousarray((cross / noise[:, None]).T)
    game = Game._trusted(gain=gain, target_rate=target_rate, initial_power_w=last, max_power_w=max_power_w)
    return Estimate(game, _response(power_w, own, game.target_sinr))


def _response(power_w: np.ndarray, own: np.ndarray, target: np.ndarray) -> float:
    """Return the exponent with which powers followed what the SINRs (T, N) lacked, from 0 to 1."""
    before, after, had = power_w[:-1], power_w[1:], own[:-1]
    fine = (before > 0) & (after > 0) & (had > 0)  # False for NaN
    lack = np.log(np.broadcast_to(target, had.shape)[fine] / had[fine])
    step = np.log(after[fine] / before[fine])
    return float(np.clip(lack @ step / (lack @ lack + STEADY), 0.0, 1.0))
