"""The Lagrangian relaxation (28) of (26): minimisers (29) at prices of agents (30) and of accuracy (31), corrected."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from solvers.asc.costs import Costs


class Relaxation:
    """The relaxation at separable costs, near α̂ (N,) bool, with the penalty coefficient ρ in units of the mean energy.

    The accuracies are divided by the mean of |Acc_n − Acc_min|, so that both prices are of one size.
    """

    def __init__(self, costs: Costs, auxiliary: np.ndarray, rho: float) -> None:
        self.costs = costs
        self.surplus = costs.surplus / (float(np.abs(costs.surplus).mean()) or 1.0)
        self.penalised = costs.change + rho * (1 - 2 * auxiliary.astype(float))

    def iterates(self, iterations: int) -> Iterator[np.ndarray]:
        """Yield α (N,) bool, the minimisers at prices μ per agent and λ per accuracy, from μ = λ = 0 on."""
        price, accuracy_price = 0.0, 0.0
        for r in range(1, iterations + 1):
            selection = self.minimiser(price, accuracy_price)
            yield selection
            price, accuracy_price = self.prices(
                selection, price, accuracy_price, 1 / (self.costs.required * np.sqrt(r))
            )

    def minimiser(self, price: float, accuracy_price: float) -> np.ndarray:
        """Return α (N,) bool of (29): E_sel − E_jam + ρ (1 − 2 α̂_n) − μ − λ (Acc_n − Acc_min) ≤ 0."""
        return (self.penalised - price - accuracy_price * self.surplus <= 0) & self.costs.allowed

    def prices(self, selection: np.ndarray, price: float, accuracy_price: float, step: float) -> tuple[float, float]:
        """Return μ (30) and λ (31) after a subgradient step: both rise where their constraint is violated."""
        price = max(price + step * (self.costs.required - int(selection.sum())), 0.0)
        return price, max(accuracy_price - step * float(self.surplus[selection].sum()), 0.0)
