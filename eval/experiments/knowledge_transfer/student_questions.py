"""The questions of Table 1 for a model whose answers are scored: each condition's texts are the question's passage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

from eval.experiments.knowledge_transfer.cells import Block, blocks
from eval.experiments.knowledge_transfer.cells_endpoints import CONDITIONS
from eval.experiments.question_source import Source, digest_of
from secagent_env.questions import Question, QuestionSet
from solvers.answer_scores.scores import Scores
from solvers.llm.chat import Closing
from solvers.reasoning.reader import RetrievalReader

READER = "retrieval-reader"
"""The name of the offline reader where a model's file is named."""


def student_questions(
    count: int, seed: int = 0, data: Path | str | None = None
) -> tuple[dict[str, QuestionSet], dict[str, str]]:
    """Return the questions in each condition, by its label, and digests of the sets and their texts.

    Raises ValueError if the set is there and cannot be read, or asked as a whole.
    """
    source = Source.of(data=data)
    available = source.load()
    numbers, *others = blocks(available, count, seed)
    if others:
        raise ValueError(f"at most half of the {len(available)} questions can be asked, the others are the knowledge")
    block = Block(available, numbers, seed)
    asked = [available[int(number)] for number in numbers]
    sets = {}
    for condition in CONDITIONS:
        sets[condition.label] = with_passages(source.name, asked, block.texts(asked, condition))
    return sets, digests_of(sets, source)


def with_passages(name: str, asked: Sequence[Question], texts: Sequence[Sequence[str]]) -> QuestionSet:
    """Return questions with the texts that are read for each as its passage, a line each."""
    passages = ["\n".join(" ".join(text.split()) for text in own) for own in texts]
    return QuestionSet(name, tuple(replace(each, passage=own) for each, own in zip(asked, passages, strict=True)))


def digests_of(sets: Mapping[str, QuestionSet], source: Source) -> dict[str, str]:
    """Return digests of sets of a source and their passages."""
    return {name: digest_of([source.digest, [each.passage for each in own]]) for name, own in sets.items()}


class ReaderScorer(Closing):
    """Scores options by the offline reader: its log-odds stand for those of a letter."""

    about: Mapping[str, str] = {"model": READER}

    def __init__(self) -> None:
        self._reader = RetrievalReader()

    def close(self) -> None:
        """Do nothing: the encoder stays."""

    def score(self, question: Question, text: bool = False, letter: Sequence[float] = ()) -> Scores:
        """Return the scores of a question's options; the lines of its passage are the texts that are read."""
        texts = question.passage.splitlines()
        [odds] = self._reader.scores([replace(question, passage="")], [texts])
        return Scores(letter=tuple(np.minimum(log_softmax(odds), 0.0).tolist()))
