"""The knowledge of a standard's vocabulary, 3GPP TR 21.905, in the place of other questions' explanations.

Its definitions were not written for any question, and hold the answers of many: what case study A needs, and what
explanations cannot be.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from eval.experiments.knowledge_transfer.cells import (
    BATCH,
    PASSAGES,
    PRINTED_RATIO,
    RATIOS,
    Condition,
    at_random,
    right_of,
    unfitted,
)
from eval.experiments.knowledge_transfer.student_questions import digests_of, with_passages
from eval.experiments.question_source import Source, folder_of
from secagent_env import questions
from secagent_env.questions import QuestionSet
from secagent_env.support.errors import check_name
from solvers.knowledge.compress.compression import Writer, compress
from solvers.knowledge.corpus import vocabulary
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import default_encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.reasoning.reader import RetrievalReader

FILES = "telecom/21905-*.docx"
CATEGORY = "Lexicon"
"""The category of questions on terms."""
NOTHING, FULL, COMPRESSED = "no knowledge", "full", "compressed"
ASKED, RANDOM, SHORTENED, PLACEBO = "compressed by what is asked", "at random", "shortened", "others' passages"
SUMMARISED = "summarised"
WITHOUT, ALL, CHOSEN = Condition(NOTHING, 0.0), Condition(FULL), Condition(COMPRESSED, PRINTED_RATIO)
SWAPPED = Condition(PLACEBO)
CONDITIONS = (
    WITHOUT,
    ALL,
    *(Condition(kind, ratio) for kind in (COMPRESSED, ASKED) for ratio in RATIOS),
    Condition(RANDOM, PRINTED_RATIO),
    Condition(SHORTENED, PRINTED_RATIO),
    SWAPPED,
)
OF_STUDENTS = (WITHOUT, CHOSEN, ALL, SWAPPED)
"""The conditions in which a language model answers."""
BY_RULES, BY_WRITER = Condition(SHORTENED, PRINTED_RATIO), Condition(SUMMARISED, PRINTED_RATIO)
OF_WRITERS = (BY_RULES, BY_WRITER)
"""Those in which it answers too where a writer shortens the texts, to the bits of the chosen ones."""
PREFIX = "vocabulary, "
"""What the names of a student's sets begin with."""
WRITER = "writer"
"""The field of a file of scores that says what a writer made of the texts."""


def vocabulary_file(data: Path | str | None = None) -> Path:
    """Return the file of the vocabulary in the folder of data sets; raise ValueError if it is not there."""
    folder = folder_of(None if data is None else str(data))
    found = sorted(Path(folder).glob(FILES)) if folder else []
    if not found:
        raise ValueError(
            f"there is no {FILES} in the folder of data sets ({folder or 'none: name it with --data'}): 3GPP TR 21.905 "
            "is at https://www.3gpp.org/ftp/Specs/archive/21_series/21.905"
        )
    return found[-1]


class Terms:
    """Questions of a category that are asked with the vocabulary, and what of it a student is sent.

    Parameters
    ----------
    available
        All questions. Those on which the reader's weights were fitted are not asked, but tell the teacher what others
        ask.
    count, seed
        Of the questions asked: all of the category if it has fewer.
    path
        Of the vocabulary.
    category
        Of the questions.
    writer
        Shortens texts, for the condition "summarised".

    Raises
    ------
    ValueError
        If the category is unknown, or the file holds no terms.
    """

    def __init__(
        self,
        available: QuestionSet,
        count: int,
        seed: int,
        path: Path,
        category: str = CATEGORY,
        writer: Writer | None = None,
    ) -> None:
        check_name("category", category, sorted({question.category for question in available}))
        own = [question for question in available if question.category == category]
        fresh = [available[number] for number in unfitted(available) if available[number].category == category]
        self.asked = [fresh[int(number)] for number in questions.sample(fresh, count, seed)]
        asked = {group_of(question) for question in self.asked}
        self.others = [question for question in own if group_of(question) not in asked][:BATCH]
        self.encoder = default_encoder()
        self.reader = RetrievalReader(self.encoder)
        self.whole = KnowledgeBase.build(vocabulary(path), self.encoder)
        self.seed = seed
        self.writer = writer
        self._sent: dict[Condition, KnowledgeBase] = {}

    @functools.cached_property
    def expected(self) -> np.ndarray | None:
        """Vectors (Q, d) of other questions of the category, by which the teacher chooses; None without any."""
        return self.encoder.encode([query(question) for question in self.others]) if self.others else None

    @functools.cached_property
    def queries(self) -> np.ndarray:
        """Vectors (Q, d) of the questions that are asked."""
        return self.encoder.encode([query(question) for question in self.asked])

    def sent(self, condition: Condition) -> KnowledgeBase:
        """Return the knowledge that a student is sent."""
        if condition not in self._sent:
            self._sent[condition] = self._choose(condition)
        return self._sent[condition]

    def _choose(self, condition: Condition) -> KnowledgeBase:
        whole, ratio, seed = self.whole, condition.ratio, self.seed
        encoder = self.encoder
        match condition.kind:
            case "no knowledge":
                return whole.select([])
            case "compressed":
                return compress(whole, ratio, queries=self.expected, seed=seed)
            case "shortened":
                return compress(whole, ratio, queries=self.expected, shortening="light", encoder=encoder, seed=seed)
            case "summarised":
                if self.writer is None:
                    raise ValueError("a summarised vocabulary needs a writer")
                return compress(whole, ratio, queries=self.expected, writer=self.writer, encoder=encoder, seed=seed)
            case "compressed by what is asked":
                return compress(whole, ratio, queries=self.queries, seed=seed)
            case "at random":
                return at_random(whole, ratio, seed)
        return whole

    def texts(self, condition: Condition) -> list[list[str]]:
        """Return the passages that a student reads for each question: the nearest of those sent.

        In the place of its own, a placebo gives each question the passages of the one that is half of them further.
        """
        base = self.sent(condition)
        nearest, _ = base.search(self.queries, PASSAGES)
        found = [[base.passages[number].text for number in row if number >= 0] for row in nearest]
        turn = len(found) // 2 if condition.kind == PLACEBO else 0
        return found[turn:] + found[:turn]

    def right(self, condition: Condition) -> np.ndarray:
        """Return which questions the reader answers right, (Q,) bool."""
        answers = self.reader.answer_all(self.asked, self.texts(condition))
        return right_of(answers, self.asked)


def term_questions(
    count: int, seed: int = 0, data: Path | str | None = None, writer: Writer | None = None
) -> tuple[dict[str, QuestionSet], dict[str, str]]:
    """Return the questions on terms in a student's conditions, by their labels, and digests of the sets and texts.

    The texts of a condition are the question's passage. With a writer there are two more: texts that it shortens, and
    that rules do. Raises ValueError if the vocabulary is not there.
    """
    source = Source.of(data=data)
    terms = Terms(source.load(), count, seed, vocabulary_file(data), writer=writer)
    conditions = (*OF_STUDENTS, *(OF_WRITERS if writer else ()))
    sets = {f"{PREFIX}{each.label}": with_passages(source.name, terms.asked, terms.texts(each)) for each in conditions}
    return sets, digests_of(sets, source)
