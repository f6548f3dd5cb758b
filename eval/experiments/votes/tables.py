"""What Table V says: who is selected, votes beside the printed ones, correlation and weights, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.compare.comparison import mark_stand_in
from eval.compare.lineup import make
from eval.experiments.votes.cells import ANY, FITTED, PRINTED, SCHEMES, TITLES, Asked, Votes, fit
from eval.stats.formatting import NONE, percent, points, tabulated, with_unit
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from secagent_env.model.workload import accuracy_at_difficulty
from solvers.reasoning.simulated import mean_accuracy, voted_accuracy

TITLE = "Table V: reasoning accuracy on public benchmarks"
CORRELATIONS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
MOST, LEAST = "the ten most accurate", "the ten least accurate"
"""Selections that bound what any ten agents can do; nobody makes them."""


def figures(votes: Votes) -> list[dict[str, Any]]:
    """Return what is known of every data set and scheme, as flat rows.

    ``mean`` is how often one of the agents is right, ``independent`` and ``theory`` how often their vote is without
    and with the correlation, all by theory; ``voted`` and ``weighted`` are the simulated votes (with intervals over
    networks), ``printed`` is the paper's number.
    """
    found = []
    for asked in votes.asked:
        for scheme in SCHEMES:
            rows = votes.answers[(votes.answers["scheme"] == scheme) & (votes.answers["value"] == asked.name)]
            voted, weighted = (
                bootstrap_mean(rows[column].to_numpy(float) / rows["asked"].to_numpy(float))
                for column in ("right", "right_weighted")
            )
            found.append(
                {
                    "data set": asked.name,
                    "scheme": scheme,
                    **theory(votes, asked, votes.accuracies(scheme)),
                    "voted": voted,
                    "weighted": weighted,
                    "printed": PRINTED[asked.name].get(scheme),
                }
            )
        for bound in (MOST, LEAST):
            found.append({"data set": asked.name, "scheme": bound, **theory(votes, asked, extremes(votes, bound))})
    return found


def theory(votes: Votes, asked: Asked, accuracies: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the expected accuracy of agents and of their votes on a data set, from their accuracies by (14)."""
    there = [accuracy_at_difficulty(selected, votes.difficulty[asked.name]) for selected in accuracies]
    return {
        "mean": mean_accuracy(there, asked.num_options),
        "independent": voted_accuracy(there, asked.num_options),
        "theory": voted_accuracy(there, asked.num_options, votes.correlation),
    }


def extremes(votes: Votes, bound: str) -> list[np.ndarray]:
    """Return the accuracies of the most or least accurate agents of each network, as many as ASC selects."""
    found = []
    for everybody, chosen in zip(votes.everybody(), votes.accuracies(FITTED), strict=True):
        ordered = np.sort(everybody)
        found.append(ordered[-len(chosen) :] if bound == MOST else ordered[: len(chosen)])
    return found


