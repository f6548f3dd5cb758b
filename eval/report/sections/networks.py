"""The section of pictures of networks: who computes or jams, and what the beam delivers to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.compare.looks import looks
from eval.report.data.comparisons import Compared
from eval.report.data.recompute import Solved
from eval.report.sections.parts import Section
from eval.stats.formatting import with_unit
from eval.stats.statistics import Interval
from secagent_env import Decision, Instance
from secagent_env.rendering.view import View
from secagent_env.support.units import level, quantity

SIZE = 360
"""Of a picture, in its own units."""
_MARGIN = 16

Point = tuple[float, float]


def network_section(solved: Sequence[Solved], compared: Compared) -> Section:
    """Return the pictures of a few networks."""
    look = looks(one.scheme for one in solved)
    networks: dict[int, list[Any]] = {}
    for one in solved:
        outcome = one.solution.outcome
        energy = with_unit(Interval(float(outcome.energy_j), np.nan, np.nan, 1), "J")
        verdict = f"feasible, {energy}" if outcome.feasible else "infeasible"
        picture = network_picture(one.instance, one.solution.decision, f"{one.scheme} on network {one.index}")
        networks.setdefault(one.index, []).append((picture, look[one.scheme], one.scheme, verdict))
    lead = (
        f"The first networks of {compared.description}, and who computes in them. Lines are the beam, thicker where "
        "more arrives. Point at a mark to read its figures."
    )
    return Section("networks", "Networks", lead, {"networks": networks})


@dataclass(frozen=True)
class Picture:
    """A picture of a network, in its own units, x to the right and y down.

    Attributes
    ----------
    label
        For readers who do not see it.
    area
        The corners of the area: upper left, lower right.
    station
        Where the base station is.
    beams
        Lines from the base station: "beam" or "leak", end, width and opacity.
    agents
        "silent", "jammer" or "computing"; place, title, and of a jammer the radius of its halo.
    weakest
        The computing agent with the weakest downlink, if there is one.
    eavesdroppers
        Places and titles.
    """

    label: str
    area: tuple[Point, Point]
    station: Point
    beams: list[tuple[str, Point, float, float]]
    agents: list[tuple[str, Point, str, float]]
    weakest: int
    eavesdroppers: list[tuple[Point, str]]
    size: int = SIZE


def network_picture(instance: Instance, decision: Decision, label: str) -> Picture:
    """Return the picture of a decision on an instance with positions; the label is for readers who do not see it."""
    view = View.of(instance, decision, None)
    agents, eves = np.asarray(instance.position_m, float), np.asarray(instance.eve_position_m, float)
    points = np.concatenate([np.zeros((1, 2)), agents, eves])
    lowest = points.min(axis=0)
    scale = (SIZE - 2 * _MARGIN) / max(float((points.max(axis=0) - lowest).max()), 1.0)

    def places(points_m: Any) -> list[Point]:
        return [(_MARGIN + float(x), SIZE - _MARGIN - float(y)) for x, y in (np.asarray(points_m) - lowest) * scale]

    (left, right), (bottom, top) = np.array(instance.scenario.area_m, float)
    upper_left, lower_right, station = places([(left, top), (right, bottom), (0.0, 0.0)])
    computing, heard = view.computing, places(eves)
    weakest = int(computing[0]) if computing.size else -1
    beams = _beam(view, "beam", places(agents[computing]), view.sinr_db[computing])
    marks = [_agent(view, agent, weakest) for agent in range(len(agents))]
    return Picture(
        label=f"{label}: {view.headline}; {view.roles}",
        area=(upper_left, lower_right),
        station=station,
        beams=beams + _beam(view, "leak", heard, view.eve_db),
        agents=[(kind, at, title, halo) for at, (kind, title, halo) in zip(places(agents), marks, strict=True)],
        weakest=weakest,
        eavesdroppers=[(at, f"eavesdropper: {level(db)}") for at, db in zip(heard, view.eve_db, strict=True)],
    )


def _beam(view: View, kind: str, ends: list[Point], levels: np.ndarray) -> list[tuple[str, Point, float, float]]:
    """Return the beam to receivers of a kind, the strongest last, on top."""
    strength = view.strength(levels)
    order = np.argsort(strength, kind="stable")
    return [(kind, ends[at], 0.8 + 2.4 * strength[at], 0.3 + 0.6 * strength[at]) for at in order]


def _agent(view: View, agent: int, weakest: int) -> tuple[str, str, float]:
    """Return the kind of an agent, its title, and of a jammer the radius of its halo."""
    power = f"sends {quantity(10 ** (view.power_dbm[agent] / 10 - 3), 'W')}"
    if agent in view.silent:
        return "silent", f"agent {agent}: silent", 0.0
    if agent in view.jamming:
        halo = (1.4 + 3.6 * float(np.clip((view.power_dbm[agent] + 100) / 133, 0, 1))) * 5
        return "jammer", f"agent {agent}: jams, {power}", halo
    title = f"agent {agent}: computes, receives {level(view.sinr_db[agent])}, {power}"
    return "computing", title + ", the weakest" * (agent == weakest), 0.0
