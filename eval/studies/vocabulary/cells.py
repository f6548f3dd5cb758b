"""Cells of ``secagent study vocabulary``: the questions of a category in all conditions; only numbers leave them."""

from __future__ import annotations

from pathlib import Path

from eval.experiments.knowledge_transfer.vocabulary import CONDITIONS, Terms
from eval.experiments.question_source import load
from eval.sweep import promises
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, numbers, returns, text

FUNCTION = "eval.studies.vocabulary.cells:answer"


@returns(columns(condition=text, ratio=promises.number, passages=count, bits=count, whole_bits=count, right=numbers))
def answer(cell: Cell) -> list[Row]:
    """Return a row for each condition: what of the vocabulary is sent, in bits, and which answers are right.

    The options are ``source`` and ``path`` of the questions, their ``category`` and ``count``, and ``vocabulary``, the
    path of the terms.
    """
    own = cell.options
    available = load(own["source"], own["path"])
    terms = Terms(available, own["count"], cell.seed, Path(own["vocabulary"]), own["category"])
    return [
        {
            "condition": condition.kind,
            "ratio": condition.ratio,
            "passages": len(terms.sent(condition)),
            "bits": terms.sent(condition).size_bits,
            "whole_bits": terms.whole.size_bits,
            "right": terms.right(condition).astype(int).tolist(),
        }
        for condition in CONDITIONS
    ]
