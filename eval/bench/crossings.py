"""Speed of many crossings at once, beside the same one by one: with the rules of intents, from the start to the end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eval.bench.timing import Figure, in_turns, ratio_of, seconds_of, spread
from secagent_env.convoy import CrossingRules, draw
from solvers.convoy.team import Team, play

ALONE = 4
"""How many of the crossings are played one by one in a turn."""


def measure(size: int, repeats: int, share: float) -> Figure:
    """Measure in turns: seconds for each of ``size`` crossings in a batch and one by one, and the ratio."""
    rules, team = CrossingRules(), Team()
    starts = draw(rules, np.random.default_rng(0), size)

    def one_by_one() -> None:
        for i in range(min(ALONE, size)):
            play(rules, team, starts[i : i + 1], seed=i)

    seconds = in_turns({"batch": lambda: play(rules, team, starts), "single": one_by_one}, repeats, share)
    each = {"batch": seconds["batch"] / size, "single": seconds["single"] / min(ALONE, size)}
    return {
        "size": size,
        "per_crossing_s": {name: spread(values) for name, values in each.items()},
        "ratio": spread(each["single"] / each["batch"]),
    }


def report(figures: Figure, table: Callable[[list[list[str]], list[str]], str]) -> str:
    """Return the figures as a paragraph."""
    names = {"single": "one by one", "batch": f"{figures['size']} in a batch"}
    each = figures["per_crossing_s"]
    rows = [[text, seconds_of(each[name]), f"{1 / each[name]['median']:,.0f}"] for name, text in names.items()]
    return (
        "Crossings of four vehicles, whole, with the rules of intents:\n\n"
        + table(rows, ["crossings", "each", "per second"])
        + f"\n\nA batch plays {ratio_of(figures['ratio'], ' times')} as many per second as one by one."
    )
