"""The picture: a map of the network on the left; SINRs, powers, energies and constraints on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.rendering import style
from secagent_env.rendering.charts import draw_constraints, draw_costs, draw_energies, draw_powers, draw_sinr
from secagent_env.rendering.network_map import draw_legend, draw_map
from secagent_env.rendering.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(
    instance: Instance,
    decision: Decision | None = None,
    outcome: Outcome | None = None,
    reward: float | None = None,
    lacking: str = "",
) -> Figure:
    """Draw a network, and what a decision makes of it, as a matplotlib figure of 1100 × 700 pixels.

    Parameters
    ----------
    instance
        A single instance (no batch dimensions).
    decision
        None draws the network before a decision.
    outcome
        What :func:`~secagent_env.evaluate` returned for the two; None computes it.
    reward
        What the decision earned, which is written beside the roles.
    lacking
        Why the task was not served, besides the model's constraints: the headline says it.

    Raises
    ------
    ImportError
        If matplotlib is missing; the message names the command that installs it.
    ValueError
        If one of them is a batch.
    """
    with style.own_style():
        fig = style.new_figure()
        view = View.of(instance, decision, outcome, reward, lacking)
        colour = style.INK if view.outcome is None else style.GREEN if view.feasible else style.RED
        style.pixel_text(fig, 50, 26, view.headline, size=15, weight="bold", color=colour)
        subtitle = view.size if view.outcome is None else f"{view.size}: {view.roles}"
        style.pixel_text(fig, 50, 51, subtitle, color=style.DIM)
        draw_map(fig, view)
        draw_legend(fig, view)
        for draw in (draw_costs,) if view.outcome is None else (draw_sinr, draw_powers):
            draw(fig, view)
        draw_energies(fig, view)
        draw_constraints(fig, view)
    return fig


def rgb_array(
    instance: Instance,
    decision: Decision | None = None,
    outcome: Outcome | None = None,
    reward: float | None = None,
    lacking: str = "",
) -> np.ndarray:
    """Return the pixels of :func:`figure`, (700, 1100, 3) uint8."""
    return style.pixels(figure(instance, decision, outcome, reward, lacking))
