"""``secagent reproduce genainet-experience-models``: the season of a real language model, recorded for replay."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import ClassVar, Self

from eval.experiments.groups import model_of_groups
from eval.studies.experience.study import Experience
from eval.studies.thoughts.proposers import LANGUAGE


@dataclass(frozen=True)
class ModelExperience(Experience):
    """One season of games with each kind of memory, played by a language model."""

    name: ClassVar[str] = "genainet-experience-models"
    usual_instances: ClassVar[int] = 50

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that the options of `secagent reproduce` describe: a season of ``instances`` games.

        Raises ValueError if not exactly one model is named.
        """
        model = model_of_groups(args.groups, cls.name)
        seed = Experience.seed + args.seed
        return cls((LANGUAGE,), args.instances, 1, 1, pairs=2, rounds=4, seed=seed, bandwidth_khz=100.0, model=model)
