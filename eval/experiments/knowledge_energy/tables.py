"""The tables of the frontier, in Markdown: energies by ratio and required accuracy, and advice made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.experiments.knowledge_energy.results import CERTIFIED, Curve, FrontierPoint, best, grouped
from eval.stats.formatting import NONE, percent, tabulated, with_unit
from eval.stats.statistics import Interval

TITLE = "What knowledge is worth in energy"


def markdown(points: Sequence[FrontierPoint], curves: Sequence[Curve]) -> str:
    """Return the report: the curves, the energies at every accuracy and ratio, and advice."""
    setting, tables = _setting(curves), energy_tables(points, curves)
    return f"## {TITLE}\n\n{setting}\n\n{tables}\n### What to do\n\n{advice(points)}\n"


def energy_tables(points: Sequence[FrontierPoint], curves: Sequence[Curve]) -> str:
    """Return the tables by network and curve: the energy of `exact` at every accuracy and ratio."""
    parts = []
    for (network, curve), own in grouped(points, "network", "curve").items():
        exact = [point for point in own if point.scheme == CERTIFIED]
        ratios = sorted({point.ratio for point in exact}, reverse=True)
        accuracy = {ratio: right for each in curves if each.name == curve for ratio, right in each.points}
        headers = ["required", *(f"{ratio:.0%} sent, mean {accuracy[ratio]:.1%}" for ratio in ratios), "best"]
        lines = []
        for (required,), row in grouped(exact, "required").items():
            by_ratio = {point.ratio: point for point in row}
            winner = best(row)
            shown = "nobody can" if winner is None else f"{winner.ratio:.0%}, {with_unit(winner.energy_j, 'J')}"
            lines.append([f"{required:.0%}", *(_shown(by_ratio[ratio]) for ratio in ratios), shown])
        loosest = {point.ratio: point for point in exact if point.required == exact[0].required}
        times = [with_unit(loosest[ratio].downlink_time_s, "s", digits=3) for ratio in ratios]
        lines.append(["downlink takes", *times, ""])
        table = tabulated(lines, headers)
        parts.append(f"### `{network}`, {curve}\n\n{table}\n\n{_schemes(own)}")
    return "\n\n".join(parts) + "\n"


def _shown(point: FrontierPoint) -> str:
    if not point.met:
        return f"{NONE} ({point.feasible}/{point.instances} feasible)"
    if point.ratio == 1 or point.relative is None:
        return with_unit(point.energy_j, "J")
    return percent(point.relative)


def _schemes(own: Sequence[FrontierPoint]) -> str:
    """Return in a sentence how far ASC-plus is from the exact solver, where both are feasible often enough."""
    pairs: dict[tuple[float, float], dict[str, FrontierPoint]] = {}
    for point in own:
        pairs.setdefault((point.ratio, point.required), {})[point.scheme] = point
    far = [
        pair["asc-plus"].energy_j.mean / pair[CERTIFIED].energy_j.mean - 1
        for pair in pairs.values()
        if all(each.met for each in pair.values())
    ]
    if not far:
        return "asc-plus and exact are nowhere feasible often enough to be compared."
    gaps = [pair[CERTIFIED].gap.mean for pair in pairs.values() if pair[CERTIFIED].gap.size]
    return (
        f"exact is proved to be within {max(gaps):.1%} of the optimum, in the mean over networks, everywhere in this "
        f"table; asc-plus needs {100 * np.mean(far):+.1g} % beside it, and {100 * max(far):+.1g} % at most."
    )


def advice(points: Sequence[FrontierPoint]) -> str:
    """Return the best ratio to send in each network, in sentences made of the numbers."""
    sentences = []
    for (network, curve), own in grouped([e for e in points if e.scheme == CERTIFIED], "network", "curve").items():
        for (required,), row in grouped(own, "required").items():
            winner, full = best(row), next(point for point in row if point.ratio == 1)
            if winner is None:
                continue
            if winner.ratio == 1:
                action = "send all of it"
            else:
                saved = "which full knowledge cannot meet" if winner.relative is None else _saved(winner.relative)
                action = f"send {winner.ratio:.0%} of it, {saved}"
            downlink = with_unit(full.downlink_time_s, "s", digits=3)
            sentences.append(f"- `{network}`, {curve}, {required:.0%} required: {action} (all of it takes {downlink}).")
    return "\n".join(sentences)


def _saved(relative: Interval) -> str:
    better = Interval(1 - relative.mean, 1 - relative.high, 1 - relative.low, relative.size)
    return f"which saves {percent(better)} of the energy" if better.low > 0 else "which costs as much within the error"


def _setting(curves: Sequence[Curve]) -> str:
    lines = [
        f"{curve.name}: {', '.join(f'{right:.1%} with {ratio:.0%}' for ratio, right in reversed(curve.points))}"
        + (f" of {with_unit(Interval(curve.bits, np.nan, np.nan, 1), 'bit')}" if curve.bits else "")
        for curve in curves
    ]
    return (
        "Accuracy of the agents in the mean, by the share of the knowledge that is sent. "
        f"{'; '.join(lines)}. All of it is the preset's own D. With less the agents are less accurate, so dearer ones "
        "must be selected to meet what is required; but less has to be sent. Energies are those of `exact`; with "
        "compressed knowledge, relative to all of it on the same networks. Brackets are intervals over networks; to "
        "them come those of the measured accuracies."
    )
