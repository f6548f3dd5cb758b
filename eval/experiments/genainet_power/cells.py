"""Games of power control that teams of GenAINet's agents play, one per cell."""

from __future__ import annotations

from typing import Any

from eval.sweep.answers import with_answers
from eval.sweep.cells import UNFINISHED, Cell, Row
from eval.sweep.promises import columns, count, counts, flag, numbers, returns, text
from secagent_env.power_control import sample_game
from secagent_env.sampling.seeds import instance_generator
from solvers.genainet import GenAINet
from solvers.llm.structured import faults_of

FUNCTION = "eval.experiments.genainet_power.cells:play"
TEAMS: dict[str, dict[str, Any]] = {
    "alone": {"talk": False},
    "without messages": {"delivery": False},
    "talking": {},
    "led": {"organisation": "hierarchical"},
}
"""Options of the team of each scheme."""


@returns(
    columns(
        method=text,
        power_w=numbers,
        **dict.fromkeys(("messages", "proposals", "faults", "used"), count),
        kinds=counts,
        trouble=text,
        unfinished=flag,
    )
)
def play(cell: Cell) -> Row:
    """Return the row of a cell: the powers of every round, (R + 1, N), W, the counts of messages, and what was wrong.

    ``faults`` counts the replies that could not be used, ``kinds`` by kind, ``used`` those that could; ``trouble`` says
    why the conversation ended early, so that the game is ``unfinished``, or why no reply could be used.
    """
    options = cell.options
    game = sample_game(cell.value, instance_generator(cell.seed, cell.index), feasible=options["feasible"])
    team = GenAINet(**{**with_answers(cell, options["model"]), **TEAMS[cell.scheme]})
    played = team.play(game, options["rounds"], cell.seed + cell.index)
    return {
        "method": team.name,
        "power_w": played.record.power_w.tolist(),
        "messages": played.messages_per_transmitter,
        "proposals": played.proposals_per_transmitter,
        "faults": sum(bool(turn.trouble) for turn in played.turns),
        "kinds": faults_of(played.usage),
        "used": played.used,
        "trouble": played.message,
        UNFINISHED: played.usage["unfinished"],
    }
