"""The tables of an exhibit, in Markdown: our numbers beside the paper's, agreement and differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eval.experiments.secure.printed import EXHIBITS, HEADLINE, contradictions
from eval.experiments.secure.results import BOUND, FIRST, TELLING, Pair, Reproduced, SchemeResult
from eval.stats.formatting import NONE, percent, tabulated, with_unit
from eval.stats.paired import over_seeds, performance_profile
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean, spread

LIMITS = (1e-6, 1e-3, 1e-2, 1e-1)
"""Gaps to the bound whose shares the table of the learners shows."""


def markdown(shown: Reproduced) -> str:
    """Return the section of an exhibit."""
    exhibit = shown.exhibit
    parts = [f"## {exhibit.title}", _means(shown), _compared(shown), _draws(shown), _agreement(shown)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _means(shown: Reproduced) -> str:
    """Return the table of means, ours beside the paper's."""
    exhibit = shown.exhibit
    reference = exhibit.reference
    rows = [
        {
            exhibit.symbol: f"{result.value:g}",
            "scheme": result.label,
            "paper": NONE if result.printed is None else f"{result.printed.value:g} J",
            "ours": with_unit(result.mean, "J"),
            "median": with_unit(Interval(result.median, math.nan, math.nan, 1), "J"),
            "ours / paper": _factor(_scaled(result.mean, 1 / result.printed.value)) if result.printed else NONE,
            "feasible": _feasible(result),
            f"less than {reference}, paper": NONE if not result.printed_saving else f"{result.printed_saving.text} %",
            f"less than {reference}, ours": NONE if result.saving is None else percent(result.saving),
        }
        for result in shown.results
    ]
    return tabulated(rows)


def _compared(shown: Reproduced) -> str:
    """Return the table of paired comparisons with :data:`FIRST`."""
    rows = [
        {
            shown.exhibit.symbol: f"{result.value:g}",
            "scheme": result.label,
            f"mean / that of {FIRST}": _factor(result.ratio),
            f"needs more than {FIRST}": percent(result.larger),
            "Cliff's δ": f"{result.delta:+.2f}",
        }
        for result in shown.results
        if result.ratio is not None and result.larger is not None and result.delta is not None
    ]
    return tabulated(rows) if rows else ""


def _draws(shown: Reproduced) -> str:
    """Return on which draws the figures are, and which schemes are infeasible where."""
    symbol = shown.exhibit.symbol
    counts = ", ".join(f"{common} of {size} at {symbol} = {value:g}" for value, (common, size) in shown.draws.items())
    lines = [
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over the draws that every scheme of the value solved "
        f"feasibly: {counts}. Ratios, savings and the share of the draws on which a scheme needs more (a tie is half "
        "of one) are paired, on the same draws."
    ]
    if any(result.seeds > 1 for result in shown.results):
        lines.append(
            "Of trained agents with several seeds the mean is the interquartile mean over the seeds, with an interval "
            "over seeds and draws; paired figures are of the mean over the seeds on each draw."
        )
    for scheme in dict.fromkeys(result.scheme for result in shown.results):
        short = [r for r in shown.results if r.scheme == scheme and r.feasible < r.attempts]
        if short:
            where = ", ".join(f"{e.attempts - e.feasible} of {e.attempts} at {symbol} = {e.value:g}" for e in short)
            ever = any(result.feasible for result in shown.results if result.scheme == scheme)
            lines.append(
                f"{short[0].label}: {'not' if ever else 'never'} feasible ({where}); the first: {short[0].note}."
            )
        if faulty := [r for r in shown.results if r.scheme == scheme and r.faults]:
            counts = "; ".join(f"{r.faults} at {symbol} = {r.value:g}" for r in faulty)
            lines.append(f"{faulty[0].label}: replies that could not be used: {counts}.")
    return "\n\n".join(lines)


