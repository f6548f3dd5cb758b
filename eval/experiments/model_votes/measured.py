"""What models were measured to answer: distributions over the options, and their accuracy on other questions.

Every third question of a set, in the order in which all models were asked, is for calibration: by these alone the
readout is chosen and fitted, and the accuracy of drawn answers measured. The others are voted on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from solvers.answer_scores.files import Scored, ScoreFile, read_scores
from solvers.answer_scores.measuring import CALIBRATION
from solvers.answer_scores.readout import Readout, best, readouts


@dataclass(frozen=True, eq=False)
class Measured:
    """The answers of G models to the Q questions of a data set that are voted on.

    Attributes
    ----------
    name
        Of the data set.
    models
        (G,), their names, in the order of the groups.
    readouts, all_readouts
        (G,), the readout of each model, and all that could be fitted, by rule.
    accuracy
        (G,), Acc_n: how often a drawn answer is right, measured on ``calibration`` other questions.
    distributions
        (G, Q, m), over the options; 0 beyond the options that a question has.
    num_options, answers
        (Q,), m of each question, and its right option.
    calibration
        The number of calibration questions.
    """

    name: str
    models: tuple[str, ...]
    readouts: tuple[Readout, ...]
    all_readouts: tuple[dict[str, Readout], ...]
    accuracy: np.ndarray
    distributions: np.ndarray
    num_options: np.ndarray
    answers: np.ndarray
    calibration: int

    @classmethod
    def of(cls, name: str, files: Sequence[ScoreFile]) -> Measured:
        """Return what the files of G models hold of a data set: of the questions that all were asked.

        Raises ValueError if they were asked different questions, or none.
        """
        asked = [file.of(name) for file in files]
        common = min(len(scored) for scored in asked)
        asked = [scored[:common] for scored in asked]
        if any([_label(each) for each in scored] != [_label(each) for each in asked[0]] for scored in asked):
            raise ValueError(f"the models were asked different questions of {name}, or in another order")
        if common < 3:
            raise ValueError(f"there are scores of {common} questions of {name} by all models; it takes at least 3")
        fitted = tuple(readouts(scored[CALIBRATION]) for scored in asked)
        chosen = tuple(best(each) for each in fitted)
        voted = [np.delete(np.arange(common), CALIBRATION)] * len(files)
        sizes = np.array([asked[0][number].num_options for number in voted[0]])
        distributions = np.zeros((len(files), sizes.size, sizes.max()))
        for group, (readout, scored) in enumerate(zip(chosen, asked, strict=True)):
            for row, number in enumerate(voted[group]):
                distributions[group, row, : sizes[row]] = readout.distribution(scored[number].scores)
        return cls(
            name,
            tuple(file.model for file in files),
            chosen,
            fitted,
            np.array([readout.drawn for readout in chosen]),
            distributions,
            sizes,
            np.array([asked[0][number].answer for number in voted[0]]),
            len(range(common)[CALIBRATION]),
        )

    @property
    def options(self) -> dict[int, int]:
        """The number of voted questions with 2, 3, … options."""
        return dict(sorted(Counter(self.num_options.tolist()).items()))

    @property
    def drawn(self) -> np.ndarray:
        """How often a drawn answer of each model is right, (G, Q): the probability of the right option."""
        return self.distributions[:, np.arange(self.answers.size), self.answers]


def read_all(paths: Sequence[Path | str]) -> list[ScoreFile]:
    """Return the scores of all models in some files, the narrowest model first.

    Raises
    ------
    ValueError
        If a file is damaged, two are of the same model, or the sets of questions differ.
    OSError
        If one cannot be read.
    """
    files = [file for path in paths for file in read_scores(path)]
    if len({file.model for file in files}) < len(files):
        raise ValueError("a model is scored in two files")
    if not all(isinstance(file.about.get("dim"), int) for file in files):
        raise ValueError("a file of scores does not tell the model's width, dim")
    for name in ("sets", "seed"):
        if any(file.about.get(name) != files[0].about.get(name) for file in files):
            raise ValueError(f"the files of scores were measured with different {name}")
    return sorted(files, key=lambda file: int(file.about["dim"]))


def _label(scored: Scored) -> tuple[str, int, int]:
    return scored.key, scored.num_options, scored.answer
