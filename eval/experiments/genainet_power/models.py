"""GenAINet's Table 2 with a real language model: its teams on the same games as the stand-in's and DPC."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from eval.experiments.genainet_power.cells import FUNCTION
from eval.experiments.genainet_power.experiment import SEED
from eval.experiments.genainet_power.results import GAMES, Course, by_pairs, courses_of, courses_of_teams
from eval.experiments.genainet_power.tables import beside, markdown
from eval.experiments.groups import model_of_groups
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import tabulated
from eval.sweep.cells import Cell
from eval.sweep.grid import Chain, Grid, number_of
from secagent_env.power_control import sample_game
from secagent_env.power_control.match import ROUNDS
from solvers.genainet import GenAINet

ORGANISATIONS = ("alone", "talking", "led")
"""The teams that play: each for itself, with messages, and with a commander."""
STAND_IN = ", stand-in"
"""What the experiment's label of the stand-in's games ends with."""


@dataclass(frozen=True)
class ModelPowerGames(Experiment):
    """Table 2 with a language model; the options of ``model`` are those of :class:`solvers.genainet.GenAINet`."""

    name: ClassVar[str] = "genainet-table2-models"
    unit: ClassVar[str] = "games"
    usual_instances: ClassVar[int] = 6

    model: Mapping[str, Any] = field(default_factory=dict)
    draws: int = usual_instances
    pairs: Sequence[int] = (2, 4)
    seed: int = SEED
    rounds: int = ROUNDS

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that the options of `secagent reproduce` describe.

        Raises ValueError if not exactly one model is named.
        """
        return cls(model_of_groups(args.groups, cls.name), args.instances, seed=SEED + args.seed)

    def cells(self) -> Chain:
        """Return the games of the stand-in, and those of the model, game by game.

        Raises ValueError if an option is out of range.
        """
        draws = number_of("the number of games", self.draws)
        GenAINet(**self.model)
        return Chain(Grid(self._games(label, model), draws) for label, model in self._players())

    def _players(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(f"{self.name}{STAND_IN}", {}), (self.name, self.model)]

    def _games(self, label: str, model: Mapping[str, Any]) -> list[Cell]:
        options = {"rounds": self.rounds, "feasible": GAMES["infeasible"], "model": dict(model)}
        return [
            Cell(FUNCTION, label, team, num_pairs, self.seed, options=options, paid=bool(model))
            for num_pairs in self.pairs
            for team in ORGANISATIONS
        ]

    def report(self, compute: Compute) -> Report:
        """Return Table 2 with the model's teams, and what talk and a commander are worth to them."""
        frame = compute(self.cells())
        infeasible, parts = GAMES["infeasible"], []
        courses: list[Course] = []
        for num_pairs in self.pairs:
            ours = frame[frame["experiment"] == f"{self.name}{STAND_IN}"]
            courses += courses_of(ours, [num_pairs], self.draws, self.seed, self.rounds, infeasible, ORGANISATIONS)
            game = sample_game(num_pairs, self.seed, (self.draws,), feasible=infeasible)
            courses += courses_of_teams(frame[frame["experiment"] == self.name], game, ORGANISATIONS)
        parts = [
            f"## GenAINet, Table 2 with a real model\n\n{markdown(courses)}",
            f"### What talk is worth\n\n{_worth(courses)}",
        ]
        return Report("\n".join(parts))


def _worth(courses: Sequence[Course]) -> str:
    """Return the table of gap and power of teams that talk beside those of the same agents alone."""
    lines = []
    for num_pairs, own in by_pairs(courses).items():
        teams = own[-2 * len(ORGANISATIONS) :]
        for alone, *others in (teams[: len(ORGANISATIONS)], teams[len(ORGANISATIONS) :]):
            if alone.played:
                lines += [
                    [str(num_pairs), course.method, alone.method, *beside(course, alone)]
                    for course in others
                    if course.played
                ]
    headers = ["pairs", "team", "beside", "rate gap", "power"]
    return f"{tabulated(lines, headers)}\n\nRatios of means over the same games, with their intervals.\n"
