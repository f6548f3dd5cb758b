"""The retrieval reader: it answers offline, by the similarity of options and texts. It is a weak but real model.

It scores every option by a few features and takes the best. Without texts the features are guesses: the similarity of
option and question, the length of the option, and whether it sums up the others ("all of the above"). With texts they
are also the evidence in the texts, averaged with the largest weights for the texts nearest to the question.

The weights of the features are those of a conditional logit model, fitted once on 1600 questions of TeleQnA with the
explanations of other questions as texts, and rounded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from secagent_env.questions.question import Question
from solvers.knowledge.store.encoder import Encoder, default_encoder
from solvers.knowledge.store.lookup import query
from solvers.reasoning.answer import Answer

FEATURES = (
    "similarity of question and option",
    "sums up the others",
    "log of the length",
    "similarity of question with option and text",
    "similarity of option and text",
    "share of the option's words in the text",
)
WITHOUT_TEXTS = (3.5, 5.2, 0.95, 0.0, 0.0, 0.0)
WITH_TEXTS = (5.2, 5.0, 1.0, 5.9, -3.3, 1.6)
"""The weights of the features. The −3.3 corrects for options that are near to any text."""
FITTED_ON = 1600
"""The number of questions of TeleQnA in the fit: the first of ``default_rng(0).permutation(10000)``."""
SHARPNESS = 20.0
"""Texts have weights of exp(20 · similarity to the question)."""
_SUMS_UP = re.compile(
    r"(?:all|both)\b.{0,30}\b(?:above|these|those|options|mentioned|answers|choices|other)\b|both\b", re.IGNORECASE
)
_DENIES = re.compile(r"(?:none|neither)\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")


class RetrievalReader:
    """Answers questions by the similarity of their options to texts.

    Most features work in any language; options that sum up the others are recognised in English alone.

    Parameters
    ----------
    encoder
        The encoder of sentences; None: the one that the whole process shares.

    Raises
    ------
    ImportError
        If no encoder is given, and the extra ``knowledge`` is not installed.
    """

    name = "retrieval reader (offline)"

    def __init__(self, encoder: Encoder | None = None) -> None:
        self.encoder = default_encoder() if encoder is None else encoder

    def answer(self, question: Question, texts: Sequence[str], rng: np.random.Generator | None = None) -> Answer:
        """Return the option with the best score; nothing is random, and ``rng`` is not used.

        The question's own passage is read as a text; without texts the reader guesses. ``confidence`` is the lead of
        the option's probability over that of the next one.
        """
        return self.answer_all([question], [texts])[0]

    def answer_all(self, questions: Sequence[Question], texts: Sequence[Sequence[str]]) -> list[Answer]:
        """Return the answers to many questions, each with its own texts; faster than one by one. See :meth:`scores`."""
        return [_best(scores) for scores in self.scores(questions, texts)]

    def scores(self, questions: Sequence[Question], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the scores of the options of each question: log-odds, up to a constant.

        Raises
        ------
        ValueError
            If the numbers of questions and of lists of texts differ.
        """
        if len(questions) != len(texts):
            raise ValueError(f"each question needs a list of texts: got {len(texts)} for {len(questions)}")
        read = [_readable(question, own) for question, own in zip(questions, texts, strict=True)]
        needed: list[str] = []
        for question, own in zip(questions, read, strict=True):
            with_texts = [*own, query(question), *_completed(question)] if own else []
            needed += [question.text, *question.options, *with_texts]
        self.encoder.encode(list(dict.fromkeys(needed)))  # in batches; the encoder remembers vectors
        return [
            self.features(question, own) @ np.array(WITH_TEXTS if own else WITHOUT_TEXTS)
            for question, own in zip(questions, read, strict=True)
        ]

    def features(self, question: Question, texts: Sequence[str]) -> np.ndarray:
        """Return the features of the options of a question, (options, 6), in the order of ``FEATURES``."""
        options = self.encoder.encode(question.options)
        values = np.zeros((len(question.options), len(FEATURES)))
        values[:, 0] = options @ self.encoder.encode([question.text])[0]
        values[:, 1] = [bool(_SUMS_UP.match(option)) - bool(_DENIES.match(option)) for option in question.options]
        values[:, 2] = np.log([len(option) for option in question.options])
        if texts:
            vectors = self.encoder.encode(texts)
            near = np.exp(SHARPNESS * (vectors @ self.encoder.encode([query(question)])[0]))
            weights = near / near.sum()
            values[:, 3] = self.encoder.encode(_completed(question)) @ vectors.T @ weights
            values[:, 4] = options @ vectors.T @ weights
            values[:, 5] = _shares(question, texts) @ weights
        return values


def _completed(question: Question) -> list[str]:
    """Return the question's text with each of its options."""
    return [f"{question.text} {option}" for option in question.options]


def _readable(question: Question, texts: Sequence[str]) -> list[str]:
    """Return the question's own passage and the texts, without empty ones."""
    return [text for text in (question.passage, *texts) if text.strip()]


def _shares(question: Question, texts: Sequence[str]) -> np.ndarray:
    """Return the share of the words of each option, without those of the question, in each text, (options, texts)."""
    new = [_words(option) - _words(question.text) for option in question.options]
    in_texts = [_words(text) for text in texts]
    return np.array([[len(words & text) / len(words) if words else 0.0 for text in in_texts] for words in new])


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _best(scores: np.ndarray) -> Answer:
    """Return the first option with the best score."""
    likely = np.exp(scores - scores.max())
    likely /= likely.sum()
    first = int(scores.argmax())
    return Answer(first, confidence=float(likely[first] - np.delete(likely, first).max()))
