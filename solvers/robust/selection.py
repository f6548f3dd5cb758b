"""Selections whose uplink is secret with a given probability: without jammers, and beside them.

Without jammers, and with weak senders, agent n is overheard where an eavesdropper hears it better than the base station
does, whoever else is selected. The links of different agents are independent, so that all of a selection are secret
with probability Π (1 − q_n): a linear constraint on the logarithms, and the cheapest such selection an integer program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from secagent_env import Instance
from secagent_env.model.physics import combine_eavesdroppers
from solvers.asc_plus.starts import protected_selection
from solvers.numerics.milp import binary_program
from solvers.robust.pessimism import Pessimist

MARGINS = (0.1, 1.0)
"""By how much the base station hears a sender better, at least: the more, the sooner all is sent."""
SECONDS = 1.0
"""For an integer program."""


def overheard(parts: Iterable[Instance], margin: float) -> np.ndarray:
    """Return the share of draws on which each agent is overheard by somebody, (N,), if it sends weakly and nobody jams.

    It is where an eavesdropper hears it more than 1 / (1 + margin) as well as the base station does.
    """
    share = [
        np.mean(combine_eavesdroppers(part.gain_eve, part.scenario.colluding) * (1 + margin) >= part.bs_gain, axis=0)
        for part in parts
    ]
    return np.asarray(np.mean(share, axis=0))


def safe_selection(instance: Instance, eligible: np.ndarray, risk: np.ndarray, limit: float) -> np.ndarray | None:
    """Return the cheapest selection (N,) bool that meets (13), (15) and 1 − Π (1 − risk_n) ≤ limit; None if none does.

    Parameters
    ----------
    instance
        Of N agents.
    eligible
        (N,) bool, those who may be selected.
    risk
        The probability with which each is overheard, (N,).
    limit
        The probability with which anybody may be.
    """
    usable = eligible & (risk < 1)
    energy = instance.execution_energy_j
    surplus = 1e2 * (instance.accuracy - instance.scenario.min_accuracy)
    safety = np.log1p(-np.where(usable, risk, 0.0)) / -np.log1p(-limit)
    result = binary_program(
        energy / (energy.mean() or 1.0),
        len(energy),
        np.stack([np.ones(len(energy)), surplus, safety]),
        [instance.scenario.required_agents, 0.0, -1.0],
        high=usable.astype(float),
        gap=1e-6,
        seconds=SECONDS,
    )
    return None if result.x is None else np.asarray(result.x > 0.5)


def jammed_selections(pessimist: Pessimist, eligible: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the cheapest selections (N,) bool that jammers can protect, by margin, as the pessimist sees them."""
    network = pessimist.belief.instance
    loud = network.replace(gain_eve=pessimist.loud)
    for margin in MARGINS:
        protected = protected_selection(loud, eligible, margin, jammed=pessimist.quiet, seconds=SECONDS)
        if protected is not None:
            yield protected[0]
