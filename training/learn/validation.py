"""Validation: how good a policy is on instances, or episodes, that no training sees."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from secagent_env import Instance
from secagent_env.allocation.guided import SelectionFormat
from secagent_env.allocation.observations import observe
from secagent_env.allocation.rules import AllocationRules, decoder
from secagent_env.sampling.estimation import estimate_eavesdroppers
from secagent_env.support.digests import sealed, verified
from secagent_env.support.extras import installed
from secagent_env.support.files import write_text
from secagent_env.support.reading import parse_json, read_text
from solvers.certificate.bounds import lower_bound
from training.learn.learner import Task
from training.learn.seeds import VALIDATION, validation_instances
from training.play.draws import best_drawn

Act = Callable[[Any], np.ndarray]
"""From a batch of observations to deterministic actions."""

INSTANCES = 1000
EPISODES = 64


class Validation(Protocol):
    """Judges a policy; the better one has the greater score."""

    def measure(self, act: Act) -> dict[str, float]:
        """Return the figures of a policy by name, ``score`` among them."""


class AllocationValidation:
    """The validation instances of a scenario, or those held out of the user's own, against certified lower bounds.

    Instances that are proved infeasible do not count. The bounds are computed once, and kept in ``bounds``. Under
    ``csi_error`` the policy sees estimates, the same in every run, and is judged on the truth. Of ``samples``
    selections that it draws the best counts.
    """

    def __init__(self, task: Task, bounds: Path, samples: int = 1) -> None:
        own = task.own(held_out=True)
        instances = (
            validation_instances(task.scenario, INSTANCES)
            if own is None
            else own.take(np.arange(min(len(own), INSTANCES)))
        )
        lower = _bounds(instances, bounds)
        feasible = np.isfinite(lower)
        if not feasible.any():
            raise ValueError("no validation instance of this scenario is feasible: there is nothing to learn")
        error = task.csi_error
        seen = instances if error is None else estimate_eavesdroppers(instances, error, VALIDATION.start)
        self._instances, self._seen, self._lower = instances[feasible], seen[feasible], lower[feasible]
        self._rules = AllocationRules(
            scenario=task.scenario,
            action_format=task.settings.action_format,
            observation_format=task.settings.observation_format,
        )
        self._samples = samples
        self._observations = observe(self._seen, self._rules.observation_format)

    def measure(self, act: Act) -> dict[str, float]:
        """Return the figures of a policy.

        ``feasible``, the share of its decisions that are; ``gap``, the mean of energy over bound, minus 1, of these
        (NaN if there are none); ``score``, the mean reward at the environment's default penalties, whatever those of
        the training are.
        """
        action = act(self._observations)
        if self._samples > 1:
            form = decoder(self._rules.action_format, self._seen.scenario, compiled=installed("numba"))
            assert isinstance(form, SelectionFormat)
            decision, _ = best_drawn(form, self._seen, action, self._samples)
        else:
            decision = self._rules.actions.decode(action, self._seen)
        outcome, reward, _ = self._rules.score(self._instances, decision)
        feasible = np.asarray(outcome.feasible)
        gap = (outcome.energy_j / self._lower - 1)[feasible]
        return {
            "feasible": float(feasible.mean()),
            "gap": float(gap.mean()) if gap.size else float("nan"),
            "score": float(reward.mean()),
        }


class EpisodeValidation:
    """Fixed validation episodes of any vector environment: the mean return and length of one in each."""

    def __init__(self, envs: Any) -> None:
        self._envs = envs

    def measure(self, act: Act) -> dict[str, float]:
        """Return ``score``, the mean return of the episodes, and ``length``, their mean number of steps."""
        observations, _ = self._envs.reset(seed=VALIDATION.start)
        count = self._envs.num_envs
        running, returns, lengths = np.ones(count, bool), np.zeros(count), np.zeros(count)
        while running.any():
            observations, rewards, terminated, truncated, _ = self._envs.step(act(observations))
            returns += np.where(running, rewards, 0.0)
            lengths += running
            running &= ~(terminated | truncated)
        return {"score": float(returns.mean()), "length": float(lengths.mean())}


class MixedValidation:
    """A validation for each scenario of a mixture, all of which count alike."""

    def __init__(self, parts: Sequence[Validation]) -> None:
        self._parts = tuple(parts)

    def measure(self, act: Act) -> dict[str, float]:
        """Return the means of the figures over the scenarios, and those of scenario k = 1, 2, … as ``k/name``."""
        figures = [part.measure(act) for part in self._parts]
        means = {name: float(np.mean([own[name] for own in figures])) for name in figures[0]}
        return means | {f"{k}/{name}": value for k, own in enumerate(figures, 1) for name, value in own.items()}


def _bounds(instances: Instance, path: Path) -> np.ndarray:
    """Return the certified lower bounds (B,), J, from a file or into it."""
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # none, or broken: compute the bounds
        text = read_text(path)
        document = verified(parse_json(text, finite=False), path)
        bounds = np.array(document["energy_j"], float)
        if bounds.shape == instances.batch_shape:
            return bounds
    bounds = np.array([lower_bound(instance).energy_j for instance in instances])
    write_text(path, json.dumps(sealed({"energy_j": bounds.tolist()})) + "\n")
    return bounds
