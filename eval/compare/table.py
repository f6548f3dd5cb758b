"""What people read: the table of a comparison, in Markdown, and the summary of a solution."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eval.compare.rows import LLM
from eval.compare.summary import Summary, common_instances, summarise
from eval.stats.statistics import CONFIDENCE, Interval, share
from secagent_env.support.extras import require
from solvers import Solution

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
NONE = "–"
NOTHING = Interval(math.nan, math.nan, math.nan, 0)


def with_unit(interval: Interval, unit: str, digits: int = 4) -> str:
    """Return an interval with an SI prefix that fits its mean: ``11.57 kJ [11.43, 11.71]``; never in ks."""
    if math.isnan(interval.mean):
        return NONE
    rounded = abs(float(f"{interval.mean:.{digits}g}"))  # so that 999.96 counts as 1000
    highest = 0 if unit == "s" else max(_PREFIXES)
    power = 3 * math.floor(math.log10(rounded) / 3) if 0 < rounded < math.inf else 0
    power = min(max(power, min(_PREFIXES)), highest)
    scaled = rounded / 10.0**power
    decimals = max(0, digits - 1 - math.floor(math.log10(scaled))) if 1 <= scaled < math.inf else digits - 1
    return _join(interval, lambda value: f"{value / 10.0**power:.{decimals}f}", f" {_PREFIXES[power]}{unit}")


def percent(interval: Interval) -> str:
    """Return an interval of fractions in percent: ``103 % [97, 110]``."""
    return _join(interval, lambda value: f"{100 * value:.{3 if abs(value) >= 1e-5 else 1}g}", " %")


def points(interval: Interval) -> str:
    """Return a difference of shares in percentage points: ``+1.2 [+0.3, +2.1] points``."""
    mean, low, high = (100 * value for value in (interval.mean, interval.low, interval.high))
    bounds = "" if np.isnan(low) or low == high else f" [{low:+.1f}, {high:+.1f}]"
    return f"{mean:+.1f}{bounds} points"


def tabulated(lines: Any, headers: Sequence[str] | str = "keys") -> str:
    """Return a table in Markdown: of lines of text and headers, or of columns by their names."""
    return str(require("tabulate", extra="eval").tabulate(lines, headers, tablefmt="github", disable_numparse=True))


def count(interval: Interval) -> str:
    """Return an interval of counts: ``61.5 [58.2, 65.1]``."""
    return _join(interval, lambda value: f"{value:.0f}" if value >= 1000 else f"{value:.3g}", "")


def _join(interval: Interval, text: Callable[[float], str], unit: str) -> str:
    if math.isnan(interval.mean):
        return NONE
    if math.isnan(interval.low) or interval.low == interval.high:
        return f"{text(interval.mean)}{unit}"
    return f"{text(interval.mean)}{unit} [{text(interval.low)}, {text(interval.high)}]"


def markdown(frame: Any) -> str:
    """Return the table of a comparison's rows (a pandas DataFrame): energies, quality and effort, notes."""
    summaries = summarise(frame)
    energies = {
        "solver": [s.solver for s in summaries],
        "feasible": [f"{s.feasible}/{s.instances} ({s.feasible / s.instances:.0%})" for s in summaries],
        **_beliefs(summaries),
        "energy": [with_unit(s.means["energy_j"], "J") for s in summaries],
        "execution": [with_unit(s.means["execution_energy_j"], "J") for s in summaries],
        "transmission": [with_unit(s.means["transmission_energy_j"], "J") for s in summaries],
    }
    quality = {
        "solver": [s.solver for s in summaries],
        "ended as": [", ".join(f"{n} {status}" for status, n in s.endings.items()) for s in summaries],
        **_repaired(summaries),
        "gap to the bound": [percent(s.means["gap"]) for s in summaries],
        "transmission gap": [percent(s.means["transmission_gap"]) for s in summaries],
        "latency": [with_unit(s.means["latency_s"], "s", digits=3) for s in summaries],
        "evaluations": [count(s.means["evaluations"]) for s in summaries],
        **_asked(summaries),
        "time": [with_unit(s.means["seconds"], "s", digits=3) for s in summaries],
    }
    tabulate = require("tabulate", extra="eval").tabulate
    tables = [tabulate(part, headers="keys", tablefmt="github", disable_numparse=True) for part in (energies, quality)]
    return "\n\n".join([*tables, _notes(frame, summaries)]) + "\n"


