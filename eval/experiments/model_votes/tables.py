"""The tables of Table V with real models, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.experiments.model_votes.measured import Measured
from eval.experiments.model_votes.results import CORRELATION, PAPER, TEAM, Chosen, accuracy_bounds, order
from eval.experiments.votes.results import TITLES
from eval.experiments.votes.tables import label
from eval.stats.formatting import NONE, percent, points, tabulated, with_unit
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean

TITLE = "Table V with real models"


def markdown(
    sets: Sequence[Measured],
    chosen: Sequence[tuple[Chosen, Sequence[Mapping[str, Any]]]],
    sizes: Sequence[int],
    instances: int,
) -> str:
    """Return the report; ``chosen`` are the data sets at each Acc_min, with their figures."""
    parts = [
        f"## {TITLE}",
        _setting(sets[0], sizes, instances),
        "### What the models answer",
        _models(sets, sizes),
        _rules(sets),
        "### Acc_min",
        _bounds(sets, sizes, [each.min_accuracy for each, _ in chosen]),
        "### The votes",
        *(_votes(each, rows, instances) for each, rows in chosen),
        "### Does the printed order hold?",
        _order([each for each, _ in chosen]),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(first: Measured, sizes: Sequence[int], instances: int) -> str:
    groups = ", ".join(f"{size} agents with {model}" for size, model in zip(sizes, first.models, strict=True))
    return (
        f"Networks of the preset `qwen`, {instances} of them, with the widths of these models as k_n: {groups}. "
        "**One pass per model and question**: the model's probabilities of the options are measured once, and each "
        "agent of a group draws its answer from them, independently of the others. Votes of such draws are counted "
        "exactly, ties drawn; no answer is simulated. Acc_n is how often a *drawn* answer is right, measured on other "
        "questions than those voted on, as are the readout and its temperature. Brackets of votes are "
        f"{CONFIDENCE:.0%} bootstrap intervals over networks and questions, of energies over networks, of models over "
        "questions."
    )


def _models(sets: Sequence[Measured], sizes: Sequence[int]) -> str:
    lines = []
    for each in sets:
        for group, (model, size, readout) in enumerate(zip(each.models, sizes, each.readouts, strict=True)):
            lines.append(
                [
                    TITLES[each.name],
                    f"{size} × {model}",
                    readout.rule,
                    f"{readout.temperature:.3g}",
                    f"{readout.drawn:.1%}",
                    f"{readout.best:.1%}",
                    percent(bootstrap_mean(each.drawn[group])),
                    percent(bootstrap_mean(_most_likely(each, group))),
                ]
            )
    headers = [
        *("data set", "group", "readout", "temperature", "Acc_n: drawn, calibration", "most likely, calibration"),
        *("drawn, voted questions", "most likely, voted questions"),
    ]
    counts = "; ".join(f"{TITLES[each.name]} {each.calibration} and {each.answers.size}" for each in sets)
    guess = "; ".join(f"{TITLES[each.name]} {np.mean(1 / each.num_options):.1%}" for each in sets)
    return f"{tabulated(lines, headers)}\n\nCalibration and voted questions: {counts}. A guess is right on: {guess}."


def _most_likely(measured: Measured, group: int) -> np.ndarray:
    return np.asarray(measured.distributions[group].argmax(axis=-1) == measured.answers, float)


def _rules(sets: Sequence[Measured]) -> str:
    names = list(dict.fromkeys(rule for each in sets for fitted in each.all_readouts for rule in fitted))
    lines = [
        [
            TITLES[each.name],
            model,
            *(f"{fitted[rule].drawn:.1%}, {fitted[rule].best:.1%}" if rule in fitted else NONE for rule in names),
        ]
        for each in sets
        for model, fitted in zip(each.models, each.all_readouts, strict=True)
    ]
    note = (
        "Drawn, and most likely, answers that are right on the calibration questions, by readout: the probability of "
        "the letter, as it is and less what each letter gets on average; the likelihood of the option's text after "
        "the question alone, as it is, per byte, and beside its likelihood without the question. The readout whose "
        "drawn answers are right most often is taken."
    )
    return f"{tabulated(lines, ['data set', 'model', *names])}\n\n{note}"


def _bounds(sets: Sequence[Measured], sizes: Sequence[int], used: Sequence[float]) -> str:
    lines = []
    for each in sets:
        least, any_ten, most = accuracy_bounds(each, sizes)
        paper = "met" if most >= PAPER else f"infeasible: the ten most accurate have {most:.3f}"
        if least >= PAPER:
            paper = "does not bind"
        numbers = (f"{value:.3f}" for value in (least, any_ten, most))
        lines.append([TITLES[each.name], *numbers, f"{used[sets.index(each)]:.3f}", paper])
    headers = ["data set", "ten least accurate", "any ten, expected", "ten most accurate", "Acc_min here", "0.6"]
    note = (
        "Mean Acc_n of (15). Acc_min is half-way from any ten agents to the ten most accurate: random agents miss it, "
        "and it can be met."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def _votes(chosen: Chosen, rows: Sequence[Mapping[str, Any]], instances: int) -> str:
    lines = [
        [
            label(row["scheme"]),
            with_unit(row["energy_j"], "J") if "energy_j" in row else NONE,
            " + ".join(f"{count:.1f}" for count in row["agents"]),
            f"{row['accuracy']:.3f}",
            *(f"{row[name]:.1%}" for name in ("agent",)),
            percent(row["vote"]),
            *(f"{row[name]:.1%}" for name in ("independent", "correlated")),
            NONE if row.get("printed") is None else f"{row['printed']:.0%}",
        ]
        for row in rows
    ]
    headers = [
        *("scheme", "energy", "agents of each group", "their mean Acc_n (15)", "an agent", "vote"),
        *("simulated, ρ = 0", f"simulated, ρ = {CORRELATION:g}", "printed"),
    ]
    found = f"{len(chosen.networks)} of {instances} networks, in which every scheme found a feasible decision"
    return f"**{chosen.title}, Acc_min {chosen.min_accuracy:g}**: {found}\n\n{tabulated(lines, headers)}"


def _order(chosen: Sequence[Chosen]) -> str:
    lines = []
    for each in chosen:
        for first, second, printed, here in order(each):
            pair = f"{label(first)} over {label(second)}"
            name = f"{each.title}, {each.min_accuracy:g}"
            lines.append([name, pair, f"{100 * printed:+.0f} points", points(here), verdict(here)])
    headers = ["data set, Acc_min", "pair", "printed", "here", "does it hold?"]
    note = (
        f"Differences in the same networks on the same questions; {CONFIDENCE:.0%} bootstrap intervals over both. With "
        f"{TEAM} agents of few models, schemes differ by how many agents of each they take, and by nothing else."
    )
    return f"{tabulated(lines, headers)}\n\n{note}"


def verdict(difference: Interval) -> str:
    """Return whether a printed order holds, by the interval of the difference here."""
    if difference.low > 0:
        return "yes"
    return "no, the other way round" if difference.high < 0 else "not told apart"
