"""GenAINet's power control: the worth of messages, beside DPC, the certified optimum and the second paper.

:class:`PowerGames` is the paper's Table 2 with any games, and with a language model in the place of the stand-in;
:class:`PaperPowerGames` is Table 2 and Figs 7 and 8 as `secagent reproduce` prints them, and
:class:`GamePage` a page on which a person steps through one game.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from eval.compare.convergence import check_picture
from eval.experiments.genainet_power.cells import FUNCTION, TEAMS
from eval.experiments.genainet_power.page import save_page
from eval.experiments.genainet_power.picture import rounds_figure
from eval.experiments.genainet_power.printed import CURVES, TABLE_2
from eval.experiments.genainet_power.results import GAMES, Course, courses_of
from eval.experiments.genainet_power.tables import ROUNDS as FIGURES
from eval.experiments.genainet_power.tables import figure_table, markdown
from eval.experiments.options import endpoint_texts, option, options_of
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.pictures import save_figure, save_picture
from eval.sweep.answers import costs
from eval.sweep.cells import Cell
from eval.sweep.grid import Grid, number_of
from secagent_env.power_control import sample_game
from secagent_env.power_control.match import ROUNDS
from secagent_env.support.secrets import check_written
from solvers.genainet import GenAINet

SEED = 1
"""Of the games; the stand-in's rules were chosen on seed 0."""


@dataclass(frozen=True)
class PowerGames(Experiment):
    """Teams of GenAINet's agents and other methods on the same games: what messages between agents are worth.

    In ``infeasible`` games targets cannot all be reached, and DPC does not converge. The options of ``model`` are those
    of :class:`solvers.genainet.GenAINet` that name a language model.
    """

    name: ClassVar[str] = "genainet"
    unit: ClassVar[str] = "games"

    pairs: Sequence[int] = option(tuple(TABLE_2), "default: %(default)s", "N")
    draws: int = option(1000, "games of each number of pairs; default: %(default)s")
    games: str = option("infeasible", "which games; default: %(default)s", flag="--of", choices=list(GAMES))
    rounds: int = option(ROUNDS, "default: %(default)s")
    seed: int = option(SEED, "of the games; default: %(default)s")
    model: Mapping[str, Any] = endpoint_texts()
    picture: Path | None = option(None, "draw the rounds of 4 pairs: .png, .pdf, .svg", "FILE")

    def __post_init__(self) -> None:
        if self.picture is not None:
            check_picture(self.picture)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options of the experiment, and those of the page."""
        super().add_arguments(parser)
        parser.add_argument(
            "--page", type=Path, metavar="FILE", help="write an HTML page of one game, and nothing else"
        )
        parser.add_argument("--organisation", default="distributed", help="of the page's game; default: %(default)s")

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Experiment:
        """Return the experiment that parsed options describe: with ``--page`` a :class:`GamePage`."""
        games = cls(**options_of(cls, args))
        if args.page is None:
            return games
        num_pairs = CURVES if games.pairs == tuple(TABLE_2) else games.pairs[0]
        team = GenAINet(**games.model, organisation=args.organisation)
        return GamePage(args.page, team, num_pairs, games.seed, games.rounds, games.games)

    def cells(self) -> Grid:
        """Return the games of all teams, game by game.

        Raises ValueError if an option is out of range.
        """
        draws = number_of("the number of games", self.draws)
        for num_pairs in self.pairs:
            sample_game(num_pairs, self.seed, (0,))
        check_written(self.model)
        for team in TEAMS.values():
            GenAINet(**{**self.model, **team})
        options = {"rounds": self.rounds, "feasible": GAMES[self.games], "model": dict(self.model)}
        games = (
            Cell(FUNCTION, self.name, team, num_pairs, self.seed, options=options, paid=costs(self.model))
            for num_pairs in self.pairs
            for team in TEAMS
        )
        return Grid(games, draws)

    def courses(self, compute: Compute) -> list[Course]:
        """Return the courses of all methods on the same games."""
        frame = compute(self.cells())
        return courses_of(frame, self.pairs, self.draws, self.seed, self.rounds, GAMES[self.games])

    def report(self, compute: Compute) -> Report:
        """Return the table, and draw the rounds into the picture's own file."""
        courses = self.courses(compute)
        if self.picture is not None:
            shown = CURVES if CURVES in self.pairs else self.pairs[0]
            save_picture(rounds_figure([c for c in courses if c.num_pairs == shown and c.played]), self.picture)
        return Report(markdown(courses, self.games))


@dataclass(frozen=True)
class PaperPowerGames(PowerGames):
    """The second paper's Table 2 and Figs 7 and 8; ``exhibits`` are those that are shown."""

    exhibits: Sequence[str] = ("genainet-table2", *FIGURES)

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that the options of `secagent reproduce` describe."""
        pairs = tuple(TABLE_2) if "genainet-table2" in args.experiments else (CURVES,)
        return cls(pairs, args.instances, seed=SEED + args.seed, exhibits=args.experiments)

    def report(self, compute: Compute) -> Report:
        """Return a section for each exhibit, and the picture of the figures."""
        courses = self.courses(compute)
        shown = [course for course in courses if course.num_pairs == CURVES]
        sections = []
        if "genainet-table2" in self.exhibits:
            sections.append(f"## GenAINet, Table 2: power control\n\n{markdown(courses)}")
        figures = [name for name in FIGURES if name in self.exhibits]
        sections += [figure_table(name, shown) for name in figures]
        draw = (lambda path: save_figure(rounds_figure(shown), path)) if figures else None
        return Report("\n".join(sections), draw=draw)


@dataclass(frozen=True)
class GamePage(Experiment):
    """The page of one game that a team plays, an HTML file."""

    name: ClassVar[str] = "genainet-page"
    path: Path
    team: GenAINet
    num_pairs: int = CURVES
    seed: int = SEED
    rounds: int = ROUNDS
    games: str = "infeasible"

    def report(self, compute: Compute) -> Report:
        """Play the game and write its page."""
        game = sample_game(self.num_pairs, self.seed, (1,), feasible=GAMES[self.games])[0]
        save_page(self.team.play(game, self.rounds, self.seed), self.path)
        return Report()
