"""The tables of Table V, in Markdown: selected agents, votes beside the printed ones, correlation and weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import solvers
from eval.compare.comparison import mark_stand_in
from eval.experiments.votes.cells_selection import ANY, SCHEMES
from eval.experiments.votes.printed import TABLE_V
from eval.experiments.votes.results import FITTED, DataSet, VoteResults, fit
from eval.stats.formatting import NONE, faults_in_words, percent, points, tabulated, with_unit
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean, share, spread
from secagent_env.model.workload import accuracy_at_difficulty
from solvers.reasoning.endpoint import Group
from solvers.reasoning.simulated import mean_accuracy, voted_accuracy

TITLE = "Table V: reasoning accuracy on public benchmarks"
CORRELATIONS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
MOST, LEAST = "the ten most accurate", "the ten least accurate"
"""Selections that bound the accuracy of any ten agents; no scheme makes them."""


def figures(results: VoteResults) -> list[dict[str, Any]]:
    """Return the numbers of every data set and scheme, as rows.

    ``mean`` is how often one of the agents is right, ``independent`` and ``theory`` how often their vote is without
    and with the correlation, all by theory; ``voted`` and ``weighted`` are the simulated votes (with intervals over
    networks), ``printed`` is the paper's number.
    """
    rows = []
    for data_set in results.data_sets:
        for scheme in SCHEMES:
            answers = results.answers_of(scheme, data_set)
            voted, weighted = (
                bootstrap_mean(answers[column].to_numpy(float) / answers["asked"].to_numpy(float))
                for column in ("right", "right_weighted")
            )
            rows.append(
                {
                    "data set": data_set.name,
                    "scheme": scheme,
                    **theory(results, data_set, results.accuracies(scheme)),
                    "voted": voted,
                    "weighted": weighted,
                    "printed": TABLE_V[data_set.name].get(scheme),
                }
            )
        for bound in (MOST, LEAST):
            expected = theory(results, data_set, extremes(results, bound))
            rows.append({"data set": data_set.name, "scheme": bound, **expected})
    return rows


def theory(results: VoteResults, data_set: DataSet, accuracies: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the expected accuracy of agents and of their votes on a data set, from their accuracies by (14)."""
    there = [accuracy_at_difficulty(selected, results.difficulty[data_set.name]) for selected in accuracies]
    return {
        "mean": mean_accuracy(there, data_set.num_options),
        "independent": voted_accuracy(there, data_set.num_options),
        "theory": voted_accuracy(there, data_set.num_options, results.correlation),
    }


def extremes(results: VoteResults, bound: str) -> list[np.ndarray]:
    """Return the accuracies of the most or least accurate agents of each network, as many as ASC selects."""
    chosen = []
    for accuracy, selected in zip(results.all_accuracies(), results.accuracies(FITTED), strict=True):
        ordered = np.sort(accuracy)
        chosen.append(ordered[-len(selected) :] if bound == MOST else ordered[: len(selected)])
    return chosen


