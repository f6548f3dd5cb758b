"""GenAINet's Table 1: knowledge goes from a cloud to a device, as it is, compressed, or not at all.

``python -m eval.experiments.knowledge_transfer.experiment`` prints the table of ``docs/knowledge-transfer.md`` on
TeleQnA where the folder of data sets has it (``--data``, or the environment variable ``SECAGENT_DATA``), else on the
packaged sample. The answers are those of the offline retrieval reader: a weak model in the place of the paper's
language model.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.experiments.knowledge_transfer.cells import (
    ADAPTIVE,
    CONDITIONS,
    COUNT,
    EIGHT_BITS,
    ONE_BIT,
    PASSAGES,
    PRINTED_RATIO,
    RANDOM,
    SAMPLE,
    Source,
    run,
)
from eval.experiments.knowledge_transfer.claims import claims
from eval.experiments.knowledge_transfer.results import (
    ALL,
    ANSWERS_CHOSEN,
    CHOSEN,
    OVERALL,
    PRINTED,
    WITH_ANSWERS,
    WITHOUT,
    Point,
    Transfer,
    curve_json,
    curve_of,
    figures,
    points_of,
    transfer,
)
from eval.stats.formatting import NONE, percent, points, tabulated
from eval.stats.statistics import CONFIDENCE
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from solvers.reasoning.reader import RetrievalReader

NAME, TITLE = "genainet-table1", "GenAINet, Table 1: knowledge transfer"
TABLE, CSV, CURVE = f"{NAME}.md", f"{NAME}.csv", "knowledge-curve.json"


def measured_curve(
    questions: int = COUNT,
    seed: int = 0,
    out: Path | str = "results",
    data: Path | str | None = None,
    *,
    curve: str = "others",
    **how: Any,
) -> list[Point]:
    """Return how accurate the reader is with knowledge that is compressed more and less; no knowledge comes first.

    The arguments are those of :func:`reproduce`; what is in the folder already is not computed again. ``curve``: of
    which knowledge, one of :data:`eval.experiments.knowledge_transfer.results.CURVES`.
    """
    source = Source.of(data=data)
    return points_of(transfer(run(source, questions, seed, out, **how), source), curve)


def markdown(found: Transfer) -> str:
    """Return the report: Table 1 beside the printed one, what holds of it, and what else was sent."""
    parts = [
        f"## {TITLE}",
        _setting(found),
        table1(found),
        "### What knowledge and compression are worth",
        differences(found),
        "### What holds of the paper's claims",
        "\n".join(f"- {claim}" for claim in claims(found)),
        "### Accuracy against what is sent",
        _curve(found, "others"),
        "### Other ways to choose and to send",
        _others(found),
        "### Where the answers are among the knowledge",
        _with_answers(found),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(found: Transfer) -> str:
    total = found.categories.size
    stands = (
        "**TeleQnA was not found: the packaged sample stands for it, and says nothing of TeleQnA**"
        if found.source.name == SAMPLE
        else f"TeleQnA; a guess is right on {found.chance:.1%}"
    )
    whole = found.sent[ALL]
    return (
        f"{stands}. {total} questions are asked, drawn by category as in the set; none that the reader's weights were "
        f"fitted on. The knowledge is {whole.passages:.0f} explanations of questions of other groups, "
        f"{_bytes(whole.whole_bits)} as sent; the student, a {RetrievalReader.name}, reads the {PASSAGES} nearest to a "
        f"question. Compressed: passages chosen by other questions, at {PRINTED_RATIO:.2%} of the bits. Brackets "
        f"are {CONFIDENCE:.0%} intervals over questions (Wilson; bootstrap of paired differences). The printed "
        "accuracies are those of 500 questions, as their fractions tell."
    )


def table1(found: Transfer) -> str:
    """Return accuracy by category with all knowledge, compressed and without, beside the printed numbers."""
    lines = []
    for category in [*found.names, OVERALL]:
        printed = PRINTED.get(category)
        lines.append(
            [
                category,
                str(int(found.own(category).sum())),
                *(percent(found.accuracy(condition, category)) for condition in (ALL, CHOSEN, WITHOUT)),
                f"{found.sent[CHOSEN].ratios.get(category, float('nan')):.1%}",
                NONE if printed is None else " / ".join(f"{100 * value:.1f}" for value in printed.accuracies),
                NONE if printed is None else f"{printed.ratio:.2%}",
            ]
        )
    headers = [
        *("category", "questions", "full knowledge", "compressed", "no knowledge", "ratio"),
        *("printed: full / compressed / none", "printed ratio"),
    ]
    return tabulated(lines, headers)


def differences(found: Transfer) -> str:
    """Return what knowledge and compression are worth by category, beside the printed differences."""
    pairs = ((ALL, WITHOUT), (CHOSEN, WITHOUT), (CHOSEN, ALL))
    lines = []
    for category in [*found.names, OVERALL]:
        printed = PRINTED.get(category)
        full, compressed, none = printed.accuracies if printed else (np.nan,) * 3
        told = (full - none, compressed - none, compressed - full)
        lines.append([category])
        for pair, paper in zip(pairs, told, strict=True):
            lines[-1] += [
                points(found.difference(*pair, category)),
                NONE if np.isnan(paper) else f"{100 * paper:+.1f}",
            ]
    headers = ["category"]
    for name in ("full − none", "compressed − none", "compressed − full"):
        headers += [name, "printed"]
    return tabulated(lines, headers)


def _curve(found: Transfer, curve: str) -> str:
    lines = []
    for condition in curve_of(curve):
        sent = found.sent[condition]
        beside = points(found.difference(condition, WITHOUT))
        accuracy = percent(found.accuracy(condition))
        lines.append([condition.label, f"{sent.passages:.0f}", _bytes(sent.bits), accuracy, beside])
    lines[0][-1] = NONE
    return tabulated(lines, ["knowledge", "passages", "sent", "right", "beside none"])


def _with_answers(found: Transfer) -> str:
    lines = []
    for category in [*found.names, OVERALL]:
        pairs = ((WITH_ANSWERS, WITHOUT), (ANSWERS_CHOSEN, WITHOUT), (ANSWERS_CHOSEN, WITH_ANSWERS))
        lines.append([category, *(percent(found.accuracy(each, category)) for each in (WITH_ANSWERS, ANSWERS_CHOSEN))])
        lines[-1] += [points(found.difference(*pair, category)) for pair in pairs]
    headers = ["category", "full (leak)", "compressed (leak)", "full − none", "compressed − none", "compressed − full"]
    note = (
        "**A leak, shown on purpose:** the explanations of the very questions are among the knowledge, and restate "
        "the answers. It says what the reader can do when an answer is there to be found, and what compression by "
        "other questions then costs."
    )
    asked = "Compressed by the very questions, as a teacher does to whom a device has fed back what it is asked:"
    curves = f"{_curve(found, 'answers')}\n\n{asked}\n\n{_curve(found, 'asked')}"
    return f"{note}\n\n{tabulated(lines, headers)}\n\n{curves}"


def _others(found: Transfer) -> str:
    lines = []
    for condition in CONDITIONS:
        if condition.kind in (RANDOM, ADAPTIVE, EIGHT_BITS, ONE_BIT):
            sent = found.sent[condition]
            beside = CHOSEN if condition.kind in (RANDOM, ADAPTIVE) else ALL
            difference = f"{points(found.difference(condition, beside))} ({beside.label})"
            accuracy, ratio = percent(found.accuracy(condition)), f"{sent.bits / sent.whole_bits:.1%}"
            lines.append([condition.label, _bytes(sent.bits), ratio, accuracy, difference])
    note = "Texts travel alone and are encoded by the receiver, unless vectors are named."
    return f"{tabulated(lines, ['knowledge', 'sent', 'of the bits', 'right', 'beside'])}\n\n{note}"


def _bytes(bits: float) -> str:
    return f"{bits / 8e3:,.1f} kB"


def reproduce(questions: int, seed: int, out: Path, data: Path | str | None = None, **how: Any) -> str:
    """Return Table 1 in Markdown; write it, its numbers, its curve and its picture into a folder.

    Parameters
    ----------
    questions, seed
        How many questions are asked, and from which seed they are drawn.
    out
        The folder; made if need be. A run resumes there.
    data
        The folder of TeleQnA; None: the one that the environment names.
    how
        Other arguments of :func:`eval.sweep.engine.run_sweep`.

    Raises
    ------
    ValueError
        For a bad argument, or if cells failed.
    """
    from eval.experiments.knowledge_transfer.picture import save_curve

    pandas = require("pandas", extra="eval")
    source = Source.of(data=data)
    found = transfer(run(source, questions, seed, out, **how), source)
    text = markdown(found)
    write_text(out / TABLE, text)
    write_text(out / CSV, pandas.DataFrame(figures(found)).to_csv(index=False))
    write_text(out / CURVE, curve_json(found))
    save_curve(found, out / NAME)
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Print Table 1 and write it."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.experiments.knowledge_transfer.experiment", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--questions", type=int, default=COUNT, metavar="Q", help="asked; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the data sets; default: SECAGENT_DATA")
    parser.add_argument("--out", type=Path, default=Path("results"), help="default: results; a run resumes there")
    parser.add_argument("--workers", type=int, metavar="K", help="processes (default: one per core)")
    parser.add_argument("--retry-failed", action="store_true", help="compute again what failed")
    options = parser.parse_args(arguments)
    how = {"workers": options.workers, "retry_failed": options.retry_failed}
    try:
        print(reproduce(options.questions, options.seed, options.out, options.data, **how), end="")
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
