"""The map: places, roles of the agents, and the SINR that the beam delivers to each receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secagent_env.rendering import style
from secagent_env.rendering.view import View
from secagent_env.support.units import spans

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEFT, _TOP, _SIDE = 50, 84, 540
_POINT = 72 / style.DPI  # points per pixel
_LABELLED = 40  # agents at most that get their index on the map


def draw_map(fig: Figure, view: View) -> None:
    """Draw the network in metres, or on a circle where the positions are unknown."""
    agents, eves, known = _positions(view)
    scenario = view.instance.scenario
    areas = [np.array(area, float).T for area in (scenario.area_m, scenario.eve_area_m)] if known else []
    x, y = _square(np.concatenate([np.zeros((1, 2)), agents, eves, *areas]))
    ax = style.pixel_axes(fig, _LEFT, _TOP, _SIDE, _SIDE, xlim=x, ylim=y, aspect="equal")
    if view.outcome is not None:
        note = "lines: the beam to each receiver, coloured by the SINR it delivers (scale at the right)"
        style.pixel_text(fig, _LEFT, _TOP - 10, note, size=8, color=style.DIM)
    if known:
        ax.set_xlabel("x in m", labelpad=1)
        ax.set_ylabel("y in m", labelpad=1)
        _outline(ax, areas[0], style.GREY, fill="#F7F7F7")
        _outline(ax, areas[1], style.RED, fill="none")
    else:
        ax.set_axis_off()
        style.pixel_text(fig, _LEFT, _TOP + 12, "positions unknown: agents in a circle", color=style.DIM)
    count = len(agents)
    radius = 7.0 if count <= _LABELLED else 5.5 if count <= 100 else 4.0
    _links(ax, view, agents, eves)
    _markers(ax, view, agents, eves, radius)
    _labels(ax, view, agents, eves, radius)


def draw_legend(fig: Figure, view: View) -> None:
    """Explain the markers under the map."""
    from matplotlib.lines import Line2D

    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], ls="none", label=label, **look)

    hollow = {"marker": "o", "ms": 7, "mfc": "none", "mec": style.GREY, "mew": 1.2}
    station = entry("base station", marker="s", ms=8, mfc=style.INK, mec="white")
    eavesdropper = entry("eavesdropper", marker="X", ms=9, mfc=style.RED, mec="white")
    roles = [entry("agent", **hollow)]
    if view.outcome is not None:
        roles = [
            entry("computing", marker="o", ms=8, mfc=style.BLUE, mec="white"),
            entry("weakest", marker="o", ms=9, mfc="none", mec=style.INK, mew=1.4),
            entry("jamming (halo: power)", marker="^", ms=8, mfc=style.ORANGE, mec="white"),
            entry("silent", **hollow),
        ]
    fig.legend(
        handles=[station, *roles, eavesdropper],
        loc="center",
        bbox_to_anchor=((_LEFT + _SIDE / 2) / style.WIDTH, 1 - 676 / style.HEIGHT),
        ncols=len(roles) + 2,
        fontsize=7.6,
        frameon=False,
        handletextpad=0.1,
        columnspacing=0.6,
    )


def _positions(view: View) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the agents' and eavesdroppers' positions, and whether they are real ones."""
    instance = view.instance
    if instance.position_m is not None and instance.eve_position_m is not None:
        agents, eves = (np.asarray(p, np.float64) for p in (instance.position_m, instance.eve_position_m))
        return np.clip(agents, -1e9, 1e9), np.clip(eves, -1e9, 1e9), True
    index, others = np.arange(instance.scenario.num_agents), np.arange(instance.scenario.num_eavesdroppers)
    radius = 1 - 0.16 * (index % -(-index.size // 60))  # in as many rings as needed
    angle = 2 * np.pi * (index + 0.5) / index.size
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    spacing = min(0.25, 2 / others.size)
    beside = np.stack([np.full(others.size, 1.35), spacing * (others - others.mean())], axis=-1)
    return ring, beside, False


def _square(points: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the limits of a square around the points, with a margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.56 * max(float(np.max(high - low)), 1.0)
    x, y = (float(middle) for middle in (low + high) / 2)
    return (x - half, x + half), (y - half, y + half)


def _outline(ax: Axes, area: np.ndarray, colour: str, fill: str) -> None:
    from matplotlib.patches import Rectangle

    size = area[1] - area[0]
    if size.any():
        look: dict[str, Any] = {"fc": fill, "ec": colour, "lw": 0.8, "ls": (0, (2, 3)), "zorder": 0}
        ax.add_patch(Rectangle((float(area[0, 0]), float(area[0, 1])), *size.tolist(), **look))


def _links(ax: Axes, view: View, agents: np.ndarray, eves: np.ndarray) -> None:
    """Draw the beam to every receiver, the strongest on top."""
    from matplotlib.collections import LineCollection

    if view.outcome is None:
        return
    thin = 1.0 if view.computing.size <= _LABELLED else 0.6
    for ends, levels, dashes in (
        (agents[view.computing], view.sinr_db[view.computing], "solid"),
        (eves, view.eve_db, (0, (4, 2))),
    ):
        order = np.argsort(levels, kind="stable")
        strength = view.strength(levels[order])
        lines = list(np.stack([np.zeros_like(ends), ends[order]], axis=1))
        colours = style.beam_colours()(strength)
        widths = thin * (0.8 + 2 * strength)
        ax.add_collection(LineCollection(lines, colors=colours, linewidths=widths, linestyles=[dashes], zorder=1))


def _markers(ax: Axes, view: View, agents: np.ndarray, eves: np.ndarray, radius: float) -> None:
    def draw(at: np.ndarray, reach: Any, fill: str, edge: str = "white", lw: float = 0.8, **look: Any) -> None:
        size = (2 * _POINT * reach) ** 2
        ax.scatter(at[:, 0], at[:, 1], s=size, facecolors=fill, edgecolors=edge, lw=lw, **look)

    # From −100 dBm to 2 W the halo grows from a rim to five times the marker.
    power = np.clip((view.power_dbm[view.jamming] + 100) / 133, 0, 1)
    halo = (1.4 + 3.6 * power) * radius
    draw(agents[view.jamming], halo, style.ORANGE, alpha=0.22, lw=0, zorder=2)
    draw(agents[view.silent], radius - 1.5, "white", style.GREY, lw=1.2, zorder=3)
    draw(agents[view.jamming], radius + 1, style.ORANGE, marker="^", zorder=5)
    draw(agents[view.computing], radius, style.BLUE, zorder=6)
    draw(agents[view.computing[:1]], radius + 2, "none", style.INK, lw=1.4, zorder=7)
    draw(eves, 7.3, style.RED, marker="X", zorder=8)
    draw(np.zeros((1, 2)), 7, style.INK, marker="s", zorder=8)


def _labels(ax: Axes, view: View, agents: np.ndarray, eves: np.ndarray, radius: float) -> None:
    """Write names beside the markers, each on the side where it covers least."""
    from matplotlib import patheffects

    names = [(np.zeros(2), "BS", style.INK, 8)]
    for place in np.unique(eves, axis=0):
        here = np.flatnonzero((eves == place).all(axis=1)).tolist()
        names.append((place, f"E{spans(here)}", style.RED, 8))
    if len(agents) <= _LABELLED:
        names += [(place, str(n), style.INK, 7) for n, place in enumerate(agents)]
    scale = _SIDE / (ax.get_xlim()[1] - ax.get_xlim()[0])  # pixels per unit
    window = np.array([ax.get_xlim(), ax.get_ylim()]).T.ravel() * scale
    boxes = _obstacles(view, agents * scale, eves * scale, radius)
    for place, name, colour, size in names:
        half = np.array([0.33 * len(name), 0.45]) * size / _POINT
        middle, box = _best_place(place * scale, half, radius, boxes, window)
        boxes = np.concatenate([boxes, [box]])
        x, y = (middle / scale).tolist()
        text = ax.text(x, y, name, size=size, color=colour, ha="center", va="center", zorder=9)
        text.set_path_effects([patheffects.withStroke(linewidth=2, foreground="white")])


def _obstacles(view: View, agents: np.ndarray, eves: np.ndarray, radius: float) -> np.ndarray:
    """Return what labels should not cover, markers and links, as boxes (x0, y0, x1, y1) in pixels."""
    reach = np.full(len(agents), radius)
    reach[view.computing[:1]] += 3  # the ring around the weakest
    middles, halves = [agents, eves, np.zeros((1, 2))], [reach, np.full(len(eves) + 1, 8.0)]
    if view.outcome is not None:
        steps = np.linspace(0, 1, 120)[:, None, None]
        middles.append((steps * np.concatenate([agents[view.computing], eves])).reshape(-1, 2))
        halves.append(np.full(len(middles[-1]), 1.0))
    middle, half = np.concatenate(middles), np.concatenate(halves)[:, None]
    return np.concatenate([middle - half, middle + half], axis=1)


def _best_place(
    at: np.ndarray, half: np.ndarray, radius: float, boxes: np.ndarray, window: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return middle and box of the place around ``at``, all in pixels, that overlaps least with the boxes."""
    sides = np.array([(1, 0), (0, 1), (0, -1), (-1, 0), (0.8, 0.8), (0.8, -0.8), (-0.8, 0.8), (-0.8, -0.8)])
    middles = at + np.concatenate([sides, 1.4 * sides]) * (radius + 2 + half)
    places = np.concatenate([middles - half, middles + half], axis=1)
    low = np.maximum(places[:, None, :2], boxes[:, :2])
    high = np.minimum(places[:, None, 2:], boxes[:, 2:])
    covered = np.clip(high - low, 0, None).prod(axis=-1).sum(axis=-1)
    outside = (places[:, :2] < window[:2]).any(axis=-1) | (places[:, 2:] > window[2:]).any(axis=-1)
    best = int(np.argmin(np.where(outside, 1e9, covered)))
    return middles[best], places[best]
