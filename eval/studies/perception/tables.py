"""The tables of ``secagent study perception``, from its rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.statistics import CONFIDENCE, Interval
from secagent_env.radio_scenes.conditions import SEEN_SETS, SETS
from solvers.perception.message import OVERHEAD_BITS

GROUPS = ("seen", "unseen")
"""Of channel models, and of sets of conditions."""
RESAMPLES = 1000
IN_WORDS = {
    "sentences": "encoder, sentences",
    "labels": "encoder, class labels as text",
    "untrained": "encoder, untrained",
    "true set in template sentences": "(the true set, in the vectors of template sentences)",
}
REFERENCE = "none: the true set is known"
"""Rates are told beside those of decisions from the true set."""


def flags_of(text: str) -> np.ndarray:
    """Return the truth values in a text of 0 and 1 after a letter."""
    return np.array([int(one) for one in text[1:]])


def of_seen_sets(each: int, scenes: int) -> np.ndarray:
    """Return which of the scenes of a row, so many for each set in each channel model, are of sets of the training."""
    once = np.repeat([one in SEEN_SETS for one in SETS], each)
    return np.tile(once, scenes // len(once))


def pooled(rows: Any, column: str, seen_sets: bool | None = None) -> np.ndarray:
    """Return the values of all scenes of some rows, in the order of the rows; of seen or unseen sets, or (None) all."""
    parts = []
    for row in rows.to_dict("records"):
        values = np.array(json.loads(row[column])) if column == "rate" else flags_of(row[column])
        chosen = of_seen_sets(int(row["each"]), len(values))
        parts.append(values if seen_sets is None else values[chosen == seen_sets])
    return np.concatenate(parts) if parts else np.empty(0)


def markdown(frame: Any) -> str:
    """Return all tables."""
    return "\n".join([retrieval(frame), sensors(frame), bits(frame)])


def retrieval(frame: Any) -> str:
    """Return the table of sentences found: by phrasing, channel models, and sets of conditions."""
    rows = frame[frame["table"] == "retrieval"]
    lines = []
    for phrasing in dict.fromkeys(rows["phrasing"]):
        for who in dict.fromkeys(rows[rows["phrasing"] == phrasing]["who"]):
            mine = rows[(rows["phrasing"] == phrasing) & (rows["who"] == who)]
            line = [phrasing or NONE, IN_WORDS.get(who, who)]
            for channels in GROUPS:
                some = mine[mine["channels"] == channels]
                for combinations in GROUPS:
                    wanted = combinations == "seen"
                    figures = [_mean(pooled(some, column, wanted)) for column in ("exact1", "exact5", "covers1")]
                    line.append(f"{percent(figures[0])}; {_plain(figures[1])}; {_plain(figures[2])}")
            lines.append(line)
    headers = ["sentences", "who", *(f"{channels} channels, {sets} sets" for channels in GROUPS for sets in GROUPS)]
    counts = [f"{len(flags_of(rows[rows['channels'] == group]['exact1'].iloc[0]))} in {group}" for group in GROUPS]
    note = (
        f"Recall at 1 with its {CONFIDENCE:.0%} bootstrap interval; recall at 5; the first sentence covers the scene. "
        "Right is a sentence whose set of conditions equals that of the scene. Classifiers and the nearest neighbour "
        f"name sets themselves, and need no sentence. Scenes: {' and '.join(counts)} channel models."
    )
    return f"{tabulated(lines, headers)}\n\n{note}\n"


def sensors(frame: Any) -> str:
    """Return the table of sensors that see halves of the band."""
    rows = frame[frame["table"] == "sensors"]
    whole = rows[rows["who"] == "whole band"]
    lines = []
    for who in dict.fromkeys(rows["who"]):
        mine = rows[rows["who"] == who]
        lost = _mean(pooled(mine, "rate") - pooled(whole, "rate")) if who != "whole band" else None
        exact = [_mean(pooled(mine, column)) for column in ("exact1", "exact5")]
        lines.append([who, percent(exact[0]), percent(exact[1]), _rate(_mean(pooled(mine, "rate"))), _signed(lost)])
    headers = ["sensors", "recall at 1", "recall at 5", "rate of the decision, bit/s/Hz", "against the whole band"]
    note = "Sentences written by hand; all channel models and sets; intervals by bootstrap over the scenes."
    return f"{tabulated(lines, headers)}\n\n{note}\n"


def bits_table(frame: Any) -> list[tuple[str, int, Interval, Interval]]:
    """Return for each thing sent its bits, its mean rate, and the difference to the rate with the true set known."""
    rows = frame[frame["table"] == "bits"]
    reference = pooled(rows[rows["who"] == REFERENCE], "rate")
    found = []
    for who in dict.fromkeys(rows["who"]):
        mine = rows[rows["who"] == who]
        values = pooled(mine, "rate")
        found.append((who, int(float(mine["bits"].iloc[0])), _mean(values), _mean(values - reference)))
    return found


def bits(frame: Any) -> str:
    """Return the table of bits and rates."""
    lines = [
        [who, f"{count:,}" if count else NONE, _rate(rate), _signed(lost)]
        for who, count, rate, lost in bits_table(frame)
    ]
    headers = ["sent", "bits", "rate of the decision, bit/s/Hz", "against the true set"]
    note = (
        "All channel models and sets. Bits are those of whole messages, of which header and checksum are "
        f"{OVERHEAD_BITS}."
    )
    return f"{tabulated(lines, headers)}\n\n{note}\n"


def _mean(values: np.ndarray) -> Interval:
    """Return the mean with its percentile bootstrap interval.

    Of shares, the means of resamples are binomial draws, which are cheap. The values are too many for BCa intervals.
    """
    if not len(values):
        return Interval(np.nan, np.nan, np.nan, 0)
    rng, mean, size = np.random.default_rng(0), float(np.mean(values)), len(values)
    if np.isin(values, (0, 1)).all():
        means = rng.binomial(size, mean, RESAMPLES) / size
    else:
        means = np.array([values[rng.integers(size, size=size)].mean() for _ in range(RESAMPLES)])
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(mean, float(low), float(high), size)


def _plain(interval: Interval) -> str:
    return NONE if np.isnan(interval.mean) else f"{100 * interval.mean:.0f} %"


def _rate(interval: Interval) -> str:
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _signed(interval: Interval | None) -> str:
    return NONE if interval is None else f"{interval.mean:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"
