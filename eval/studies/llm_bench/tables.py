"""The tables of the benchmark, and a sentence for each model, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eval.stats.formatting import NONE, count, faults_in_words, percent, tabulated
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean, share, spread
from eval.studies.law.variants import SEARCH_ALONE, STAND_IN
from eval.studies.llm_bench.ladder import FORMS
from eval.studies.llm_bench.results import Results, Solve, Solves, Versus, groups, over_bound, versus

RIVALS = (STAND_IN, SEARCH_ALONE)
"""The controls that a model has to beat."""

EFFORTS = ("evaluations", "calls")
SHARES = ("valid", "feasible proposals", "own improvements")


def text(results: Results) -> str:
    """Return the tables and the sentences."""
    models = [
        *(f"{sentence(label, own, results)}\n" for label, own in results.models.items()),
        *(
            f"Replies of {label} that could not be used: {told}.\n"
            for label, own in results.models.items()
            if (told := faults_in_words(solve.faults for solves in own.values() for solve in solves if solve.faults))
        ),
    ]
    compared = tabulated(list(_compared(results))) if results.models else "No model is recorded yet."
    return "\n".join([f"{reached(results)}\n", f"{compared}\n", *models])


def reached(results: Results) -> str:
    """Return the table of what every contestant reaches with the calls of the protocol."""
    lines = [line for place in _places(results) for line in _reached(results, place)]
    return (
        f"{tabulated(lines)}\n\nAfter {results.calls} calls at most: means with {CONFIDENCE:.0%} bootstrap intervals "
        "over the networks, and energy over the certified bound as a geometric mean over those with a feasible "
        "decision. Valid: proposals that could be used; own improvements: those that were better than the best "
        "example themselves. Tokens of rules are estimates."
    )


Place = tuple[str, str, str]
"""A step, a view and a form."""


def _places(results: Results) -> list[Place]:
    """Return all groups of tasks, those of the controls first."""
    contestants = [*results.controls.values(), *results.models.values()]
    return list(groups({task: () for solves in contestants for task in solves}))


def _contestants(results: Results, place: Place) -> Iterator[tuple[str, Solves]]:
    """Yield who has solved the tasks of a group, cut to the calls of the protocol."""
    for label, own in {**results.models, **results.controls}.items():
        solves = groups(own).get(place, {})
        if solves:
            yield label, {task: [solve.until(results.calls) for solve in several] for task, several in solves.items()}


def _reached(results: Results, place: Place) -> Iterator[dict[str, str]]:
    for label, solves in _contestants(results, place):
        every = [solve for several in solves.values() for solve in several]
        modelled = label in results.models
        yield {
            **_told(place),
            "": label,
            "networks": str(len(solves)),
            "feasible": _feasible(every),
            "over the bound": percent(over_bound(results, solves)),
            **{name: percent(_mean(solves, lambda solve, name=name: solve.shares[name])) for name in SHARES},
            **{
                name: count(_mean(solves, lambda solve, name=name: solve.effort[name]))
                for name in ("calls", "tokens", "evaluations")
            },
            "seconds a call": f"{_seconds(every):.3g}" if modelled else NONE,
        }


def _feasible(solves: Sequence[Solve]) -> str:
    return f"{sum(np.isfinite(solve.energy_j()) for solve in solves)}/{len(solves)}"


def _seconds(solves: Sequence[Solve]) -> float:
    return sum(solve.waited_s for solve in solves) / sum(solve.effort["calls"] for solve in solves)


def _mean(solves: Solves, value: Any) -> Interval:
    """Return the mean over networks of the mean of a value over seeds."""
    return bootstrap_mean([float(np.mean([value(solve) for solve in several])) for several in solves.values()])


def _told(place: Place) -> dict[str, str]:
    step, view, form = place
    return {"step": step, "view": view if form == FORMS[0] else f"{view}, no schema"}


def comparisons(results: Results) -> Iterator[tuple[str, Place | None, str, str, Versus]]:
    """Yield model, group (None: all with the first form), rival, effort and comparison."""
    for label, own in results.models.items():
        usual = {task: solves for task, solves in own.items() if task.form == FORMS[0]}
        for place, solves in [(None, usual)] * bool(usual) + list(groups(own).items()):
            for rival, others in results.controls.items():
                for effort in EFFORTS:
                    yield label, place, rival, effort, versus(solves, others, effort)


def _compared(results: Results) -> Iterator[dict[str, str]]:
    found: dict[tuple[str, Place | None, str], dict[str, Versus]] = {}
    for label, place, rival, effort, result in comparisons(results):
        if rival in RIVALS:
            found.setdefault((label, place, rival), {})[effort] = result
    for (label, place, rival), by_effort in found.items():
        yield {
            "": label,
            **(_told(place) if place else {"step": "all", "view": "both"}),
            "against": rival,
            "networks": str(by_effort[EFFORTS[0]].better.size),
            **{f"better at equal {effort}": percent(result.better) for effort, result in by_effort.items()},
            **{f"energy at equal {effort}": signed(result.energy) for effort, result in by_effort.items()},
        }


def sentence(label: str, own: Solves, results: Results) -> str:
    """Return whether a model beats its rivals at equal evaluations, and where, in a line."""
    parts = []
    usual = {place: solves for place, solves in groups(own).items() if place[2] == FORMS[0]}
    for rival in RIVALS:
        found = {place: versus(solves, results.controls[rival], "evaluations") for place, solves in usual.items()}
        where = {
            verdict: [
                f"{place[0]} {place[1]} ({_evidence(one)})" for place, one in found.items() if one.verdict == verdict
            ]
            for verdict in (1, -1)
        }
        told = f"beats {rival} on {', '.join(where[1])}" if where[1] else f"beats {rival} nowhere"
        behind = f", is behind it on {', '.join(where[-1])}" if where[-1] else ""
        open_ = sum(one.verdict == 0 for one in found.values())
        rest = f", and {open_} of {len(found)} comparisons leave it open" if open_ else ""
        parts.append(f"{told}{behind}{rest}")
    improved = bootstrap_mean([solve.shares[SHARES[2]] for solves in own.values() for solve in solves])
    return (
        f"At equal evaluations, {label} {'; it '.join(parts)}. "
        f"Its own proposals improved on the best example in {percent(improved)} of the steps."
    )


def _evidence(one: Versus) -> str:
    return f"better in {percent(one.better)} of the pairs, energy {signed(one.energy)}"


def signed(interval: Interval) -> str:
    """Return a difference in percent with its sign: ``−12 % [−20, −3]``."""
    bounds = "" if np.isnan(interval.low) else f" [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
    return NONE if np.isnan(interval.mean) else f"{100 * interval.mean:+.1f} %{bounds}".replace("-", "−")


def numbers(results: Results) -> list[dict[str, Any]]:
    """Return what contestants reach, and how models compare, as rows of numbers."""
    rows: list[dict[str, Any]] = []
    for place in _places(results):
        for label, solves in _contestants(results, place):
            every = [solve for several in solves.values() for solve in several]
            rows.append(
                {
                    "table": "reached",
                    **_named(place),
                    "solver": label,
                    "networks": len(solves),
                    **spread("feasible", share(sum(np.isfinite(solve.energy_j()) for solve in every), len(every))),
                    **spread("over_bound", over_bound(results, solves)),
                    **{
                        name.replace(" ", "_"): _mean(solves, lambda solve, name=name: solve.shares[name]).mean
                        for name in SHARES
                    },
                    **{
                        name: _mean(solves, lambda solve, name=name: solve.effort[name]).mean
                        for name in ("calls", "tokens", "evaluations")
                    },
                }
            )
    for label, where, rival, effort, result in comparisons(results):
        rows.append(
            {
                "table": "compared",
                **_named(where),
                "solver": label,
                "networks": result.better.size,
                "rival": rival,
                "equal": effort,
                **spread("better", result.better),
                **spread("energy", result.energy),
            }
        )
    return rows


def _named(place: Place | None) -> Mapping[str, str]:
    return dict(zip(("step", "view", "form"), place or ("all", "both", FORMS[0]), strict=True))