def _repaired(summaries: Sequence[Summary]) -> dict[str, list[str]]:
    """Return the column that is there only where trained agents are compared."""
    if all(s.repaired is None for s in summaries):
        return {}
    shown = [
        NONE if s.repaired is None else f"{s.repaired}/{s.instances} ({s.repaired / s.instances:.0%})"
        for s in summaries
    ]
    return {"repaired": shown}


def _asked(summaries: Sequence[Summary]) -> dict[str, list[str]]:
    """Return the columns that are there only where a solver asked a language model: per instance."""
    shown = {}
    for column in LLM:
        means = [s.asked.get(column, NOTHING) for s in summaries]
        if any(mean.mean > 0 for mean in means):
            shown[column] = [count(mean) for mean in means]
    return shown


def _beliefs(summaries: Sequence[Summary]) -> dict[str, list[str]]:
    """Return the columns that are there only where decisions were made on estimated channels."""
    known = [
        (s.instances, s.believed, s.outages) for s in summaries if s.believed is not None and s.outages is not None
    ]
    if not known:
        return {}
    return {
        "believed feasible": [
            f"{believed}/{instances} ({believed / instances:.0%})" for instances, believed, _ in known
        ],
        "secrecy outage": [percent(share(outages, believed)) for _, believed, outages in known],
    }


def _notes(frame: Any, summaries: Sequence[Summary]) -> str:
    total = frame["instance"].nunique()
    common = len(common_instances(frame))
    never = [s.solver for s in summaries if not s.feasible]
    who = f"every solver but {', '.join(never)}" if never else "every solver"
    effort = "calls, tokens, evaluations and time" if _asked(summaries) else "evaluations and time"
    notes = [
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over the {common} of {total} instances that {who} "
        f"solved feasibly; {effort} over all {total}.",
    ]
    if not common:
        notes[0] = f"No means: not one of the {total} instances was solved feasibly by every solver."
    if summaries[0].believed is not None:
        notes.append(
            "Decided on estimates of the eavesdroppers' channels, and judged on the true ones; secrecy outage: the "
            f"share of the decisions believed feasible that are not, with its {CONFIDENCE:.0%} Wilson interval."
        )
    for solver, rows in frame[~frame["feasible"].astype(bool)].groupby("solver", sort=False):
        first = rows.iloc[0]
        where = ", ".join(str(i) for i in rows["instance"].head(10)) + (", …" if len(rows) > 10 else "")
        notes.append(
            f"{solver} has no feasible decision for {len(rows)} of {total} (instances {where}); "
            f"the first: {first['status']}, {first['message']}."
        )
    return "\n".join(notes)


def summary(solution: Solution) -> str:
    """Return what a person wants to know of a solution, in a few lines."""

    def quantity(value: Any, unit: str) -> str:
        return with_unit(Interval(float(value), np.nan, np.nan, 1), unit)

    def listed(mask: np.ndarray) -> str:
        return ", ".join(map(str, np.flatnonzero(mask))) or "nobody"

    outcome, decision = solution.outcome, solution.decision
    selected, power = decision.selection, decision.power_w
    violated = {name: outcome.violations[name] for name, beyond in outcome.violated.items() if beyond}
    lines = {
        "status": f"{solution.status}: {solution.message}",
        "energy": f"{quantity(outcome.energy_j, 'J')} = {quantity(outcome.execution_energy_j, 'J')} execution"
        f" + {quantity(outcome.transmission_energy_j, 'J')} transmission",
        "lower bound": f"{quantity(solution.lower_bound_j, 'J')}, gap {solution.gap:.3g}"
        f" (transmission alone {solution.transmission_gap:.3g})",
        "latency": f"{quantity(outcome.latency_s, 's')} = {quantity(outcome.downlink_time_s, 's')} downlink"
        f" + {quantity(outcome.inference_time_s, 's')} inference"
        f" + {quantity(outcome.uplink_time_s, 's')} uplink",
        "violated": ", ".join(f"{name} by {value:.4g}" for name, value in violated.items()) or "nothing",
        "selected": f"{selected.sum()} of {selected.size} agents: {listed(selected)}",
        "jamming": listed(~selected & (power > 0)),
        "effort": f"{solution.evaluations} evaluations in {quantity(solution.wall_time_s, 's')}",
    }
    if solution.usage:
        from eval.compare.conversation import usage

        lines = {"solver": solution.solver, **lines, "asked": usage(solution)}
    return "\n".join(f"{name:<12} {text}" for name, text in lines.items())
