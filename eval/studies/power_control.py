"""Power control on random games: what methods leave of the rate gap, and at what power, beside the second paper.

``python -m eval.studies.power_control --pairs 2 4 10 --draws 1000`` prints the tables of ``docs/power-control.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.bench.power_control import measure, report
from eval.stats.formatting import percent, tabulated
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from secagent_env.power_control import Game, rates, sample_game, sinr
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.metrics import rate_gap, total_power
from secagent_env.support.files import write_text
from solvers.power_control import dpc, optimum

TABLE = "power-control.md"

METHODS: dict[str, Callable[[Game, int], np.ndarray]] = {
    "initial": lambda game, rounds: game.initial_power_w,
    "dpc": lambda game, rounds: dpc(game, rounds)[-1],
    "optimum": lambda game, rounds: optimum(game).power_w,
}
"""By name: what gives the powers (B, N), W, after so many rounds of a batch of games (B)."""

DRAWS = {"infeasible": False, "feasible": True, "all": None}

PAPER = {
    2: {"DPC": (1.747, 16.536), "GenAI alone": (1.625, 8.842), "GenAINet": (1.397, 10.700)},
    4: {"DPC": (2.086, 28.254), "GenAI alone": (1.967, 17.156), "GenAINet": (1.736, 15.974)},
    10: {"DPC": (2.433, 76.785), "GenAI alone": (2.403, 34.696), "GenAINet": (2.249, 30.622)},
}
"""The second paper's Table 2: by N and method, absolute rate gap in kbps and total power in W."""


@dataclass(frozen=True, eq=False)
class Result:
    """What a method left of a batch of games.

    Attributes
    ----------
    num_pairs, method
        N, and which method.
    rate_gap
        (B,): mean over the pairs of |target − rate|, bit/s/Hz.
    total_power_w
        (B,), W.
    share
        (B,): the least SINR / target SINR among the pairs.
    """

    num_pairs: int
    method: str
    rate_gap: np.ndarray
    total_power_w: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, method: str, game: Game, power_w: np.ndarray) -> Result:
        """Return the result of powers (B, N), W, in games (B)."""
        rate = rates(game, power_w)
        share = np.min(sinr(game, power_w) / game.target_sinr, axis=-1)
        return cls(game.num_pairs, method, rate_gap(game, power_w, rate), total_power(game, power_w, rate), share)


def run(
    pairs: Iterable[int], draws: int, seed: int, rounds: int = ROUNDS, feasible: bool | None = False
) -> list[Result]:
    """Return the results of every method on the same games, ``draws`` of each number of pairs."""
    results = []
    for num_pairs in pairs:
        game = sample_game(num_pairs, seed, (draws,), feasible=feasible)
        results += [Result.of(name, game, method(game, rounds)) for name, method in METHODS.items()]
    return results


def markdown(results: Sequence[Result], *, paper: bool = True) -> str:
    """Return the table of results, with the paper's figures below those of the same number of pairs."""
    lines: list[list[str]] = []
    by_pairs: dict[int, list[Result]] = {}
    for result in results:
        by_pairs.setdefault(result.num_pairs, []).append(result)
    for num_pairs, found in by_pairs.items():
        for result in found:
            gap, power = (bootstrap_mean(values) for values in (result.rate_gap, result.total_power_w))
            share = bootstrap_mean(result.share)
            lines.append([str(num_pairs), result.method, _number(gap, 4), _number(power, 2), percent(share)])
        for method, (kbps, watt) in PAPER.get(num_pairs, {}).items() if paper else ():
            lines.append([str(num_pairs), f"paper: {method}", f"{kbps} kbps", f"{watt:.1f}", "–"])
    headers = ["pairs", "method", "absolute rate gap, bit/s/Hz", "total power, W", "least share of a target SINR"]
    draws = len(results[0].rate_gap) if results else 0
    note = f"Means with {CONFIDENCE:.0%} bootstrap intervals over {draws} games, the same for every method."
    return f"{_github(lines, headers)}\n\n{note}\n"


def _github(lines: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return tabulated(lines, headers)


def _number(interval: Interval, decimals: int) -> str:
    mean, low, high = (f"{value:.{decimals}f}" for value in (interval.mean, interval.low, interval.high))
    return mean if np.isnan(interval.low) or low == high else f"{mean} [{low}, {high}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare methods, print the table, and write it; or measure the environments' speed."""
    parser = argparse.ArgumentParser(prog="python -m eval.studies.power_control", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", nargs="+", type=int, default=list(PAPER), metavar="N", help="default: 2 4 10")
    parser.add_argument("--draws", type=int, default=1000, help="games of each number of pairs; default: 1000")
    parser.add_argument("--of", choices=list(DRAWS), default="infeasible", help="which games; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--speed", action="store_true", help="measure how fast many games run at once, instead")
    parser.add_argument("--out", type=Path, default=Path("results"), help="default: results")
    options = parser.parse_args(arguments)
    if options.draws < 1:
        parser.error(f"--draws must be at least 1, got {options.draws}")
    if options.speed:
        print(report([measure(num_pairs) for num_pairs in options.pairs], _github))
        return
    try:
        results = run(options.pairs, options.draws, options.seed, options.rounds, DRAWS[options.of])
    except ValueError as error:
        parser.error(str(error))
    table = markdown(results, paper=options.of == "infeasible")  # the only games that the paper tells of
    print(table, end="")
    options.out.mkdir(parents=True, exist_ok=True)
    write_text(options.out / TABLE, table)


if __name__ == "__main__":
    main()
