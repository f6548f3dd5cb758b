"""The table of a comparison, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.compare.rows import LLM
from eval.compare.summary import NOTHING, Summary, common_instances, summarise
from eval.stats.formatting import NONE, count, percent, tabulated, with_unit
from eval.stats.statistics import CONFIDENCE, share


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
    return "\n\n".join([tabulated(energies), tabulated(quality), _notes(frame, summaries)]) + "\n"


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