def _agreement(shown: Reproduced) -> str:
    """Return agreement and differences by the intervals, their reasons, and contradictions within the paper."""
    judged = [result for result in shown.results if result.sign is not None]
    lines = _verdicts(shown, judged) + _why(shown, [result for result in judged if result.sign])
    if twice := contradictions(shown.exhibit, list(EXHIBITS.values())):
        lines.append(f"**The paper against itself.** {'; '.join(twice)}.")
    return "\n\n".join(lines + _headline(shown))


def _verdicts(shown: Reproduced, judged: Sequence[SchemeResult]) -> list[str]:
    """Return the agreement of means and orders, and their differences."""
    if not judged:
        return [f"**Agreement.** Nothing can be said: it takes at least {TELLING} draws that every scheme solved."]
    inside, outside = [e for e in judged if e.sign == 0], [e for e in judged if e.sign]
    held, swapped, level = (
        [p for p in shown.pairs if p.verdict == verdict] for verdict in ("held", "reversed", "open")
    )
    agrees = [f"{len(inside)} of the {len(judged)} printed means lie in our intervals{_listed(shown, inside)}"]
    if shown.pairs:
        agrees.append(f"{len(held)} of the {len(shown.pairs)} orders of two schemes that it prints hold here too")
    differs = []
    if outside:
        differs.append(f"Means outside: {len(outside)}{_listed(shown, outside, factor=True)}.")
    if swapped:
        differs.append(f"Orders reversed: {len(swapped)} ({_orders(shown, swapped)}).")
    if level:
        differs.append(f"Orders not told apart: {len(level)} ({_orders(shown, level)}).")
    return [f"**Agrees.** {'; '.join(agrees)}.", f"**Does not.** {' '.join(differs) or 'Nothing.'}"]


def _why(shown: Reproduced, outside: Sequence[SchemeResult]) -> list[str]:
    """Return the reasons for the means outside and for the orders that do not hold; those without a reason too."""
    means, lines = set(outside), []
    others = [pair for pair in shown.pairs if pair.verdict != "held"]
    orders = set(others)
    for reason in shown.exhibit.reasons:
        about = [e for e in outside if reason.explains(e.scheme, e.value, e.sign or 0)]
        pairs = [p for p in others if reason.explains_order(p.better, p.worse, p.value)]
        means -= set(about)
        orders -= set(pairs)
        subjects = _subjects(shown, about) if about else _orders(shown, pairs)
        if about or pairs:
            lines.append(f"- {subjects}: {reason.text}")
    if means:
        lines.append(f"- {_subjects(shown, [e for e in outside if e in means])}: not explained.")
    if orders:
        lines.append(f"- {_orders(shown, [p for p in others if p in orders])}: not explained.")
    return ["**Why.**", "\n".join(lines)] if lines else []


def _headline(shown: Reproduced) -> list[str]:
    """Return our number beside the claim of the abstract, in the exhibit of that claim."""
    name, scheme, value, printed = HEADLINE
    result = shown.of(scheme, value)
    if shown.exhibit.name != name or result is None or result.saving is None:
        return []
    own = _scaled(result.saving, 100)
    low, high = printed.bounds
    verdict = "its interval holds that" if own.low <= high and own.high >= low else "its interval does not hold that"
    if math.isnan(own.low):
        verdict = "too few draws for an interval"
    reference = shown.exhibit.reference
    return [
        f"**The headline.** The paper's {printed.text} % is what {scheme} needs less than {reference} at "
        f"{shown.exhibit.symbol} = {value:g}. Here it is {percent(result.saving)}: {verdict}."
    ]


