"""The cells of ``secagent study experience``: a season of games with one kind of memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eval.studies.thoughts.proposers import TOLD, proposing, told
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, numbers, returns
from secagent_env.power_control import sample_game
from solvers.experience.learning import Learners
from solvers.planning import make
from solvers.planning.players import PlanningTeam

FUNCTION = "eval.studies.experience.cells:season"


@returns(
    columns(
        **TOLD,
        **dict.fromkeys(("reward", "end", "gap", "power_w", "poison_left"), numbers),
        **dict.fromkeys(("lessons", "forgotten", "bits", "calls", "lost"), count),
    )
)
def season(cell: Cell) -> Row:
    """Return the rewards of a season, in the order in which the games were drawn, and the counts of its memory."""
    options = cell.options
    drawn = sample_game(options["pairs"], cell.seed, (options["games"],), feasible=options["feasible"])
    order = np.arange(options["games"])
    if options["reshuffled"]:
        order = np.random.default_rng([cell.seed, 1]).permutation(order)
    with proposing(cell) as proposer:
        return _played(options, drawn, order, proposer)


def _played(options: Mapping[str, Any], drawn: Any, order: np.ndarray, proposer: Any) -> Row:
    team = PlanningTeam(
        planner=make(options["planner"]),
        proposer=proposer,
        budget=options["budget"],
        reports=options["reports"],
        follow=options["follow"],
    )
    learners = Learners(team=team, kind=options["kind"], poisoned=options["poisoned"], level=options["level"])
    played = learners.play([drawn[int(i)] for i in order], options["rounds"], [int(i) for i in order])
    back = np.argsort(order)
    return {
        **told(proposer),
        **{name: getattr(played, name)[back] for name in ("reward", "end", "gap", "power_w")},
        "poison_left": played.poison_left,
        **{name: getattr(played, name) for name in ("lessons", "forgotten", "bits", "calls", "lost")},
    }
