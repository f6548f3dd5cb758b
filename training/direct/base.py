"""Learners of single instances, without an environment: from what the physics says of decisions, or from labels."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.logger import Logger
from torch import Tensor

from secagent_env import Instance, sample_instance
from secagent_env.allocation.observations import observation_shapes, observe
from secagent_env.gym_bases.mixed_vector import shares
from secagent_env.model.scenario import Scenario
from secagent_env.sampling.estimation import estimate_eavesdroppers, generator_beside
from secagent_env.support import checks
from training.learn.learner import Learner, State, Task
from training.learn.seeds import library_seed, train_seed
from training.networks.equivariant import split_parts

_WARM_UP = 0.05


class InstanceLearner(Learner):
    """The base: a subclass names its network and how it learns. A step is one instance.

    ``defaults`` are the hyperparameters and their defaults, ``formats`` the policy, the action format and the
    observation format that it trains.
    """

    defaults: ClassVar[Mapping[str, float]]
    formats: ClassVar[tuple[str, str, str]]

    def __init__(self, task: Task, device: str = "cpu") -> None:
        settings, (policy, action, observation) = task.settings, self.formats
        if task.environment != "allocation":
            raise ValueError(
                f"{task.algo} learns to solve single instances: it has no environment {task.environment!r}"
            )
        if settings.policy != policy:
            raise ValueError(f"{task.algo} trains the policy {policy}, not {settings.policy!r}")
        if (settings.action_format, settings.observation_format) != (action, observation):
            raise ValueError(f"{task.algo} needs action_format {action} and observation_format {observation}")
        self._task, self._device, self._own = task, torch.device(device), task.own()
        self._options = _checked(self.defaults, {**self.defaults, **settings.arguments})
        shares(int(self._options["batch_size"]), len(task.parts))  # else a scenario would have no instance
        self._shapes = _shapes_by_size(task, observation)
        torch.manual_seed(library_seed(task.seed, 0))
        self.network: Any = self._network().to(self._device)
        self.policy = self.network
        self._optimizer = torch.optim.Adam(self.network.parameters(), self._options["learning_rate"])
        self._steps = 0

    @classmethod
    def arguments(cls, algo: str) -> set[str]:
        """Return the names of the hyperparameters."""
        return set(cls.defaults)

    @abstractmethod
    def _network(self) -> torch.nn.Module:
        """Return a new network, which makes actions of the parts of an observation."""

    @property
    def steps(self) -> int:
        """The number of instances learnt from so far."""
        return self._steps

    def _instances(self, rng: np.random.Generator, size: int) -> list[Instance]:
        """Return ``size`` instances to learn from, a batch for each scenario: fresh ones, or of the user's own."""
        if self._own is None:
            dealt = zip(self._task.parts, shares(size, len(self._task.parts)), strict=True)
            return [sample_instance(part.scenario, rng, (share,)) for part, share in dealt]
        return [self._own.take(rng.integers(len(self._own), size=size))]

    def _seen(self, batches: Sequence[Instance], errors: np.random.Generator) -> Sequence[Instance]:
        """Return what the network sees of batches: under ``csi_error`` estimates."""
        error = self._task.csi_error
        return batches if error is None else [estimate_eavesdroppers(batch, error, errors) for batch in batches]

    def _descend(self, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """Take a step against the gradient of the sum of the loss's terms; return them and it."""
        done = self._steps / self._task.settings.steps
        for group in self._optimizer.param_groups:
            group["lr"] = self._options["learning_rate"] * min(done / _WARM_UP + 0.05, max(1 - done, 0.0), 1.0)
        loss = torch.stack(list(terms.values())).sum()
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._options["max_grad_norm"])
        self._optimizer.step()
        return {"loss": loss.item(), **{name: term.item() for name, term in terms.items()}}

    def _parts(self, observations: np.ndarray) -> dict[str, Tensor]:
        return split_parts(torch.from_numpy(observations).to(self._device), self._shapes[observations.shape[-1]])

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Return the actions (B, A) for a batch of observations (B, D)."""
        with torch.no_grad():
            return np.asarray(self.network(**self._parts(observations)).cpu())

    def state(self) -> State:
        """Return parameters, optimiser and counter."""
        tensors = {"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}
        return State(tensors, {"steps": self._steps})

    def load_state(self, state: State) -> None:
        """Continue from a state."""
        self.network.load_state_dict(state.tensors["network"])
        self._optimizer.load_state_dict(state.tensors["optimizer"])
        self._steps = state.counters["steps"]

    def exportable(self) -> tuple[torch.nn.Module, dict[str, Tensor]]:
        """Return the network, and examples of its inputs by name."""
        shapes = next(iter(self._shapes.values()))
        return self.network, {name: torch.rand(2, *shape, device=self._device) for name, shape in shapes.items()}


class PhysicsLearner(InstanceLearner):
    """The base of learners that see each instance once: a subclass also says what a decision costs."""

    @abstractmethod
    def _decided(self, scenario: Scenario, parts: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Return what the network decides on the parts of B observations of a scenario: tensors of the first axis B."""

    @abstractmethod
    def _terms(self, truth: Instance, known: Instance, *decided: Tensor) -> dict[str, Tensor]:
        """Return the terms of the loss, whose sum is minimised, of what is decided on a scenario's instances (B).

        ``known`` are the instances as the network sees them, the same object as ``truth`` where it sees the truth.
        """

    def learn(self, segment: int, steps: int, logger: Logger, progress: Callable[[int], None]) -> None:
        """Learn from ``steps`` fresh instances, rounded up to whole batches."""
        rng = np.random.default_rng(train_seed(self._task.seed, segment))
        torch.manual_seed(library_seed(self._task.seed, segment))
        errors = generator_beside(rng)
        size = int(self._options["batch_size"])
        for _ in range(math.ceil(steps / size)):
            batches = self._instances(rng, size)
            terms = self._update(batches, self._seen(batches, errors))
            self._steps += size
            progress(size)
            for name, value in terms.items():
                logger.record_mean(f"train/{name}", value)
        logger.record("train/learning_rate", self._optimizer.param_groups[0]["lr"])
        logger.dump(self._steps)

    def _update(self, batches: Sequence[Instance], seen: Sequence[Instance] | None = None) -> dict[str, float]:
        seen = batches if seen is None else seen
        form = self._task.settings.observation_format
        everything = sum(len(batch) for batch in batches)
        terms: dict[str, Tensor] = {}
        for batch, shown in zip(batches, seen, strict=True):
            decided = self._decided(batch.scenario, self._parts(observe(shown, form)))
            for name, term in self._terms(batch, shown, *decided).items():
                terms[name] = terms.get(name, 0.0) + len(batch) / everything * term
        return self._descend(terms)


def _shapes_by_size(task: Task, observation_format: str) -> dict[int, dict[str, tuple[int, ...]]]:
    """Return the parts' shapes of the observations of a task's scenarios, by how many numbers an observation has."""
    found: dict[int, dict[str, tuple[int, ...]]] = {}
    for part in task.parts:
        shapes = observation_shapes(part.scenario, observation_format)
        if found.setdefault(sum(map(math.prod, shapes.values())), shapes) != shapes:
            raise ValueError("two scenarios have other observations of the same size: change num_agents of one of them")
    return found


def _checked(defaults: Mapping[str, float], options: dict[str, float]) -> dict[str, float]:
    for name, value in options.items():
        if isinstance(defaults[name], int):
            checks.integer(name, int(value) if isinstance(value, float) and value.is_integer() else value, 1)
        elif name == "margin":
            checks.number(name, value, 0)
        else:
            checks.number(name, value, above=0)
    return options
