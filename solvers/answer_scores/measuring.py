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
from solvers.answer_scores.files import FORMAT, VERSION, Scored, read_scores
from solvers.answer_scores.scores import Scorer

SEED = 0
"""Of the order in which questions are asked."""

CALIBRATION = slice(2, None, 3)
"""Every third question of a set, in this order, is for calibration, the others are for use."""

TEXT = ("all", "calibration", "none")
"""Questions whose options are scored by their text too, which takes about as long again."""

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
) -> int:
    """Score ``count`` questions of each set, and append them to a file; return how many are in it.

    Those that the file holds are not asked again. The sets take turns. ``digests`` are those of the sets, ``text`` is
    one of :data:`TEXT`.

    Raises
    ------
    ValueError
        If the file is of another model, or of other questions.
    OSError
        If it cannot be read or written.
    """
    about = {"format": FORMAT, "version": VERSION, **scorer.about, "sets": dict(digests), "seed": SEED}
    known = _known(path, about)
    check_name("text", text, TEXT)
    turns = zip_longest(*([(name, *each) for each in _asked(asked, count, text)] for name, asked in sets.items()))
    left = [one for turn in turns for one in turn if one and (one[0], one[1].key) not in known]
    began = time.monotonic()
    if left and not (path.exists() and path.stat().st_size):
        append_line(path, json.dumps(about))
    for number, (name, question, whole) in enumerate(left, 1):
        scores = scorer.score(question, whole)
        scored = Scored(name, question.key, len(question.options), question.answer, scores, question.category)
        append_line(path, scored.to_line())
        if number % TOLD_EVERY == 0 or number == len(left):
            each = (time.monotonic() - began) / number
            told = "%d of %d questions, %.1f s each, about %.0f min left"
            logger.info(told, number, len(left), each, each * (len(left) - number) / 60)
    return len(known) + len(left)


def _asked(question_set: Sequence[Question], count: int, text: str) -> list[tuple[Question, bool]]:
    """Return the questions in their order, each with whether the options' text is scored."""
    asked = order(question_set, count)
    calibration = {question.key for question in asked[CALIBRATION]}
    return [(each, text == "all" or (text == "calibration" and each.key in calibration)) for each in asked]


def _known(path: Path, about: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the questions in a file, after dropping a line that was cut off; none if there is no file."""
    if not path.exists() or not path.stat().st_size:
        return set()
    [found] = read_scores(path)
    for name in ("model", "sha256", "prompts", "sets", "seed"):
        if found.about.get(name) != about.get(name):
            raise ValueError(f"{path} was measured with another {name}: write into another file")
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        write_bytes(path, content[: content.rfind(b"\n") + 1])
    return {(each.data_set, each.key) for each in found.questions}
