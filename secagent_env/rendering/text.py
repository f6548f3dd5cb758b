"""The text panel: the same content as the picture in at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.rendering.view import Constraint, View
from secagent_env.support.units import level, quantity, spans

COLUMNS = 100
BAR = 20


def ansi(
    instance: Instance,
    decision: Decision | None = None,
    outcome: Outcome | None = None,
    reward: float | None = None,
    lacking: str = "",
) -> str:
    """Return a text panel of a network, and of what a decision makes of it.

    The arguments are those of :func:`~secagent_env.rendering.figure`.
    """
    view = View.of(instance, decision, outcome, reward, lacking)
    size = view.size if view.outcome is None else f"{view.size}: {view.roles}"
    lines = [view.headline, size, "", "constraints", *map(_constraint, view.constraints)]
    if view.outcome is None:
        costs = zip(view.instance.execution_energy_j, view.instance.accuracy, strict=True)
        agents = (f"{n}: {quantity(e, 'J')}, {quantity(a, '')}" for n, (e, a) in enumerate(costs))
        return "\n".join([*lines, "", "agents (execution energy, accuracy)", *table(agents)])
    lines.append(f"  {'':<14}latency = {view.times}")
    lines += ["", "energy"]
    for part in ("execution", "transmission"):
        lines.append(f"  {part:<14}{quantity(getattr(view.outcome, f'{part}_energy_j'), 'J')}")
    lines += ["", "downlink", f"  {view.downlink}", f"  secrecy rate {view.secrecy}", "", "agents"]
    power = [level(p, "dBm") for p in view.power_dbm]
    senders = (f"{n}: {power[n]}, SINR {level(view.sinr_db[n])}" for n in view.computing)
    jammers = (f"{n}: {power[n]}" for n in view.jamming)
    lines += [f"  computing ({view.computing.size}, weakest first)", *table(senders)]
    if view.exposed.any():
        lost = sorted(view.computing[view.exposed].tolist())
        lines += [f"  of these without secrecy on the uplink ({len(lost)})", *_wrap(spans(lost))]
    lines += [f"  jamming ({view.jamming.size})", *table(jammers)]
    lines += [f"  silent ({view.silent.size})", *_wrap(spans(view.silent.tolist()))]
    return "\n".join(lines)


def _constraint(row: Constraint) -> str:
    filled = round(BAR * min(row.ratio, 1.0))
    verdict = "" if row.value is None else "VIOLATED" if row.violated else "ok"
    return f"  {row.name:<14}{'█' * filled}{'░' * (BAR - filled)}  {row!s:<28}{verdict}".rstrip()


def table(entries: Iterable[str]) -> list[str]:
    """Return the entries in as many equal columns as fit."""
    entries = list(entries)
    width = max(map(len, entries), default=0) + 3
    across = max(1, (COLUMNS - 4) // width)
    rows = (entries[i : i + across] for i in range(0, len(entries), across))
    return ["    " + "".join(f"{entry:<{width}}" for entry in row).rstrip() for row in rows]


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent="    ", subsequent_indent="    ")
