"""Tables of designs for channels that are not known exactly."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eval.experiments.robust.cells import FRESH
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean, crossed_mean, excess, share, spread

SAFE = "safe"
"""Among the options of a scheme whose designs depend on δ."""
MARGIN = "asc-plus, fixed margin"


class Setting(NamedTuple):
    """A preset, the error variance ε of its estimates, and the outage δ that is allowed."""

    preset: str
    error_variance: float
    outage: float


def chosen_margins(frame: Any, settings: Sequence[Setting]) -> dict[Setting, float]:
    """Return the margin, dB, with which most designs hold on networks of their own, the least one of several."""
    margins: dict[Setting, float] = {}
    for setting in settings:
        rows = _at(_records(frame), setting)
        holding = {
            margin: np.mean([_holds(row, setting.outage) for row in rows if row["margin_db"] == margin])
            for margin in sorted({row["margin_db"] for row in rows})
        }
        margins[setting] = max(holding, key=lambda margin: (holding[margin], -margin))
    return margins


def figures(
    frame: Any,
    fixed: Any,
    settings: Sequence[Setting],
    outages: Sequence[float],
    margins: Mapping[Setting, float],
    schemes: Mapping[str, Sequence[str]],
    truth: str,
) -> list[dict[str, Any]]:
    """Return a row for each setting and scheme; ``schemes`` are the labels of cells by the names of their rows."""
    rows, with_margin = _records(frame), _records(fixed)
    numbers = []
    for setting in settings:
        at = list(outages).index(setting.outage)
        here = _at(rows, setting)
        by_scheme = {
            name: [row for row in here if row["scheme"] in labels and row.get("allowed") in (None, setting.outage)]
            for name, labels in schemes.items()
        }
        by_scheme[MARGIN] = [row for row in _at(with_margin, setting) if row["margin_db"] == margins[setting]]
        least = {row["index"]: row["truth"] for row in by_scheme[truth]}
        selected = {row["index"]: row["selection"] for row in by_scheme.get("asc-plus") or here}
        for name in schemes:
            numbers.append(
                {
                    **setting._asdict(),
                    "scheme": name,
                    **_figures(by_scheme[name], setting.outage, at, least, selected),
                    **({"margin_db": margins[setting]} if name == MARGIN else {}),
                }
            )
    return numbers


def _figures(
    rows: Sequence[Mapping[str, Any]],
    outage: float,
    at: int,
    least: Mapping[int, float],
    selected: Mapping[int, str],
) -> dict[str, Any]:
    served = [row for row in rows if row["served"]]
    holding = [row for row in served if _holds(row, outage)]
    priced = [(row["quantiles"][at], row["bound"], least[row["index"]]) for row in holding]
    over = [math.log(energy / bound) for energy, bound, _ in priced if math.isfinite(energy) and bound > 0]
    regret = [math.log(energy / known) for energy, _, known in priced if math.isfinite(energy) and math.isfinite(known)]
    certified = [row["certified"] for row in served if row.get("certified") is not None]
    status = [row["status"] for row in rows]
    trainings = sorted({row["scheme"] for row in rows})
    held = np.array([[_holds(row, outage) for row in rows if row["scheme"] == label] for label in trainings], float)
    return {
        "networks": len(rows),
        "served": len(served),
        "infeasible": status.count("infeasible"),
        "failed": status.count("failed"),
        "holding": len(holding),
        **spread("hold", share(len(holding), len(rows)) if len(trainings) < 2 else crossed_mean(held)),
        "mean_outage": float(np.mean([row["outage"] for row in served])) if served else math.nan,
        "on_truth": sum(math.isfinite(row["truth"]) for row in served),
        **spread("over_bound", excess(bootstrap_mean(over)) if over else None),
        **spread("regret", excess(bootstrap_mean(regret)) if regret else None),
        "certified": max(certified) if certified else None,
        "other_selection": sum(row["selection"] != selected[row["index"]] for row in served),
        "seconds": float(np.median([row["seconds"] for row in rows])) if rows else math.nan,
    }


def _holds(row: Mapping[str, Any], outage: float) -> bool:
    """Return whether a design was found whose outage is as allowed, up to three standard errors of the draws."""
    return bool(row["served"]) and row["outage"] <= outage + 3 * math.sqrt(outage * (1 - outage) / FRESH)


def _records(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame, None where a value is missing."""
    complete = frame.astype(object).where(frame.notna(), None)
    return [{**row, "quantiles": json.loads(row["quantiles"])} for row in complete.to_dict("records")]


def _at(rows: Sequence[dict[str, Any]], setting: Setting) -> list[dict[str, Any]]:
    """Return the rows of a setting's preset and error variance."""
    return [row for row in rows if (row["preset"], row["error_variance"]) == setting[:2]]


def markdown(numbers: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables, one for each setting, in Markdown."""
    parts = []
    for setting in dict.fromkeys(Setting(row["preset"], row["error_variance"], row["outage"]) for row in numbers):
        rows = [row for row in numbers if Setting(row["preset"], row["error_variance"], row["outage"]) == setting]
        lines = [_line(row) for row in rows]
        title = f"**{setting.preset}**, ε = {setting.error_variance:g}, δ = {setting.outage:g}"
        headers = [
            "scheme", "designs", "hold", "mean outage", "hold on the truth", "over the bound", "regret",
            "other agents", "time",
        ]  # fmt: skip
        parts.append(f"{title}\n\n{tabulated(lines, headers)}")
    note = (
        f"Designs: those found; hold: the share of the networks with one whose outage on {FRESH} fresh draws is at "
        "most δ, up to three standard errors; over the bound: the energy that is exceeded with probability δ, over a "
        "bound that no eavesdropper moves, and regret: over the design that knows the truth, geometric means of those "
        f"that hold; intervals: {CONFIDENCE:.0%}. Other agents: than asc-plus selects for the estimate."
    )
    return "\n\n".join([*parts, note]) + "\n"


def _line(row: Mapping[str, Any]) -> list[str]:
    name = row["scheme"] + (f" ({row['margin_db']:g} dB)" if row.get("margin_db") is not None else "")
    found = f"{row['served']}/{row['networks']}"
    apart = [f"{row[kind]} {kind}" for kind in ("infeasible", "failed") if row[kind]]
    return [
        name,
        found + (f" ({', '.join(apart)})" if apart else ""),
        percent(Interval(row["hold"], row["hold_low"], row["hold_high"], row["networks"])),
        NONE if math.isnan(row["mean_outage"]) else f"{row['mean_outage']:.1%}",
        f"{row['on_truth']}/{row['served']}",
        _interval(row, "over_bound"),
        _interval(row, "regret"),
        f"{row['other_selection']}/{row['served']}",
        f"{row['seconds']:.2g} s",
    ]


def _interval(row: Mapping[str, Any], name: str) -> str:
    if row.get(name) is None or math.isnan(row[name]):
        return NONE
    return percent(Interval(row[name], row[f"{name}_low"], row[f"{name}_high"], row["holding"]))