def markdown(results: VoteResults, rows: Sequence[dict[str, Any]]) -> str:
    """Return the report: selected agents, Table V beside the printed one, correlation, weights.

    ``rows`` are those of :func:`figures`.
    """
    parts = [
        f"## {TITLE}",
        _setting(results),
        "### Who answers",
        _selected(results),
        "### The votes",
        _tables(results, rows),
        _order(results, rows),
        "### What correlation does",
        _correlation(results),
        "### Weighted votes",
        _weighted(results, rows),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(results: VoteResults) -> str:
    sets = []
    for data_set in results.data_sets:
        total = sum(data_set.num_options.values())
        stand_in = (
            f"{total} questions"
            if data_set.source == data_set.name
            else f"**the packaged sample stands for it**, {total}"
        )
        sets.append(f"{data_set.title}: {stand_in}, δ = {results.difficulty[data_set.name]:.2f}")
    number = int(results.answers["asked"].max())
    return (
        f"Preset `qwen`, {len(results.networks)} of {results.instances} networks, in which every scheme found a "
        f"feasible decision; each is asked up to {number} questions of each data set, the same for every scheme. "
        "**The agents are simulated**: right as often as (14) says, but never less often than a guess, with errors "
        f"correlated by ρ = {results.correlation:g} (assumed). **(14) knows no data set**: one difficulty δ for each "
        f"is fitted such that the vote of {FITTED}'s agents is expected to be right as often as printed. All other "
        f"rows are predictions. {'; '.join(sets)}. Brackets are {CONFIDENCE:.0%} bootstrap intervals over networks."
    )


def _selected(results: VoteResults) -> str:
    lines = []
    for scheme in SCHEMES:
        rows = results.selections[results.selections["scheme"] == scheme]
        able = rows[rows["index"].isin(results.networks)]
        accuracies = results.accuracies(scheme)
        lines.append(
            [
                label(scheme),
                f"{int(rows['feasible'].sum())}/{results.instances}",
                with_unit(bootstrap_mean(able["energy_j"].to_numpy(float)), "J"),
                f"{np.mean([selected.size for selected in accuracies]):.1f}",
                percent(bootstrap_mean([selected.mean() for selected in accuracies])),
            ]
        )
    for bound in (MOST, LEAST):
        means = bootstrap_mean([selected.mean() for selected in extremes(results, bound)])
        lines.append([bound, NONE, NONE, NONE, percent(means)])
    headers = ["scheme", "feasible", "energy", "agents", "their mean accuracy by (14), δ = 1"]
    note = (
        f"`{ANY}` is ours: ten agents at random whatever their accuracy, since the paper's RandAS may not keep (15) "
        f"either. {MOST.capitalize()} and {LEAST[4:]} bound what any ten can do; nobody selects them."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def _tables(results: VoteResults, rows: Sequence[dict[str, Any]]) -> str:
    parts = []
    headers = [
        *("scheme", "an agent", "vote, independent (theory)", f"vote, ρ = {results.correlation:g} (theory)"),
        *("vote, simulated", "printed"),
    ]
    for data_set in results.data_sets:
        lines = [
            [
                label(row["scheme"]) + (" (fitted)" if row["scheme"] == FITTED else ""),
                *(f"{row[name]:.1%}" for name in ("mean", "independent", "theory")),
                percent(row["voted"]) if "voted" in row else NONE,
                NONE if row.get("printed") is None else f"{row['printed']:.0%}",
            ]
            for row in rows
            if row["data set"] == data_set.name
        ]
        parts.append(f"**{data_set.title}**\n\n{tabulated(lines, headers)}")
    return "\n\n".join(parts)


def _order(results: VoteResults, rows: Sequence[dict[str, Any]]) -> str:
    """Return why the printed order does not follow from (14), with the numbers that show it."""
    by_key = {(row["data set"], row["scheme"]): row for row in rows}
    shares, impossible = [], []
    for data_set in results.data_sets:
        printed = TABLE_V[data_set.name]["randas"]
        random, unchecked, least = (by_key[data_set.name, scheme]["theory"] for scheme in ("randas", ANY, LEAST))
        shares.append(f"{data_set.title} {random:.0%}, {unchecked:.0%} and {least:.0%} (RandAS printed {printed:.0%})")
        if printed < least:
            impossible.append(data_set.title)
    limit = (
        f" On {' and '.join(impossible)}, at this ρ, not even {LEAST} are as often wrong as what is printed of RandAS: "
        "no selection is."
        if impossible
        else ""
    )
    return (
        "**The printed order does not follow from (14).** Every scheme has to meet the same Acc_min (15). Who spends "
        "the least energy lets as many small models compute as (15) allows, and ends with agents that are just "
        "accurate enough; a random selection that meets (15) is above it. By (14), RandAS is therefore at least as "
        "accurate as ASC, at more energy, and GA, whose agents are nearly ASC's, is as accurate as ASC. Ten agents "
        "selected whatever their accuracy lose something, but little: by theory, votes of RandAS, of any ten and of "
        f"{LEAST} are right on {'; '.join(shares)}.{limit} So (14) and (15) are not what sets the printed schemes "
        "apart; what else does, the paper does not say."
    )


def _correlation(results: VoteResults) -> str:
    accuracies = results.accuracies(FITTED)
    lines = []
    fitted = {rho: fit(results.data_sets, accuracies, rho) for rho in CORRELATIONS}
    for data_set in results.data_sets:
        there = [accuracy_at_difficulty(selected, results.difficulty[data_set.name]) for selected in accuracies]
        same = [f"{voted_accuracy(there, data_set.num_options, rho):.1%}" for rho in CORRELATIONS]
        lines.append([data_set.title, f"vote; an agent {mean_accuracy(there, data_set.num_options):.1%}", *same])
        needed = []
        for rho in CORRELATIONS:
            at = [accuracy_at_difficulty(selected, fitted[rho][data_set.name]) for selected in accuracies]
            needed.append(f"{mean_accuracy(at, data_set.num_options):.1%}")
        lines.append([data_set.title, f"an agent, for a vote of {TABLE_V[data_set.name][FITTED]:.0%}", *needed])
    headers = ["data set", f"{FITTED}'s agents", *(f"ρ = {rho:g}" for rho in CORRELATIONS)]
    note = (
        "First lines: the vote of the same agents. Independent agents correct each other; the more they err together, "
        "the less a vote adds to one of them; at ρ = 1, where all know the same and fall for the same distractor, the "
        "agent in the middle decides. Second lines: how accurate an agent has to be for the vote to be as printed."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def _weighted(results: VoteResults, rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for data_set in results.data_sets:
        for scheme in SCHEMES:
            [row] = [row for row in rows if (row["data set"], row["scheme"]) == (data_set.name, scheme)]
            answers = results.answers_of(scheme, data_set)
            total = answers["asked"].to_numpy(float)
            gain = paired_difference(*(answers[name].to_numpy(float) / total for name in ("right_weighted", "right")))
            lines.append([data_set.title, label(scheme), percent(row["voted"]), percent(row["weighted"]), points(gain)])
    headers = ["data set", "scheme", "majority", "weighted", "difference"]
    note = (
        "The same answers, voted with the weights ln((m − 1) p / (1 − p)), which are the best for independent agents. "
        "The supervisor knows each agent's p here, by (14)."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def label(scheme: str) -> str:
    """Return the name of a scheme in tables, which says where rules stand in for a language model."""
    return mark_stand_in(scheme, solvers.make(SCHEMES[scheme][0])) if scheme in SCHEMES else scheme


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of :func:`figures` with intervals as columns of their own."""
    columns: dict[str, Any] = {}
    for name, value in row.items():
        columns |= spread(name, value) if isinstance(value, Interval) else {name: value}
    return columns


def endpoint_table(rows: Any, data_sets: Sequence[DataSet], groups: Sequence[Group]) -> str:
    """Return the table of the votes of real models, from the rows of their cells (a pandas DataFrame)."""
    lines, notes = [], []
    for data_set in data_sets:
        for scheme, own in rows[rows["value"] == data_set.name].groupby("scheme", sort=False):
            voted = bootstrap_mean(own["right"].to_numpy(float) / own["asked"].to_numpy(float))
            answers, used, right = (
                np.sum([json.loads(text) for text in own[f"{name}_by_group"]], axis=0)
                for name in ("answers", "used", "right")
            )
            alone = [
                percent(share(int(r), int(a))) if u else NONE for r, u, a in zip(right, used, answers, strict=True)
            ]
            for number in np.flatnonzero((used == 0) & (answers > 0)).tolist():
                complaints = (json.loads(text).get(str(number)) for text in own["complaints"])
                first = next(filter(None, complaints), "not told")
                model = groups[number].chat_name
                notes.append(f"{data_set.title}, {scheme}: no answer of {model} could be used, the first: {first}.")
            if (early := own[own["ended"] != ""]).size:
                asked, of = (int(own[name].sum()) for name in ("asked", "questions"))
                notes.append(
                    f"{data_set.title}, {scheme}: {asked} of {of} questions were answered; in {len(early)} of "
                    f"{len(own)} networks the endpoints ended before, the first with: "
                    f"{early['ended'].iloc[0].rstrip('.')}. --retry-failed asks the others."
                )
            printed = TABLE_V[data_set.name].get(scheme)
            lines.append(
                [
                    f"{data_set.title}{'' if data_set.source == data_set.name else ' (sample)'}",
                    scheme,
                    percent(voted) if used.any() else NONE,
                    NONE if printed is None else f"{printed:.0%}",
                    *alone,
                    faults_in_words(own["faults"]) or "none",
                    f"{int(own['calls'].sum())}, {int(own['tokens'].sum())}",
                ]
            )
    members = [f"{group.agents} × {group.chat_name}" for group in groups]
    headers = ["data set", "scheme", "vote", "printed", *members, "faults", "calls, tokens"]
    note = (
        f"Agents behind endpoints; (no LLM): rules stand in for a model. Votes with {CONFIDENCE:.0%} intervals over "
        "networks, an agent of each group with Wilson intervals over answers. An answer that names no option, or that "
        "did not come, counts as wrong."
    )
    return "\n\n".join(["### Agents behind endpoints", tabulated(lines, headers), note, *notes]) + "\n"