def markdown(votes: Votes, rows: Sequence[dict[str, Any]]) -> str:
    """Return the report: who is selected, Table V beside the printed one, correlation, weights.

    ``rows`` are those of :func:`figures`.
    """
    parts = [
        f"## {TITLE}",
        _setting(votes),
        "### Who answers",
        _selected(votes),
        "### The votes",
        _tables(votes, rows),
        _order(votes, rows),
        "### What correlation does",
        _correlation(votes),
        "### Weighted votes",
        _weighted(rows, votes),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(votes: Votes) -> str:
    sets = []
    for asked in votes.asked:
        total = sum(asked.num_options.values())
        what = f"{total} questions" if asked.source == asked.name else f"**the packaged sample stands for it**, {total}"
        sets.append(f"{TITLES[asked.name]}: {what}, δ = {votes.difficulty[asked.name]:.2f}")
    number = int(votes.answers["asked"].max())
    return (
        f"Preset `qwen`, {len(votes.networks)} of {votes.instances} networks, in which every scheme found a feasible "
        f"decision; each is asked up to {number} questions of each data set, the same for every scheme. **The agents "
        "are simulated**: right as often as (14) says, but never less often than a guess, with errors correlated by "
        f"ρ = {votes.correlation:g} (assumed). **(14) knows no data set**: one difficulty δ for each is fitted such "
        f"that the vote of {FITTED}'s agents is expected to be right as often as printed. All other rows are "
        f"predictions. {'; '.join(sets)}. Brackets are {CONFIDENCE:.0%} bootstrap intervals over networks."
    )


def _selected(votes: Votes) -> str:
    lines = []
    for scheme in SCHEMES:
        rows = votes.selections[votes.selections["scheme"] == scheme]
        able = rows[rows["index"].isin(votes.networks)]
        accuracies = votes.accuracies(scheme)
        lines.append(
            [
                label(scheme),
                f"{int(rows['feasible'].sum())}/{votes.instances}",
                with_unit(bootstrap_mean(able["energy_j"].to_numpy(float)), "J"),
                f"{np.mean([selected.size for selected in accuracies]):.1f}",
                percent(bootstrap_mean([selected.mean() for selected in accuracies])),
            ]
        )
    for bound in (MOST, LEAST):
        means = bootstrap_mean([selected.mean() for selected in extremes(votes, bound)])
        lines.append([bound, NONE, NONE, NONE, percent(means)])
    headers = ["scheme", "feasible", "energy", "agents", "their mean accuracy by (14), δ = 1"]
    note = (
        f"`{ANY}` is ours: ten agents at random whatever their accuracy, since the paper's RandAS may not keep (15) "
        f"either. {MOST.capitalize()} and {LEAST[4:]} bound what any ten can do; nobody selects them."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def _tables(votes: Votes, rows: Sequence[dict[str, Any]]) -> str:
    parts = []
    headers = [
        *("scheme", "an agent", "vote, independent (theory)", f"vote, ρ = {votes.correlation:g} (theory)"),
        *("vote, simulated", "printed"),
    ]
    for asked in votes.asked:
        lines = [
            [
                label(row["scheme"]) + (" (fitted)" if row["scheme"] == FITTED else ""),
                *(f"{row[name]:.1%}" for name in ("mean", "independent", "theory")),
                percent(row["voted"]) if "voted" in row else NONE,
                NONE if row.get("printed") is None else f"{row['printed']:.0%}",
            ]
            for row in rows
            if row["data set"] == asked.name
        ]
        parts.append(f"**{TITLES[asked.name]}**\n\n{tabulated(lines, headers)}")
    return "\n\n".join(parts)


def _order(votes: Votes, rows: Sequence[dict[str, Any]]) -> str:
    """Return why the printed order is not that of (14), with the numbers that say so."""
    by_key = {(row["data set"], row["scheme"]): row for row in rows}
    told, beyond = [], []
    for asked in votes.asked:
        printed = PRINTED[asked.name]["randas"]
        random, unchecked, least = (by_key[asked.name, scheme]["theory"] for scheme in ("randas", ANY, LEAST))
        told.append(
            f"{TITLES[asked.name]} {random:.0%}, {unchecked:.0%} and {least:.0%} (RandAS printed {printed:.0%})"
        )
        if printed < least:
            beyond.append(TITLES[asked.name])
    limit = (
        f" On {' and '.join(beyond)}, at this ρ, not even {LEAST} are as often wrong as what is printed of RandAS: no "
        "selection is."
        if beyond
        else ""
    )
    return (
        "**The printed order does not follow from (14).** Every scheme has to meet the same Acc_min (15). Who spends "
        "the least energy lets as many small models compute as (15) allows, and ends with agents that are just "
        "accurate enough; a random selection that meets (15) is above it. By (14), RandAS is therefore at least as "
        "accurate as ASC, at more energy, and GA, whose agents are nearly ASC's, is as accurate as ASC. Ten agents "
        "selected whatever their accuracy lose something, but little: by theory, votes of RandAS, of any ten and of "
        f"{LEAST} are right on {'; '.join(told)}.{limit} So (14) and (15) are not what sets the printed schemes apart; "
        "what else does, the paper does not say."
    )


def _correlation(votes: Votes) -> str:
    accuracies = votes.accuracies(FITTED)
    lines = []
    fitted = {rho: fit(votes.asked, accuracies, rho) for rho in CORRELATIONS}
    for asked in votes.asked:
        there = [accuracy_at_difficulty(selected, votes.difficulty[asked.name]) for selected in accuracies]
        same = [f"{voted_accuracy(there, asked.num_options, rho):.1%}" for rho in CORRELATIONS]
        lines.append([TITLES[asked.name], f"vote; an agent {mean_accuracy(there, asked.num_options):.1%}", *same])
        needed = []
        for rho in CORRELATIONS:
            at = [accuracy_at_difficulty(selected, fitted[rho][asked.name]) for selected in accuracies]
            needed.append(f"{mean_accuracy(at, asked.num_options):.1%}")
        lines.append([TITLES[asked.name], f"an agent, for a vote of {PRINTED[asked.name][FITTED]:.0%}", *needed])
    headers = ["data set", f"{FITTED}'s agents", *(f"ρ = {rho:g}" for rho in CORRELATIONS)]
    note = (
        "First lines: the vote of the same agents. Independent agents correct each other; the more they err together, "
        "the less a vote adds to one of them; at ρ = 1, where all know the same and fall for the same distractor, the "
        "agent in the middle decides. Second lines: how accurate an agent has to be for the vote to be as printed."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def _weighted(rows: Sequence[dict[str, Any]], votes: Votes) -> str:
    lines = []
    for asked in votes.asked:
        for scheme in SCHEMES:
            [row] = [row for row in rows if (row["data set"], row["scheme"]) == (asked.name, scheme)]
            own = votes.answers[(votes.answers["scheme"] == scheme) & (votes.answers["value"] == asked.name)]
            total = own["asked"].to_numpy(float)
            gain = paired_difference(*(own[name].to_numpy(float) / total for name in ("right_weighted", "right")))
            lines.append(
                [TITLES[asked.name], label(scheme), percent(row["voted"]), percent(row["weighted"]), points(gain)]
            )
    headers = ["data set", "scheme", "majority", "weighted", "difference"]
    note = (
        "The same answers, voted with the weights ln((m − 1) p / (1 − p)), which are the best for independent agents. "
        "The supervisor knows each agent's p here, by (14)."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def label(scheme: str) -> str:
    """Return what a scheme is called in tables: one without a language model says so."""
    return mark_stand_in(scheme, make(SCHEMES[scheme][0])) if scheme in SCHEMES else scheme


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of :func:`figures` with intervals as columns of their own."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Interval):
            plain |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
        else:
            plain[name] = value
    return plain
