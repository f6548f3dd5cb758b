"""The exact reader: a stand-in that understands every sentence of the made-up network, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from secagent_env.questions import Question
from solvers.knowledge.facts.phrasings import KINDS
from solvers.knowledge.facts.world import Fact
from solvers.reasoning.answer import Answer


class ExactReader:
    """Follows a question's facts through the texts that it is given, and guesses where one is missing.

    It is told what every sentence says, so it measures what was found and not what a model understands. The first text
    holds where two contradict each other.

    Parameters
    ----------
    sentences
        The fact that each sentence says.
    """

    name = "exact reader (stand-in)"

    def __init__(self, sentences: Mapping[str, Fact]) -> None:
        self._sentences = dict(sentences)

    def learn(self, sentences: Mapping[str, Fact]) -> None:
        """Make further sentences known."""
        self._sentences.update(sentences)

    def answer(self, question: Question, texts: Sequence[str], rng: np.random.Generator) -> Answer:
        """Return the option that facts in the texts lead to, with confidence 1; else a random one, with 0."""
        values: dict[tuple[str, str], str] = {}
        for text in texts:
            fact = self._sentences.get(text)
            if fact is not None:
                values.setdefault((fact.subject, fact.relation), fact.value)
        place: str | None
        place, *path = _asked(question)
        for relation in filter(None, path):
            place = values.get((place or "", relation))
        if place in question.options:
            return Answer(question.options.index(place), 1.0)
        return Answer(int(rng.integers(len(question.options))), 0.0)


def _asked(question: Question) -> tuple[str, str, str]:
    """Return the subject of a question of the made-up network, and its relations; raise ValueError for any other."""
    subject, _, path = question.key.rpartition(" ")
    first, arrow, second = path.partition(">")
    if not subject or not arrow or second not in KINDS:
        raise ValueError(f"the exact reader knows the questions of the made-up network alone, got {question.key!r}")
    return subject, first, second
