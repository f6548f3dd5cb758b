"""The tables of power control, in Markdown: courses at their ends and round by round, beside the second paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.experiments.genainet_power.printed import CURVES, MESSAGES, TABLE_2
from eval.experiments.genainet_power.results import REFERENCE, Course, by_pairs
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import paired_ratio
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean

KINDS = {
    "infeasible": "not all targets can be reached",
    "feasible": "all targets can be reached",
    "all": "as they are drawn",
}
ROUNDS = {
    "genainet-fig7": ("rate_gap", "Fig. 7: absolute rate gap, bit/s/Hz", 3),
    "genainet-fig8": ("total_power_w", "Fig. 8: total power, W", 1),
}
"""By figure: the field of courses that it shows, its title, and the decimals of its numbers."""


def markdown(courses: Sequence[Course], games: str = "infeasible") -> str:
    """Return the table of courses at their ends, with the paper's figures below those of the same number of pairs.

    ``games`` is their kind; the paper reports on infeasible ones alone.
    """
    lines: list[list[str]] = []
    for num_pairs, own in by_pairs(courses).items():
        [reference] = [course for course in own if course.method == REFERENCE]
        lines += [_row(course, reference) for course in own]
        for method, (kbps, watt) in TABLE_2.get(num_pairs, {}).items() if games == "infeasible" else ():
            messages = MESSAGES[num_pairs] if method == "GenAINet" else NONE
            lines.append(
                [str(num_pairs), f"paper: {method}", f"{kbps} kbps", NONE, f"{watt:.1f}", NONE, NONE, messages]
            )
    headers = [
        *("pairs", "method", "absolute rate gap, bit/s/Hz", "gap beside DPC's", "total power, W", "power beside DPC's"),
        *("least share of a target SINR", "messages per transmitter (proposals)"),
    ]
    draws = courses[0].rate_gap.shape[1] if courses else 0
    faults = sum(course.faults for course in courses)
    note = (
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over {draws} games ({KINDS[games]}), the same for every "
        f"method; ratios are of means over the same games. (no LLM): rules stand in for a model. "
        f"Unusable replies: {faults}."
    )
    return "\n\n".join([tabulated(lines, headers), note, *_troubles(courses), *_worth_of_messages(courses)]) + "\n"


def figure_table(name: str, courses: Sequence[Course]) -> str:
    """Return the section of the paper's Fig. 7 or 8: the means of every round, by method."""
    column, title, decimals = ROUNDS[name]
    lines = [[method, *(decimal(mean, decimals) for mean in means)] for method, means in rounds_table(courses, column)]
    headers = ["method", *(f"round {number}" for number in range(len(lines[0]) - 1))]
    return f"## GenAINet, {title}, {CURVES} pairs\n\n{tabulated(lines, headers)}\n"


def rounds_table(courses: Sequence[Course], column: str) -> list[tuple[str, list[Interval]]]:
    """Return, by method, the mean of ``rate_gap`` or ``total_power_w`` in each round: the paper's Figs 7 and 8."""
    return [(course.method, [bootstrap_mean(values) for values in getattr(course, column)]) for course in courses]


def decimal(interval: Interval, decimals: int) -> str:
    """Return an interval with so many decimals: ``1.234 [1.200, 1.260]``."""
    mean, low, high = (f"{value:.{decimals}f}" for value in (interval.mean, interval.low, interval.high))
    return mean if np.isnan(interval.low) or low == high else f"{mean} [{low}, {high}]"


def _troubles(courses: Sequence[Course]) -> list[str]:
    """Return sentences on the replies that could not be used."""
    sentences = []
    for course in courses:
        name, games = f"{course.num_pairs} pairs, {course.method}", len(course.share)
        if course.unplayed:
            sentences.append(f"{name}: in {course.unplayed} of {games} games, the first with: {course.trouble}.")
        if course.kinds:
            sentences.append(f"{name}: replies that could not be used: {course.kinds}.")
    return ["  \n".join(sentences)] if sentences else []


def _worth_of_messages(courses: Sequence[Course]) -> list[str]:
    """Return a sentence for each number of pairs on the same agents with and without messages."""
    sentences = []
    for num_pairs, own in by_pairs(courses).items():
        deaf = next((course for course in own if "without messages" in course.method), None)
        talking = deaf and next((c for c in own if c.method == deaf.method.replace(" without messages", "")), None)
        if deaf and talking and deaf.played and talking.played:
            gap, power = beside(talking, deaf)
            sentences.append(
                f"{num_pairs} pairs: with messages, {gap} of the gap without them, at {power} of the power."
            )
    return ["  \n".join(sentences)] if sentences else []


def beside(course: Course, reference: Course) -> tuple[str, str]:
    """Return the rate gap and the total power at the end, relative to those of another course."""
    return (
        percent(paired_ratio(course.rate_gap[-1], reference.rate_gap[-1])),
        percent(paired_ratio(course.total_power_w[-1], reference.total_power_w[-1])),
    )


def _row(course: Course, reference: Course) -> list[str]:
    if not course.played:
        return [str(course.num_pairs), course.method, *[NONE] * 6]
    gap, power = (bootstrap_mean(values[-1]) for values in (course.rate_gap, course.total_power_w))
    gap_beside, power_beside = (NONE, NONE) if course is reference else beside(course, reference)
    written = NONE
    if course.messages is not None and course.proposals is not None:
        written = f"{course.messages.mean():.2f} ({course.proposals.mean():.2f})"
    share = percent(bootstrap_mean(course.share))
    numbers = [decimal(gap, 4), gap_beside, decimal(power, 2), power_beside, share, written]
    return [str(course.num_pairs), course.method, *numbers]
