"""The batteries of the agents, as a strip below the picture and as lines below the text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env.rendering import style
from secagent_env.rendering.text import BAR, table
from secagent_env.support.units import plural, quantity

_HEIGHT = 140


@dataclass(frozen=True)
class Batteries:
    """The charge of batteries now and at the start, (N,), J, and the number of tasks served."""

    left_j: np.ndarray
    initial_j: np.ndarray
    served: int

    @property
    def headline(self) -> str:
        """The remaining charge, in one line."""
        left, initial = (quantity(np.sum(energy), "J") for energy in (self.left_j, self.initial_j))
        return f"{plural(self.served, 'task')} served · batteries hold {left} of {initial}"

    def ansi(self) -> str:
        """Return the batteries as text."""
        share = self.left_j / np.maximum(self.initial_j, 1e-300)
        bars = (f"{'█' * round(BAR / 2 * s)}{'░' * (BAR // 2 - round(BAR / 2 * s))}" for s in share)
        entries = (f"{n}: {bar} {quantity(e, 'J')}" for n, (bar, e) in enumerate(zip(bars, self.left_j, strict=True)))
        return "\n".join([self.headline, *table(entries)])

    def rgb_array(self) -> np.ndarray:
        """Return a strip, (140, 1100, 3) uint8: a bar per agent, pale up to its charge at the start."""
        with style.own_style():
            fig = style.new_figure(_HEIGHT)
            agents = np.arange(self.left_j.size)
            axes = fig.add_axes((50 / style.WIDTH, 0.2, 1 - 75 / style.WIDTH, 0.58))
            axes.bar(agents, self.initial_j / 1e3, color=style.FAINT)
            axes.bar(agents, self.left_j / 1e3, color=style.GREEN)
            axes.set_xlim(-0.7, agents.size - 0.3)
            if agents.size <= 60:
                axes.set_xticks(agents)
            axes.set_title(f"{self.headline} (bars in kJ, by agent)", size=9.5, weight="bold", loc="left")
        return style.pixels(fig)
