"""Measuring a model: questions of several data sets in turn, each line written as soon as it is known."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.questions import Question, QuestionSet
from secagent_env.support.errors import check_name
from secagent_env.support.files import append_line, write_bytes
from solvers.answer_scores.files import FORMAT, VERSION, Scored, ScoreFile, read_scores
from solvers.answer_scores.readout import BY_TEXT, best, readouts
from solvers.answer_scores.scores import Scorer

SEED = 0
"""Of the order in which questions are asked."""

CALIBRATION = slice(2, None, 3)
"""Every third question of a set, in this order, is for calibration, the others are for use."""

TEXT = ("all", "needed", "none")
"""Questions whose options are scored by their text too, which takes about as long again.

Needed are the texts of the calibration questions, and of a set's other questions where by these a readout by text is
the best.
"""

TOLD_EVERY = 25

logger = logging.getLogger("secagent.answer_scores")


def order(question_set: Sequence[Question], count: int, seed: int = SEED) -> list[Question]:
    """Return ``count`` questions in the order in which they are asked: a permutation, from its beginning."""
    drawn = np.random.default_rng(seed).permutation(len(question_set))[:count]
    return [question_set[int(number)] for number in drawn]


def measure(
    scorer: Scorer,
    sets: Mapping[str, QuestionSet],
    digests: Mapping[str, str],
    count: int,
    path: Path,
    text: str = "all",
    told: Mapping[str, Any] | None = None,
) -> int:
    """Score ``count`` questions of each set, and append them to a file; return how many are in it.

    Those that the file holds are not asked again, unless their texts are wanted and missing; a file of some of the sets
    is extended by the others. The sets take turns. ``digests`` are those of the sets, ``text`` is one of :data:`TEXT`,
    and ``told`` is what else the file says of them.

    Raises
    ------
    ValueError
        If the file is of another model, or of other questions.
    OSError
        If it cannot be read or written.
    """
    about = {"format": FORMAT, "version": VERSION, **(told or {}), **scorer.about, "sets": dict(digests), "seed": SEED}
    known = _known(path, about)
    check_name("text", text, TEXT)
    turns = zip_longest(*([(name, *each) for each in _asked(asked, count, text)] for name, asked in sets.items()))
    left = [one for turn in turns for one in turn if one and (one[0], one[1].key) not in known]
    if left and not (path.exists() and path.stat().st_size):
        append_line(path, json.dumps(about))
    progress = _Progress(len(left))
    for name, question, whole in left:
        append_line(path, _scored(scorer, name, question, whole).to_line())
        progress.tell("questions")
    if text != "none":
        _add_texts(scorer, sets, count, path, text)
    return len(known) + len(left)


def _add_texts(scorer: Scorer, sets: Mapping[str, QuestionSet], count: int, path: Path, text: str) -> None:
    """Score the texts that are wanted and missing of questions in the file; each is written as soon as it is known."""
    [found] = read_scores(path)
    questions = list(found.questions)
    wanted = {
        (name, question.key): question
        for name, asked in sets.items()
        for question in (order(asked, count) if text == "all" or _by_text(found.of(name)) else [])
    }
    missing = [at for at, each in enumerate(questions) if (each.data_set, each.key) in wanted and not each.scores.text]
    progress = _Progress(len(missing))
    for at in missing:
        name, key = questions[at].data_set, questions[at].key
        questions[at] = _scored(scorer, name, wanted[name, key], True, questions[at].scores.letter)
        if not questions[at].scores.text:
            return  # this model tells the letters alone
        write_bytes(path, ScoreFile(found.about, tuple(questions)).to_bytes())
        progress.tell("texts")


def _by_text(scored: Sequence[Scored]) -> bool:
    """Return whether a readout by text is the best on the calibration questions of a set."""
    calibration = scored[CALIBRATION]
    return bool(calibration) and best(readouts(calibration)).rule in BY_TEXT


def _scored(scorer: Scorer, name: str, question: Question, whole: bool, letter: Sequence[float] = ()) -> Scored:
    scores = scorer.score(question, whole, letter)
    return Scored(name, question.key, len(question.options), question.answer, scores, question.category)


class _Progress:
    """Tells from time to time how many of some questions are scored."""

    def __init__(self, count: int) -> None:
        self._count, self._done, self._began = count, 0, time.monotonic()

    def tell(self, what: str) -> None:
        """Count one more, and tell at times."""
        self._done += 1
        if self._done % TOLD_EVERY == 0 or self._done == self._count:
            each = (time.monotonic() - self._began) / self._done
            told = "%d of %d %s, %.1f s each, about %.0f min left"
            logger.info(told, self._done, self._count, what, each, each * (self._count - self._done) / 60)


def _asked(question_set: Sequence[Question], count: int, text: str) -> list[tuple[Question, bool]]:
    """Return the questions in their order, each with whether the options' text is scored."""
    asked = order(question_set, count)
    calibration = {question.key for question in asked[CALIBRATION]}
    return [(each, text == "all" or (text == "needed" and each.key in calibration)) for each in asked]


def _known(path: Path, about: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the questions in a file, after dropping a line that was cut off; none if there is no file.

    A file of fewer sets gets the new header.
    """
    if not path.exists() or not path.stat().st_size:
        return set()
    [found] = read_scores(path)
    sets, held = about["sets"], found.about.get("sets")
    fewer = isinstance(held, dict) and held.items() < sets.items()
    for name in ("model", "sha256", "prompts", "sets", "seed"):
        if found.about.get(name) != about.get(name) and not (name == "sets" and fewer):
            raise ValueError(f"{path} was measured with another {name}: write into another file")
    if fewer:
        write_bytes(path, ScoreFile(about, found.questions).to_bytes())
    elif not (content := path.read_bytes()).endswith(b"\n"):
        write_bytes(path, content[: content.rfind(b"\n") + 1])
    return {(each.data_set, each.key) for each in found.questions}
