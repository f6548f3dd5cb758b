"""Pictures of networks as SVG, in the page's colours: who computes or jams, and what the beam delivers to whom."""

from __future__ import annotations

from html import escape

import numpy as np

from secagent_env import Decision, Instance
from secagent_env.rendering.view import View
from secagent_env.support.units import level, quantity

SIZE = 360
"""Of a picture, in its own units."""
_MARGIN = 16


def network_svg(instance: Instance, decision: Decision, label: str) -> str:
    """Return a picture of a decision.

    Parameters
    ----------
    instance
        A single one, with positions.
    decision
        Of a scheme on it.
    label
        For readers who do not see it.
    """
    view = View.of(instance, decision, None)
    agents, eves = np.asarray(instance.position_m, float), np.asarray(instance.eve_position_m, float)
    place = _Place(np.concatenate([np.zeros((1, 2)), agents, eves]))
    parts = [_area(place, instance), *_beams(place, view, agents, eves), *_agents(place, view, agents)]
    parts += [_cross(place(at), f"eavesdropper: {level(db)}") for at, db in zip(eves, view.eve_db, strict=True)]
    x, y = place(np.zeros(2))
    parts.append(
        _titled(f'<rect class="station" x="{x - 6:.1f}" y="{y - 6:.1f}" width="12" height="12"/>', "base station")
    )
    told = escape(f"{label}: {view.headline}; {view.roles}")
    return f'<svg class="network" viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="{told}">{"".join(parts)}</svg>'


class _Place:
    """Where in the picture a point in metres is."""

    def __init__(self, points: np.ndarray) -> None:
        self._low, high = points.min(axis=0), points.max(axis=0)
        self._scale = (SIZE - 2 * _MARGIN) / max(float((high - self._low).max()), 1.0)

    def __call__(self, at: np.ndarray) -> tuple[float, float]:
        x, y = (np.asarray(at, float) - self._low) * self._scale
        return _MARGIN + float(x), SIZE - _MARGIN - float(y)


def _area(place: _Place, instance: Instance) -> str:
    (left, right), (bottom, top) = np.array(instance.scenario.area_m, float)
    (x, y), (to_x, to_y) = place(np.array([left, top])), place(np.array([right, bottom]))
    return f'<rect class="area" x="{x:.1f}" y="{y:.1f}" width="{to_x - x:.1f}" height="{to_y - y:.1f}"/>'


def _beams(place: _Place, view: View, agents: np.ndarray, eves: np.ndarray) -> list[str]:
    """Draw the beam to every receiver, the strongest on top."""
    x, y = place(np.zeros(2))
    lines = []
    for kind, ends, levels in (
        ("beam", agents[view.computing], view.sinr_db[view.computing]),
        ("leak", eves, view.eve_db),
    ):
        strength = view.strength(levels)
        for at in np.argsort(strength, kind="stable"):
            to_x, to_y = place(ends[at])
            look = f"stroke-width:{0.8 + 2.4 * strength[at]:.2f};stroke-opacity:{0.3 + 0.6 * strength[at]:.2f}"
            lines.append(
                f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" style="{look}"/>'
            )
    return lines


def _agents(place: _Place, view: View, agents: np.ndarray) -> list[str]:
    jamming, silent = set(view.jamming.tolist()), set(view.silent.tolist())
    weakest = int(view.computing[0]) if view.computing.size else -1
    shapes = []
    for agent, at in enumerate(agents):
        x, y = place(at)
        power = f"sends {quantity(10 ** (view.power_dbm[agent] / 10 - 3), 'W')}"
        if agent in silent:
            shapes.append(
                _titled(f'<circle class="silent" cx="{x:.1f}" cy="{y:.1f}" r="4"/>', f"agent {agent}: silent")
            )
        elif agent in jamming:
            reach = (1.4 + 3.6 * float(np.clip((view.power_dbm[agent] + 100) / 133, 0, 1))) * 5
            shape = f'<circle class="halo" cx="{x:.1f}" cy="{y:.1f}" r="{reach:.1f}"/>'
            shape += f'<path class="jammer" d="M{x:.1f} {y - 6:.1f}l6 11h-12z"/>'
            shapes.append(_titled(shape, f"agent {agent}: jams, {power}"))
        else:
            ring = f'<circle class="weakest" cx="{x:.1f}" cy="{y:.1f}" r="8.5"/>' if agent == weakest else ""
            told = f"agent {agent}: computes, receives {level(view.sinr_db[agent])}, {power}"
            shape = f'{ring}<circle class="computing" cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>'
            shapes.append(_titled(shape, told + ", the weakest" * (agent == weakest)))
    return shapes


def _cross(at: tuple[float, float], title: str) -> str:
    x, y = at
    shape = f'<path class="eavesdropper" d="M{x - 6:.1f} {y - 6:.1f}l12 12m0 -12l-12 12"/>'
    return _titled(shape, title)


def _titled(shape: str, title: str) -> str:
    return f"<g><title>{escape(title)}</title>{shape}</g>"


def _legend() -> str:
    marks = {
        "base station": '<rect class="station" x="-6" y="-6" width="12" height="12"/>',
        "computes": '<circle class="computing" r="5.5"/>',
        "computes, weakest downlink": '<circle class="weakest" r="8"/><circle class="computing" r="5.5"/>',
        "jams (halo: power)": '<path class="jammer" d="M0 -6l6 11h-12z"/>',
        "silent": '<circle class="silent" r="4"/>',
        "eavesdropper": '<path class="eavesdropper" d="M-6 -6l12 12m0 -12l-12 12"/>',
    }
    items = (f'<span><svg viewBox="-9 -9 18 18">{mark}</svg>{name}</span>' for name, mark in marks.items())
    return f'<p class="legend">{"".join(items)}</p>'


LEGEND = _legend()
"""What the marks mean."""
