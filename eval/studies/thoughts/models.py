"""``secagent reproduce genainet-thoughts-models``: chain, tree and graph of thoughts of a real language model."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import ClassVar, Self

from eval.experiments.groups import model_of_groups
from eval.studies.thoughts.proposers import LANGUAGE
from eval.studies.thoughts.study import Thoughts
from solvers.planning.powers import RulePowers


@dataclass(frozen=True)
class ModelThoughts(Thoughts):
    """Planners and rewards with thoughts of a language model, beside those of rules on the same games."""

    name: ClassVar[str] = "genainet-thoughts-models"
    usual_instances: ClassVar[int] = 6

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that the options of `secagent reproduce` describe, with ``instances`` games.

        Raises ValueError if not exactly one model is named.
        """
        model = {**model_of_groups(args.groups, cls.name), "bandwidth_khz": 100.0}
        return cls(
            games=("infeasible",),
            proposers=(RulePowers.name, LANGUAGE),
            rewards=("roll-out", "self"),
            pairs=2,
            draws=args.instances,
            rounds=3,
            budget=5,
            seed=Thoughts.seed + args.seed,
            model=model,
        )
