"""``secagent study thoughts``: chain, tree and graph of thoughts with several rewards, at equal numbers of thoughts.

Agents of the power control game plan their powers. Beside the roll-out on the agent's own estimate stand rewards that
take its place: own rates alone, the proposer's opinion, random numbers, and, as a control that no agent can have,
roll-outs on the true channels. It prints the table of ``docs/reasoning.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eval.experiments.genainet_power.results import GAMES
from eval.experiments.options import endpoint_texts, option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import faults_in_words, fixed, tabulated
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, bootstrap_mean, interval_in, spread
from eval.studies.thoughts.cells import FUNCTION, ONE
from eval.studies.thoughts.proposers import LANGUAGE, PROPOSERS
from eval.sweep.answers import costs
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from secagent_env.support.secrets import check_written
from solvers.planning import names
from solvers.planning.players import REWARDS

REFERENCES = {"start": "the first powers", "dpc": "DPC", "optimum": "certified optimum"}
SEED = 11
"""Of the games."""


@dataclass(frozen=True)
class Thoughts(Experiment):
    """Planners, proposers and rewards on the same games.

    The proposer ``language`` is GenAINet's stand-in, or with ``model`` an endpoint.

    Raises
    ------
    ValueError
        If a name is unknown or a number is out of range.
    """

    name: ClassVar[str] = "thoughts"

    games: Sequence[str] = option(("infeasible", "feasible"), "default: %(default)s", flag="--of", nargs="+")
    proposers: Sequence[str] = option(
        tuple(PROPOSERS), f"of these, and {LANGUAGE}; default: %(default)s", "NAME", nargs="+"
    )
    rewards: Sequence[str] = option(REWARDS, "default: all", "NAME", nargs="+")
    pairs: int = option(4, "default: %(default)s", "N")
    draws: int = option(40, "games of each kind (default: %(default)s)", "K")
    rounds: int = option(6, "of each game (default: %(default)s)", "R")
    budget: int = option(8, "thoughts of each plan (default: %(default)s)", "B")
    seed: int = option(SEED, "of the games (default: %(default)s)")
    model: Mapping[str, Any] = endpoint_texts()

    def __post_init__(self) -> None:
        number_of("draws", self.draws, most=MOST_AT_ONCE)
        for name, least in {"pairs": 1, "rounds": 1, "budget": 1, "seed": 0}.items():
            integer(name, getattr(self, name), least)
        for kind, given, valid in (
            ("games", self.games, GAMES),
            ("proposer", self.proposers, (*PROPOSERS, LANGUAGE)),
            ("reward", self.rewards, REWARDS),
        ):
            for name in given:
                check_name(kind, name, valid)
        check_written(self.model)
        if LANGUAGE in self.proposers:
            from solvers.planning.language import PowerThoughts

            PowerThoughts(**self.model)

    def cells(self) -> list[Cell]:
        """Return a cell for each kind of games, planner, proposer and reward, and for the references."""
        found = []
        for kind in self.games:
            found += [self._cell("reference", kind, name, "", "") for name in REFERENCES]
            found += [
                self._cell("plan", kind, planner, proposer, reward)
                for proposer in self.proposers
                for reward in self.rewards
                for planner in (ONE, *names())
            ]
        return found

    def _cell(self, function: str, kind: str, planner: str, proposer: str, reward: str) -> Cell:
        options = {
            "pairs": self.pairs,
            "draws": self.draws,
            "rounds": self.rounds,
            "budget": self.budget,
            "feasible": GAMES[kind],
            "planner": planner,
            "proposer": proposer,
            "reward": reward,
            **({"model": dict(self.model)} if proposer == LANGUAGE else {}),
        }
        label = "/".join(filter(None, (kind, planner, proposer, reward)))
        paid = proposer == LANGUAGE and costs(self.model)
        return Cell(f"{FUNCTION}:{function}", self.name, label, kind, self.seed, options=options, paid=paid)

    def report(self, compute: Compute) -> Report:
        """Return the table, and its rows."""
        cells = self.cells()
        found = compute(cells).to_dict("records")
        ends = [
            {name: np.array(json.loads(row[name]), float) for name in ("reward", "gap", "power_w")} for row in found
        ]
        best = {cell.value: end for cell, end in zip(cells, ends, strict=True) if cell.options["planner"] == "optimum"}
        trees = {
            (cell.value, cell.options["proposer"], cell.options["reward"]): end
            for cell, end in zip(cells, ends, strict=True)
            if cell.options["planner"] == "tree"
        }
        rows = []
        planned = [row for row in found if isinstance(row.get("method"), str)]
        for cell, row, end in zip(cells, found, ends, strict=True):
            planner, proposer, reward = (str(cell.options[name]) for name in ("planner", "proposer", "reward"))
            by = row["method"] if proposer else ""
            tree = trees.get((cell.value, proposer, reward), end)
            rows.append(
                {"games": cell.value, "proposer": by, "reward": reward, "planner": planner, "draws": self.draws}
                | spread("intent", bootstrap_mean(end["reward"]))
                | spread("beside_optimum", paired_difference(end["reward"], best[cell.value]["reward"]))
                | spread("beside_tree", paired_difference(end["reward"], tree["reward"]))
                | spread("gap", bootstrap_mean(end["gap"]))
                | spread("power_w", bootstrap_mean(end["power_w"]))
            )
        kinds = faults_in_words([row["kinds"] for row in planned])
        trouble = f"\nReplies that could not be used: {kinds}.\n" if kinds else ""
        return Report(markdown(rows) + trouble, rows)


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the rows, in Markdown."""
    lines = []
    for row in rows:
        reference = row["planner"] in REFERENCES
        lines.append(
            [
                row["games"],
                "–" if reference else row["proposer"],
                "–" if reference else row["reward"],
                REFERENCES.get(row["planner"], row["planner"]),
                fixed(interval_in(row, "intent")),
                fixed(interval_in(row, "beside_optimum"), "+.4f"),
                "–" if reference or row["planner"] == "tree" else fixed(interval_in(row, "beside_tree"), "+.4f"),
                fixed(interval_in(row, "gap")),
                fixed(interval_in(row, "power_w"), ".1f"),
            ]
        )
    headers = [
        *("games", "proposer", "reward", "planner", "intent", "less that of the optimum", "less that of the tree"),
        *("rate gap, bit/s/Hz", "total power, W"),
    ]
    note = (
        f"After the last round, means with {CONFIDENCE:.0%} bootstrap intervals over {rows[0]['draws']} games of each "
        f"kind, the same for all; differences are of the same games. The intent is − rate gap − 0.1 × the share of all "
        f"power: more is better. The certified optimum reaches all targets with the least power, or the largest common "
        f"share of them; it is no bound on the intent. True channels: a control that no agent can have."
    )
    return f"{tabulated(lines, headers)}\n\n{note}\n"
