"""One crossing of language agents, and of rules from the same start, in a cell."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from eval.studies.convoy.cells import FIGURES, figures
from eval.sweep.answers import with_answers
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, returns, text
from secagent_env.convoy.crossing import draw
from secagent_env.convoy.rules import CrossingRules
from solvers.convoy.language import LanguageTeam, reply
from solvers.llm.chat import Message

FUNCTION = "eval.studies.convoy.cells_language:cross"


@returns(FIGURES | columns(method=text, going=count, agreeing=count, faults=count, trouble=text))
def cross(cell: Cell) -> Row:
    """Return the figures of one crossing, and how many vehicles go first, agree with the stand-in, or lack a reply."""
    rules = CrossingRules()
    starts = draw(rules, np.random.default_rng([cell.seed, 0]), int(cell.options["crossings"]))
    start = starts[cell.index : cell.index + 1]
    team = LanguageTeam(**with_answers(cell, cell.options["model"]))
    crossed = team.cross(rules, start, cell.seed + cell.index)
    return {
        **figures(crossed.crossings),
        "method": team.name,
        "going": crossed.decisions.count("go"),
        "agreeing": sum(map(_agrees, crossed.prompts, crossed.decisions)),
        "faults": sum(map(bool, crossed.troubles)),
        "trouble": next(filter(None, crossed.troubles), ""),
    }


def _agrees(messages: Sequence[Message], decision: str) -> bool:
    return json.loads(reply(messages, 0))["decision"] == decision
