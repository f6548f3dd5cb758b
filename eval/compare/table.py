"""The table of a comparison, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.compare.rows import FAULTS
from eval.compare.summary import NOTHING, Summary, asked_of, common_instances, summarise, told
from eval.stats.formatting import NONE, count, faults_in_words, percent, tabulated, with_unit
from eval.stats.statistics import CONFIDENCE, share


def markdown(frame: Any) -> str:
    """Return the table of a comparison's rows (a pandas DataFrame): energies, quality and effort, notes."""
    summaries = summarise(frame)
    repaired = any(s.repaired is not None for s in summaries)
    asked = asked_of(summaries)
    energies = [
        {
            "solver": s.solver,
            "feasible": _part(s.feasible, s),
            **_beliefs(s),
            "energy": with_unit(s.means["energy_j"], "J"),
            "execution": with_unit(s.means["execution_energy_j"], "J"),
            "transmission": with_unit(s.means["transmission_energy_j"], "J"),
        }
        for s in summaries
    ]
    quality = [
        {
            "solver": s.solver,
            "ended as": s.ended_as,
            **({"repaired": _part(s.repaired, s)} if repaired else {}),
            "gap to the bound": percent(s.means["gap"]),
            "transmission gap": percent(s.means["transmission_gap"]),
            "latency": with_unit(s.means["latency_s"], "s", digits=3),
            "evaluations": count(s.means["evaluations"]),
            **{column.replace("_", " "): told(column, s.asked.get(column, NOTHING)) for column in asked},
            "time": with_unit(s.means["seconds"], "s", digits=3),
        }
        for s in summaries
    ]
    return "\n\n".join([tabulated(energies), tabulated(quality), _notes(frame, summaries)]) + "\n"


def _part(number: int | None, summary: Summary) -> str:
    """Return how many of a solver's instances that are, and their share."""
    return NONE if number is None else f"{number}/{summary.instances} ({number / summary.instances:.0%})"


def _beliefs(summary: Summary) -> dict[str, str]:
    """Return the columns that are there only where decisions were made on estimated channels."""
    if summary.believed is None or summary.outages is None:
        return {}
    outage = percent(share(summary.outages, summary.believed))
    return {"believed feasible": _part(summary.believed, summary), "secrecy outage": outage}


def _notes(frame: Any, summaries: Sequence[Summary]) -> str:
    total = frame["instance"].nunique()
    common = len(common_instances(frame))
    never = [s.solver for s in summaries if not s.feasible]
    who = f"every solver but {', '.join(never)}" if never else "every solver"
    effort = "calls, tokens, evaluations and time" if asked_of(summaries) else "evaluations and time"
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
    for solver, rows in frame.groupby("solver", sort=False):
        notes += notes_on(str(solver), rows, rows["instance"])
    return "\n".join(notes)


def notes_on(label: str, rows: Any, instances: Any) -> list[str]:
    """Return sentences on a solver's rows (a pandas DataFrame): what was not solved, and replies without use.

    ``instances`` are their numbers, a column.
    """
    notes = []
    failed = ~rows["feasible"].astype(bool)
    if failed.any():
        first, numbers = rows[failed].iloc[0], instances[failed]
        where = ", ".join(str(i) for i in numbers.head(10)) + (", …" if len(numbers) > 10 else "")
        notes.append(
            f"{label} has no feasible decision for {len(numbers)} of {len(rows)} (instances {where}); "
            f"the first: {first['status']}, {first['message']}."
        )
    if FAULTS in rows and (faults := faults_in_words(rows[FAULTS].dropna())):
        notes.append(f"{label}: replies that could not be used, of {rows['calls'].sum():.0f} calls: {faults}.")
    return notes
