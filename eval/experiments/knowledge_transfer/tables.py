"""The tables of GenAINet's Table 1, in Markdown: accuracy and bits beside the printed ones, and other conditions."""

from __future__ import annotations

import numpy as np

from eval.experiments.knowledge_transfer.cells import (
    ADAPTIVE,
    ALL,
    ANSWERS_CHOSEN,
    CHOSEN,
    CONDITIONS,
    EIGHT_BITS,
    ONE_BIT,
    PASSAGES,
    PRINTED_RATIO,
    RANDOM,
    WITH_ANSWERS,
    WITHOUT,
)
from eval.experiments.knowledge_transfer.claims import claims
from eval.experiments.knowledge_transfer.printed import OVERALL, TABLE_1
from eval.experiments.knowledge_transfer.results import Transfer, curve_of
from eval.experiments.question_source import SAMPLE
from eval.stats.formatting import NONE, percent, points, tabulated
from eval.stats.statistics import CONFIDENCE
from solvers.reasoning.reader import RetrievalReader

TITLE = "GenAINet, Table 1: knowledge transfer"


def markdown(transfer: Transfer) -> str:
    """Return the report: Table 1 beside the printed one, the paper's claims, and other ways to choose and to send."""
    parts = [
        f"## {TITLE}",
        _setting(transfer),
        table1(transfer),
        "### What knowledge and compression are worth",
        differences(transfer),
        "### What holds of the paper's claims",
        "\n".join(f"- {claim}" for claim in claims(transfer)),
        "### Accuracy against what is sent",
        _curve(transfer, "others"),
        "### Other ways to choose and to send",
        _others(transfer),
        "### Where the answers are among the knowledge",
        _with_answers(transfer),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(transfer: Transfer) -> str:
    total = transfer.categories.size
    stands = (
        "**TeleQnA was not found: the packaged sample stands for it, and says nothing of TeleQnA**"
        if transfer.source.name == SAMPLE
        else f"TeleQnA; a guess is right on {transfer.chance:.1%}"
    )
    whole = transfer.sent[ALL]
    return (
        f"{stands}. {total} questions are asked, drawn by category as in the set; none that the reader's weights were "
        f"fitted on. The knowledge is {whole.passages:.0f} explanations of questions of other groups, "
        f"{_bytes(whole.whole_bits)} as sent; the student, a {RetrievalReader.name}, reads the {PASSAGES} nearest to a "
        f"question. Compressed: passages chosen by other questions, at {PRINTED_RATIO:.2%} of the bits. Brackets "
        f"are {CONFIDENCE:.0%} intervals over questions (Wilson; bootstrap of paired differences). The printed "
        "accuracies are those of 500 questions, as their fractions tell."
    )


def table1(transfer: Transfer) -> str:
    """Return accuracy by category with all knowledge, compressed and without, beside the printed numbers."""
    lines = []
    for category in [*transfer.names, OVERALL]:
        printed = TABLE_1.get(category)
        lines.append(
            [
                category,
                str(int(transfer.own(category).sum())),
                *(percent(transfer.accuracy(condition, category)) for condition in (ALL, CHOSEN, WITHOUT)),
                f"{transfer.sent[CHOSEN].ratios.get(category, float('nan')):.1%}",
                NONE if printed is None else " / ".join(f"{100 * value:.1f}" for value in printed.accuracies),
                NONE if printed is None else f"{printed.ratio:.2%}",
            ]
        )
    headers = [
        *("category", "questions", "full knowledge", "compressed", "no knowledge", "ratio"),
        *("printed: full / compressed / none", "printed ratio"),
    ]
    return tabulated(lines, headers)


def differences(transfer: Transfer) -> str:
    """Return the gains by knowledge and compression in each category, beside the printed ones."""
    pairs = ((ALL, WITHOUT), (CHOSEN, WITHOUT), (CHOSEN, ALL))
    lines = []
    for category in [*transfer.names, OVERALL]:
        printed = TABLE_1.get(category)
        full, compressed, none = printed.accuracies if printed else (np.nan,) * 3
        differences_printed = (full - none, compressed - none, compressed - full)
        lines.append([category])
        for pair, paper in zip(pairs, differences_printed, strict=True):
            lines[-1] += [
                points(transfer.difference(*pair, category)),
                NONE if np.isnan(paper) else f"{100 * paper:+.1f}",
            ]
    headers = ["category"]
    for name in ("full − none", "compressed − none", "compressed − full"):
        headers += [name, "printed"]
    return tabulated(lines, headers)


def _curve(transfer: Transfer, curve: str) -> str:
    lines = []
    for condition in curve_of(curve):
        sent = transfer.sent[condition]
        beside = points(transfer.difference(condition, WITHOUT))
        accuracy = percent(transfer.accuracy(condition))
        lines.append([condition.label, f"{sent.passages:.0f}", _bytes(sent.bits), accuracy, beside])
    lines[0][-1] = NONE
    return tabulated(lines, ["knowledge", "passages", "sent", "right", "beside none"])


def _with_answers(transfer: Transfer) -> str:
    lines = []
    for category in [*transfer.names, OVERALL]:
        pairs = ((WITH_ANSWERS, WITHOUT), (ANSWERS_CHOSEN, WITHOUT), (ANSWERS_CHOSEN, WITH_ANSWERS))
        lines.append(
            [category, *(percent(transfer.accuracy(each, category)) for each in (WITH_ANSWERS, ANSWERS_CHOSEN))]
        )
        lines[-1] += [points(transfer.difference(*pair, category)) for pair in pairs]
    headers = ["category", "full (leak)", "compressed (leak)", "full − none", "compressed − none", "compressed − full"]
    note = (
        "**A leak, shown on purpose:** the explanations of the very questions are among the knowledge, and restate "
        "the answers. It says what the reader can do when an answer is there to be found, and what compression by "
        "other questions then costs."
    )
    asked = "Compressed by the very questions, as a teacher does to whom a device has fed back what it is asked:"
    curves = f"{_curve(transfer, 'answers')}\n\n{asked}\n\n{_curve(transfer, 'asked')}"
    return f"{note}\n\n{tabulated(lines, headers)}\n\n{curves}"


def _others(transfer: Transfer) -> str:
    lines = []
    for condition in CONDITIONS:
        if condition.kind in (RANDOM, ADAPTIVE, EIGHT_BITS, ONE_BIT):
            sent = transfer.sent[condition]
            beside = CHOSEN if condition.kind in (RANDOM, ADAPTIVE) else ALL
            difference = f"{points(transfer.difference(condition, beside))} ({beside.label})"
            accuracy, ratio = percent(transfer.accuracy(condition)), f"{sent.bits / sent.whole_bits:.1%}"
            lines.append([condition.label, _bytes(sent.bits), ratio, accuracy, difference])
    note = "Texts travel alone and are encoded by the receiver, unless vectors are named."
    return f"{tabulated(lines, ['knowledge', 'sent', 'of the bits', 'right', 'beside'])}\n\n{note}"


def _bytes(bits: float) -> str:
    return f"{bits / 8e3:,.1f} kB"


def student_section(name: str, transfer: Transfer, calls: int, faults: str) -> str:
    """Return Table 1 of a language model as the student, with its calls and faults."""
    unused = "".join(
        f"\n\nWith {condition.label} no answer could be used, the first: {complaint}."
        for condition, complaint in transfer.unused.items()
    )
    return (
        f"### {name}\n\n{table1(transfer)}\n\n{differences(transfer)}\n\nWith the questions' own explanations "
        f"among the knowledge (leak): {percent(transfer.accuracy(WITH_ANSWERS))}. Calls: {calls}; "
        f"faults, which count as wrong: {faults}.{unused}"
    )
