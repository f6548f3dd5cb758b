r"""Agents that cannot all send in secret, whoever jams: cores, by the linear test of the uplink.

At powers p of everybody, let T = Σ_m g_m p_m + σ² be what the base station hears in total, T_e = Σ_m |h_m,e|² p_m + σ²
what eavesdropper e does, θ_e = T_e / T and r_ne = |h_n,e|² / g_n. In c_n^ul > 0, that is

    g_n / (T − g_n p_n) > |h_n,e|² / (T_e − |h_n,e|² p_n)   for every e,

the own power cancels: agent n sends in secret iff r_ne < θ_e for every e. θ is the mixture Σ_m z_m r_m + z_0 (1, …, 1)
of all agents' ratios and the noise's, with the shares z_m = g_m p_m / T and z_0 = σ² / T of what it hears.
Selected agents do not help each other: with the share ζ of a selection S, ρ_e = max_S r_ne and the mixture θ' of all
others alone,

    ρ_e < θ_e ≤ (1 − ζ) θ'_e + ζ ρ_e   gives   ρ_e < θ'_e.

So S can send in secret at some powers only if a mixture of the ratios outside S and the noise's exceeds ρ. By Farkas'
lemma there is none iff some weights λ ≥ 0 of the eavesdroppers, not all 0, have

    Σ_e λ_e (r_me − ρ_e) ≤ 0    for all m outside S and for the noise.

The agents of S with the ratios ρ_e at λ_e > 0 are a core, at most E of them: no selection that holds them all can send
in secret. The weights come from a linear program; that they prove it is checked on the numbers themselves. Left out are
p ≤ p_max, and that colluding eavesdroppers share what they hear, where each one alone hears less.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from secagent_env import Instance

SAFETY = 1e-9
"""Relative amount by which a sum has to be negative."""


def insecure_core(instance: Instance, selection: np.ndarray) -> np.ndarray | None:
    """Return agents (N,) bool of a selection that cannot all send in secret; None if that is not proved."""
    ratio = instance.gain_eve / np.maximum(instance.bs_gain, 1e-300)[:, None]
    members = np.flatnonzero(selection)
    loudest = members[np.argmax(ratio[members], axis=0)]  # (E,)
    level = ratio[loudest, np.arange(ratio.shape[1])]
    if (level < 1).all():
        return None  # beside noise alone
    weight = _weights(_rows(ratio, level, selection))
    if weight is None:
        return None
    smaller = np.zeros(len(selection), bool)
    smaller[loudest[weight > 0]] = True
    for candidate in (smaller, selection):
        if (_rows(ratio, level, candidate) @ weight <= 0).all():
            return candidate
    return None


def _rows(ratio: np.ndarray, level: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Return (r_me − ρ_e) of the noise and of all agents outside the core, (·, E), larger by the safety, scaled."""
    helpers = np.concatenate([np.ones((1, ratio.shape[1])), ratio[~core]])
    rows = helpers - level + SAFETY * np.maximum(helpers, level)
    return np.asarray(rows / np.abs(rows).max(axis=1, keepdims=True))


def _weights(rows: np.ndarray) -> np.ndarray | None:
    """Return weights (E,) that make every row's sum negative, if any do, as few as a vertex has."""
    eves = rows.shape[1]
    if eves == 1:
        return np.ones(1)
    result = optimize.linprog(
        np.append(np.zeros(eves), 1.0),
        A_ub=np.hstack([rows, -np.ones((len(rows), 1))]),
        b_ub=np.zeros(len(rows)),
        A_eq=np.append(np.ones(eves), 0.0)[None],
        b_eq=[1.0],
        bounds=[*[(0, None)] * eves, (-1, 1)],
    )
    if result.x is None:
        return None
    weight = np.where(result.x[:-1] > 1e-12, result.x[:-1], 0.0)
    return np.asarray(weight / weight.sum())
