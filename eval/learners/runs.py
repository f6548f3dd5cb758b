"""Finished trainings, and the figures of their policies on the test instances."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env import Scenario
from training.learn.run_folder import RunFolder

PLAIN = (("mlp", "policy"), ("local", "policy"), ("flat", "action_format"), ("bids", "action_format"))
"""What a learner's name tells of its hyperparameters."""


@dataclass(frozen=True)
class Training:
    """A finished training: the contents of ``config.json`` and ``evaluations.jsonl`` in its folder."""

    path: Path
    config: dict[str, Any]
    evaluations: list[dict[str, Any]]
    apart: str = ""
    """What sets it apart from others of its algorithm that it is judged beside, such as ``" (n_epochs=2)"``."""

    @classmethod
    def read(cls, path: str | Path) -> Training:
        """Read the folder of a training.

        Raises ValueError if it is the folder of no training, or of one that is not finished.
        """
        folder = RunFolder(path)
        if not folder.config.is_file():
            raise ValueError(f"{path} is not the folder of a training: it has no config.json")
        if not folder.policy.is_file():
            raise ValueError(f"the training in {path} is not finished: it has no policy.onnx yet")
        return cls(Path(path), folder.read_config(), folder.read_evaluations())

    @property
    def learner(self) -> str:
        """The algorithm, and what sets it apart: ``ppo``, ``ppo-mlp-flat``, ``l2o-csi0.1``, ``rloo-started``.

        That is a policy plainer than the equivariant one, estimates in the place of the truth, and another training's
        policy to begin with.
        """
        chosen = self.config["hyperparameters"]
        plain = [name for name, key in PLAIN if chosen.get(key) == name]
        error = self.config.get("csi_error")
        estimated = [] if error is None else [f"csi{error:g}"]
        started = [] if self.config.get("start_from") is None else ["started"]
        return "-".join([self.config["algo"], *plain, *estimated, *started]) + self.apart

    @property
    def environment(self) -> str:
        """The Gymnasium id."""
        return str(self.config["environment"])

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return int(self.config["seed"])

    @property
    def scenario(self) -> Scenario:
        """The scenario that it was trained on, of a mixture the first."""
        return self.scenarios[0]

    @property
    def scenarios(self) -> list[Scenario]:
        """The scenarios that it was trained on."""
        return [Scenario.coerce(one) for one in (self.config["scenario"], *(self.config.get("mixed_with") or ()))]

    @property
    def steps(self) -> int:
        """The number of steps that it learnt from."""
        return int(self._used("steps"))

    @property
    def minutes(self) -> float:
        """The processor time of the training, evaluations included, min."""
        return float(self._used("cpu_seconds")) / 60

    def _used(self, name: str) -> float:
        last = self.evaluations[-1] if self.evaluations else {}
        return float(self.config.get("used", last).get(name, np.nan))

    @property
    def score(self) -> float:
        """The mean reward on the validation instances, by which the best seed is picked."""
        score = self.config.get("best", {}).get("score")
        return -np.inf if score is None else float(score)


def set_apart(trainings: Sequence[Training]) -> list[Training]:
    """Return trainings whose learners' names tell the hyperparameters in which those of one name differ."""
    found = []
    for one in trainings:
        alike = [other.config["hyperparameters"] for other in trainings if other.learner == one.learner]
        own = one.config["hyperparameters"]
        known = dict.fromkeys(name for other in alike for name in other)
        names = [name for name in known if any(other.get(name) != own.get(name) for other in alike)]
        told = ", ".join(f"{name}={own.get(name)}" for name in names)
        found.append(dataclasses.replace(one, apart=f" ({told})" if told else ""))
    return found


@dataclass(frozen=True)
class Judgement:
    """The figures of a policy on the test instances of one size.

    Attributes
    ----------
    learner, seed
        Of the policy.
    agents
        N.
    gap, repaired_gap
        (K,), energy over the bound minus 1 of the forward pass and with the repair; NaN where infeasible.
    batch_ms, single_ms
        Per decision, repair included: of all in a batch, and one by one (median); NaN if not measured.
    steps, minutes
        Of the training, NaN where there was none: environment steps and processor time.
    """

    learner: str
    seed: int
    agents: int
    gap: np.ndarray
    repaired_gap: np.ndarray
    batch_ms: float = np.nan
    single_ms: float = np.nan
    steps: float = np.nan
    minutes: float = np.nan

    @classmethod
    def of(cls, row: Mapping[str, Any], training: Training | None) -> Judgement:
        """Return the figures in a row of :mod:`eval.learners.cells`, of a training or a reference."""
        gap, repaired_gap = (np.array(json.loads(row[name]), float) for name in ("gap", "repaired_gap"))
        untaught = 0 if row["scheme"] == "untrained" else np.nan
        return cls(
            learner=row["scheme"],
            seed=row["seed"],
            agents=row["value"],
            gap=gap,
            repaired_gap=repaired_gap,
            batch_ms=row.get("batch_ms", np.nan),
            single_ms=row.get("single_ms", np.nan),
            steps=untaught if training is None else training.steps,
            minutes=np.nan if training is None else training.minutes,
        )

    def row(self) -> dict[str, Any]:
        """Return the figures as a row of the CSV file."""
        return {
            "learner": self.learner,
            "seed": self.seed,
            "num_agents": self.agents,
            "instances": self.gap.size,
            "feasible": float(np.isfinite(self.gap).mean()),
            "gap": _mean(self.gap),
            "feasible_repaired": float(np.isfinite(self.repaired_gap).mean()),
            "gap_repaired": _mean(self.repaired_gap),
            "batch_ms": self.batch_ms,
            "single_ms": self.single_ms,
            "steps": self.steps,
            "cpu_minutes": self.minutes,
        }


def _mean(gap: np.ndarray) -> float:
    finite = gap[np.isfinite(gap)]
    return float(finite.mean()) if finite.size else float("nan")