def learners(gaps: Mapping[str, np.ndarray]) -> str:
    """Return the section on the trained agents in the typical case: gaps (seeds, draws) to the bound, and profiles."""
    rows = []
    for name, values in gaps.items():
        mean = over_seeds(values) if len(values) > 1 else bootstrap_mean(values[np.isfinite(values)])
        profile = performance_profile(values, LIMITS)
        rows.append(
            {
                "scheme": name,
                "seeds": str(len(values)),
                "gap to the bound": percent(mean),
                **{f"gap ≤ {100 * limit:g} %": percent(share) for limit, share in zip(LIMITS, profile, strict=True)},
            }
        )
    size = next(iter(gaps.values())).shape[1]
    return (
        "## Trained agents in the typical case\n\n"
        f"{tabulated(rows)}\n\n"
        f"Energy over the certified bound on {size} draws, of feasible decisions: the mean, and of trained agents with "
        "several seeds the interquartile mean over the seeds. Then performance profiles: the share of all draws (and "
        f"seeds) on which the gap is at most so much. {CONFIDENCE:.0%} bootstrap intervals, over seeds too.\n"
    )


def figures(shown: Reproduced) -> list[dict[str, Any]]:
    """Return the tables' figures as rows of a CSV file; J, and shares as fractions."""
    return [
        {
            shown.exhibit.varies: result.value,
            "scheme": result.label,
            "printed_j": result.printed.value if result.printed else math.nan,
            **spread("mean_j", result.mean),
            "median_j": result.median,
            "draws": shown.draws[result.value][0],
            "feasible": result.feasible,
            "attempts": result.attempts,
            "seeds": result.seeds,
            "saving_printed": float(result.printed_saving.text) / 100 if result.printed_saving else math.nan,
            **spread("saving", result.saving),
            **spread(f"ratio_to_{FIRST}", result.ratio),
            **spread(f"larger_than_{FIRST}", result.larger),
            "cliffs_delta": math.nan if result.delta is None else result.delta,
        }
        for result in shown.results
    ]


def _factor(interval: Interval) -> str:
    """Return an interval of factors, which may be of any size: ``1.040 [1.021, 1.063]``."""
    if math.isnan(interval.mean):
        return NONE
    form = ".3f" if 0.01 <= abs(interval.mean) < 1000 else ".3g"
    if math.isnan(interval.low) or interval.low == interval.high:
        return f"{interval.mean:{form}}"
    return f"{interval.mean:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(interval.mean * factor, interval.low * factor, interval.high * factor, interval.size)


def _feasible(result: SchemeResult) -> str:
    if result.scheme == BOUND:
        return NONE
    return f"{result.feasible}/{result.attempts} ({result.feasible / result.attempts:.0%})"


def _listed(shown: Reproduced, results: Sequence[SchemeResult], factor: bool = False) -> str:
    """Return results in brackets: `` (asc at N = 30 × 0.98, …)``."""
    named = [
        f"{e.scheme} at {shown.exhibit.symbol} = {e.value:g}"
        + (f" × {e.mean.mean / e.printed.value:.3g}" if factor and e.printed is not None else "")
        for e in results
    ]
    return f" ({', '.join(named)})" if named else ""


def _subjects(shown: Reproduced, results: Sequence[SchemeResult]) -> str:
    """Return results by scheme: ``asc, ga at N = 30 and 50``, apart where the values differ."""
    values: dict[tuple[float, ...], list[str]] = {}
    for scheme in dict.fromkeys(result.scheme for result in results):
        values.setdefault(tuple(e.value for e in results if e.scheme == scheme), []).append(scheme)
    symbol = shown.exhibit.symbol
    return "; ".join(f"{', '.join(schemes)} at {symbol} = {_join(at)}" for at, schemes in values.items())


def _orders(shown: Reproduced, pairs: Sequence[Pair]) -> str:
    """Return pairs with their values: ``asc before law at N = 30 and 50``."""
    values: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        values.setdefault((pair.better, pair.worse), []).append(pair.value)
    symbol = shown.exhibit.symbol
    return ", ".join(f"{one} before {other} at {symbol} = {_join(at)}" for (one, other), at in values.items())


def _join(values: Iterable[float]) -> str:
    texts = [f"{value:g}" for value in values]
    return " and ".join(([", ".join(texts[:-1])] if len(texts) > 1 else []) + texts[-1:])
