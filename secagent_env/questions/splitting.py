"""Folds of a question set: duplicates stay together, and categories are spread evenly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from secagent_env.questions.question import Question
from secagent_env.support.checks import integer
from secagent_env.support.shares import apportioned


def split(questions: Sequence[Question], folds: int, seed: int = 0) -> list[np.ndarray]:
    """Return the indices of each of ``folds`` parts, ascending; every question is in one of them.

    Questions of a group are in the same fold. Groups are shuffled, and dealt out by category (of their first question).

    Parameters
    ----------
    questions
        In any order.
    folds
        At least 1.
    seed
        Of the shuffling.

    Raises
    ------
    ValueError
        If there are fewer groups than folds.
    """
    groups: dict[str, list[int]] = {}
    for index, question in enumerate(questions):
        groups.setdefault(question.group or f"\0{index}", []).append(index)
    if not 1 <= folds <= len(groups):
        raise ValueError(f"folds must be an integer from 1 to {len(groups)}, the number of groups, got {folds!r}")
    rng = np.random.default_rng(seed)
    by_category: dict[str, list[list[int]]] = {}
    for members in groups.values():
        by_category.setdefault(questions[members[0]].category, []).append(members)
    parts: list[list[int]] = [[] for _ in range(folds)]
    place = 0
    for category in by_category.values():
        for chosen in rng.permutation(len(category)):
            parts[place % folds] += category[chosen]
            place += 1
    return [np.sort(np.array(part, int)) for part in parts]


def sample(questions: Sequence[Question], count: int, seed: int = 0) -> np.ndarray:
    """Return the indices, ascending, of ``count`` questions, by category as in all of them; all if there are fewer.

    What is drawn of a category of n questions is the count's share of n, rounded by largest remainders.
    """
    if integer("the number of questions", count, 1) >= len(questions):
        return np.arange(len(questions))
    rng = np.random.default_rng(seed)
    categories = [question.category for question in questions]
    names = list(dict.fromkeys(categories))
    counts = apportioned(count, [categories.count(name) for name in names])
    drawn = [
        rng.choice(np.flatnonzero([category == name for category in categories]), size, replace=False)
        for name, size in zip(names, counts, strict=True)
    ]
    return np.sort(np.concatenate(drawn))
