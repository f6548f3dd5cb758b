"""The page of a game: a person steps through its rounds and sees powers, rates, targets and messages.

One HTML file that needs nothing else. All that agents wrote stands in it as data: as JSON in which nothing can end the
script that holds it, and shown as text, never as markup.
"""

from __future__ import annotations

import html
import json
from importlib import resources
from pathlib import Path
from typing import Any

from secagent_env.power_control.pictures import printable
from secagent_env.support.files import write_text
from solvers.genainet import Play
from solvers.genainet.perception import short
from solvers.genainet.team import Turn

CHARACTERS = 2000
"""Longer texts are cut where they are shown."""


def save_page(play: Play, path: Path) -> None:
    """Write the page of a game that a team has played.

    Raises OSError if the file cannot be written.
    """
    write_text(path, page(play))


def page(play: Play) -> str:
    """Return the page as HTML."""
    template = resources.files("eval.experiments.genainet_power").joinpath("page.html").read_text(encoding="utf-8")
    data = json.dumps(_data(play), allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e")
    before, rest = template.split("{{ title }}")
    middle, after = rest.split("{{ data }}")
    return before + html.escape(play.team) + middle + data.replace("&", "\\u0026") + after


def _data(play: Play) -> dict[str, Any]:
    record = play.record
    rounds: list[dict[str, Any]] = []
    for number in range(len(record.power_w)):
        delivery = record.deliveries[number - 1] if number else None
        dropped = [] if delivery is None else [n for counts in delivery.dropped.values() for n in counts.values()]
        rounds.append(
            {
                "power": [short(value) for value in record.power_w[number]],
                "rate": [short(value) for value in record.rate[number]],
                "turns": [_turn(turn) for turn in play.turns if turn.round == number],
                "dropped": sum(dropped),
            }
        )
    return {
        "team": play.team,
        "agents": record.agents,
        "target": [short(value) for value in record.game.target_rate],
        "maxPower": record.game.max_power_w,
        "lost": dict(play.lost),
        "message": _shown(play.message),
        "rounds": rounds,
    }


def _turn(turn: Turn) -> dict[str, Any]:
    step = turn.step
    said: list[dict[str, str]] = [{"to": _shown(to), "text": _shown(text)} for to, text in turn.orders.items()]
    if step is not None:
        said += [{"to": _shown(to), "text": _shown(text)} for to, text in step.messages.items()]
    return {
        "agent": turn.agent,
        "said": said,
        "why": "" if step is None else _shown(step.explanation),
        "plan": [] if step is None else [_shown(text) for text in step.plan],
        "trouble": _shown(turn.trouble),
    }


def _shown(text: str) -> str:
    text = text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}…"
    return "\n".join(printable(line) for line in text.split("\n"))
