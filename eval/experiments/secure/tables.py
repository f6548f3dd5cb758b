"""The tables of the reproduction, in Markdown: ours beside the paper's, and what agrees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eval.experiments.secure.printed import EXPERIMENTS, HEADLINE, Printed, contradictions
from eval.experiments.secure.results import BOUND, FIRST, TELLING, Entry, Pair, Reproduced
from eval.stats.formatting import NONE, percent, tabulated, with_unit
from eval.stats.paired import over_seeds, performance_profile
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean

LIMITS = (1e-6, 1e-3, 1e-2, 1e-1)
"""Gaps to the bound of which the table of the learners tells how often they are kept."""


def markdown(result: Reproduced) -> str:
    """Return the section of an experiment."""
    experiment = result.experiment
    parts = [f"## {experiment.title}", _means(result), _compared(result), _draws(result), _agreement(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _means(result: Reproduced) -> str:
    """Return the table of means, ours beside the paper's."""
    experiment = result.experiment
    reference = experiment.reference
    rows = [
        {
            experiment.symbol: f"{entry.value:g}",
            "scheme": entry.label,
            "paper": _joules(entry.printed),
            "ours": with_unit(entry.mean, "J"),
            "median": with_unit(Interval(entry.median, math.nan, math.nan, 1), "J"),
            "ours / paper": _relative(entry),
            "feasible": _feasible(entry),
            f"less than {reference}, paper": NONE if not entry.printed_saving else f"{entry.printed_saving.text} %",
            f"less than {reference}, ours": NONE if entry.saving is None else percent(entry.saving),
        }
        for entry in result.entries
    ]
    return _table(rows)


def _compared(result: Reproduced) -> str:
    """Return the table of paired comparisons with :data:`FIRST`."""
    rows = [
        {
            result.experiment.symbol: f"{entry.value:g}",
            "scheme": entry.label,
            f"mean / that of {FIRST}": _factor(entry.ratio),
            f"needs more than {FIRST}": percent(entry.larger),
            "Cliff's δ": f"{entry.delta:+.2f}",
        }
        for entry in result.entries
        if entry.ratio is not None and entry.larger is not None and entry.delta is not None
    ]
    return _table(rows) if rows else ""


def _draws(result: Reproduced) -> str:
    """Return what the figures are over, and who is infeasible where."""
    symbol = result.experiment.symbol
    counts = ", ".join(f"{common} of {size} at {symbol} = {value:g}" for value, (common, size) in result.draws.items())
    lines = [
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over the draws that every scheme of the value solved "
        f"feasibly: {counts}. Ratios, savings and the share of the draws on which a scheme needs more (a tie is half "
        "of one) are paired, on the same draws."
    ]
    if any(entry.seeds > 1 for entry in result.entries):
        lines.append(
            "Of trained agents with several seeds the mean is the interquartile mean over the seeds, with an interval "
            "over seeds and draws; paired figures are of the mean over the seeds on each draw."
        )
    for scheme in dict.fromkeys(entry.scheme for entry in result.entries):
        short = [entry for entry in result.entries if entry.scheme == scheme and entry.feasible < entry.attempts]
        if short:
            where = ", ".join(f"{e.attempts - e.feasible} of {e.attempts} at {symbol} = {e.value:g}" for e in short)
            ever = any(entry.feasible for entry in result.entries if entry.scheme == scheme)
            lines.append(
                f"{short[0].label}: {'not' if ever else 'never'} feasible ({where}); the first: {short[0].note}."
            )
    return "\n\n".join(lines)


def _agreement(result: Reproduced) -> str:
    """Return what agrees, what does not, and why, read off the intervals; and where the paper contradicts itself."""
    judged = [entry for entry in result.entries if entry.sign is not None]
    lines = _verdicts(result, judged) + _why(result, [entry for entry in judged if entry.sign])
    if twice := contradictions(result.experiment, list(EXPERIMENTS.values())):
        lines.append(f"**The paper against itself.** {'; '.join(twice)}.")
    return "\n\n".join(lines + _headline(result))


def _verdicts(result: Reproduced, judged: Sequence[Entry]) -> list[str]:
    """Return what agrees and what does not."""
    if not judged:
        return [f"**Agreement.** Nothing can be said: it takes at least {TELLING} draws that every scheme solved."]
    inside, outside = [e for e in judged if e.sign == 0], [e for e in judged if e.sign]
    held, swapped, level = (
        [p for p in result.pairs if p.verdict == verdict] for verdict in ("held", "reversed", "open")
    )
    agrees = [f"{len(inside)} of the {len(judged)} printed means lie in our intervals{_listed(result, inside)}"]
    if result.pairs:
        agrees.append(f"{len(held)} of the {len(result.pairs)} orders of two schemes that it prints hold here too")
    differs = []
    if outside:
        differs.append(f"Means outside: {len(outside)}{_listed(result, outside, factor=True)}.")
    if swapped:
        differs.append(f"Orders reversed: {len(swapped)} ({_orders(result, swapped)}).")
    if level:
        differs.append(f"Orders not told apart: {len(level)} ({_orders(result, level)}).")
    return [f"**Agrees.** {'; '.join(agrees)}.", f"**Does not.** {' '.join(differs) or 'Nothing.'}"]


def _why(result: Reproduced, outside: Sequence[Entry]) -> list[str]:
    """Return the reasons that apply to the means outside and to the orders that do not hold, and what has none."""
    means, lines = set(outside), []
    others = [pair for pair in result.pairs if pair.verdict != "held"]
    orders = set(others)
    for reason in result.experiment.reasons:
        about = [e for e in outside if reason.explains(e.scheme, e.value, e.sign or 0)]
        pairs = [p for p in others if reason.explains_order(p.better, p.worse, p.value)]
        means -= set(about)
        orders -= set(pairs)
        subjects = _subjects(result, about) if about else _orders(result, pairs)
        if about or pairs:
            lines.append(f"- {subjects}: {reason.text}")
    if means:
        lines.append(f"- {_subjects(result, [e for e in outside if e in means])}: not explained.")
    if orders:
        lines.append(f"- {_orders(result, [p for p in others if p in orders])}: not explained.")
    return ["**Why.**", "\n".join(lines)] if lines else []


def _headline(result: Reproduced) -> list[str]:
    """Return what became of the abstract's claim, in the experiment that it is of."""
    name, scheme, value, printed = HEADLINE
    entry = result.of(scheme, value)
    if result.experiment.name != name or entry is None or entry.saving is None:
        return []
    own = _scaled(entry.saving, 100)
    low, high = printed.bounds
    verdict = "its interval holds that" if own.low <= high and own.high >= low else "its interval does not hold that"
    if math.isnan(own.low):
        verdict = "too few draws for an interval"
    reference = result.experiment.reference
    return [
        f"**The headline.** The paper's {printed.text} % is what {scheme} needs less than {reference} at "
        f"{result.experiment.symbol} = {value:g}. Here it is {percent(entry.saving)}: {verdict}."
    ]


def learners(gaps: Mapping[str, np.ndarray]) -> str:
    """Return the section on who selects how well in the typical case: gaps, (seeds, draws), and profiles."""
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
        f"{_table(rows)}\n\n"
        f"Energy over the certified bound on {size} draws, of feasible decisions: the mean, and of trained agents with "
        "several seeds the interquartile mean over the seeds. Then performance profiles: the share of all draws (and "
        f"seeds) on which the gap is at most so much. {CONFIDENCE:.0%} bootstrap intervals, over seeds too.\n"
    )


def figures(result: Reproduced) -> list[dict[str, Any]]:
    """Return the tables' figures as rows of a CSV file; J, and shares as fractions."""
    return [
        {
            result.experiment.varies: entry.value,
            "scheme": entry.label,
            "printed_j": entry.printed.value if entry.printed else math.nan,
            **_spread("mean_j", entry.mean),
            "median_j": entry.median,
            "draws": result.draws[entry.value][0],
            "feasible": entry.feasible,
            "attempts": entry.attempts,
            "seeds": entry.seeds,
            "saving_printed": float(entry.printed_saving.text) / 100 if entry.printed_saving else math.nan,
            **_spread("saving", entry.saving),
            **_spread(f"ratio_to_{FIRST}", entry.ratio),
            **_spread(f"larger_than_{FIRST}", entry.larger),
            "cliffs_delta": math.nan if entry.delta is None else entry.delta,
        }
        for entry in result.entries
    ]


def _spread(name: str, interval: Interval | None) -> dict[str, float]:
    mean, low, high = (math.nan,) * 3 if interval is None else (interval.mean, interval.low, interval.high)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return tabulated(columns)


def _joules(printed: Printed | None) -> str:
    return NONE if printed is None else f"{printed.value:g} J"


def _relative(entry: Entry) -> str:
    if entry.printed is None or math.isnan(entry.mean.mean):
        return NONE
    return _factor(_scaled(entry.mean, 1 / entry.printed.value))


def _factor(interval: Interval) -> str:
    """Return an interval of factors, which may be of any size: ``1.040 [1.021, 1.063]``."""
    form = ".3f" if 0.01 <= abs(interval.mean) < 1000 else ".3g"
    if math.isnan(interval.low) or interval.low == interval.high:
        return f"{interval.mean:{form}}"
    return f"{interval.mean:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(interval.mean * factor, interval.low * factor, interval.high * factor, interval.size)


def _feasible(entry: Entry) -> str:
    if entry.scheme == BOUND:
        return NONE
    return f"{entry.feasible}/{entry.attempts} ({entry.feasible / entry.attempts:.0%})"


def _listed(result: Reproduced, entries: Sequence[Entry], factor: bool = False) -> str:
    """Return entries in brackets: `` (asc at N = 30 × 0.98, …)``."""
    named = [
        f"{e.scheme} at {result.experiment.symbol} = {e.value:g}"
        + (f" × {e.mean.mean / e.printed.value:.3g}" if factor and e.printed is not None else "")
        for e in entries
    ]
    return f" ({', '.join(named)})" if named else ""


def _subjects(result: Reproduced, entries: Sequence[Entry]) -> str:
    """Return what a reason is about: ``asc, ga at N = 30 and 50``, apart where the values differ."""
    values: dict[tuple[float, ...], list[str]] = {}
    for scheme in dict.fromkeys(entry.scheme for entry in entries):
        values.setdefault(tuple(e.value for e in entries if e.scheme == scheme), []).append(scheme)
    symbol = result.experiment.symbol
    return "; ".join(f"{', '.join(schemes)} at {symbol} = {_join(found)}" for found, schemes in values.items())


def _orders(result: Reproduced, pairs: Sequence[Pair]) -> str:
    """Return pairs with the values at which they are: ``asc before law at N = 30 and 50``."""
    values: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        values.setdefault((pair.better, pair.worse), []).append(pair.value)
    symbol = result.experiment.symbol
    return ", ".join(f"{one} before {other} at {symbol} = {_join(found)}" for (one, other), found in values.items())


def _join(values: Iterable[float]) -> str:
    texts = [f"{value:g}" for value in values]
    return " and ".join(([", ".join(texts[:-1])] if len(texts) > 1 else []) + texts[-1:])
