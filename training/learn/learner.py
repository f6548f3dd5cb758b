"""The interface between the training driver (:mod:`training.learn.train`) and the algorithms."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import observation_shapes
from secagent_env.gym_bases.own_instances import InstanceSet
from secagent_env.model.scenario import Scenario
from secagent_env.sampling.beforehand import check_beforehand
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from training.learn.settings import ENVIRONMENTS, Settings

if TYPE_CHECKING:
    import torch
    from stable_baselines3.common.logger import Logger

ALGORITHMS = {
    "ppo": "training.learn.sb3:SB3Learner",
    "ppo-lagrangian": "training.learn.lagrangian:LagrangianLearner",
    "a2c": "training.learn.sb3:SB3Learner",
    "sac": "training.learn.sb3:SB3Learner",
    "td3": "training.learn.sb3:SB3Learner",
    "tqc": "training.learn.sb3:SB3Learner",
    "l2o": "training.direct.l2o:L2OLearner",
    "rloo": "training.direct.rloo:RLOOLearner",
    "imitation": "training.direct.imitation:ImitationLearner",
}
"""Module and class of each algorithm."""
ANY_SIZES = ("l2o", "rloo", "imitation")
"""Algorithms that decide the instances of each scenario by themselves: those of a mixture may differ in size."""
HELD_OUT = 10
"""One in so many of the user's own instances is kept for validation."""
_SIZES = ("num_agents", "num_eavesdroppers", "num_antennas")
"""On which the shapes of observations and actions depend; on the last in some formats only."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Everything that decides a training's result, apart from versions and the machine.

    Attributes
    ----------
    algo
        A name in :data:`ALGORITHMS`.
    environment
        A name in :data:`training.learn.settings.ENVIRONMENTS`.
    scenario, settings
        The networks to train on, and the hyperparameters.
    seed
        Of the training, 0 … 2²⁶ − 1; see :mod:`training.learn.seeds`.
    instances
        The path of instances to train on instead of random ones; the last tenth of them, or of their trajectories, is
        kept for validation.
    mixed_with
        Further scenarios, in turn with the first: environments, or the instances of a batch, are dealt out to all of
        them alike. The policy is not told which it sees.
    csi_error
        ε of the estimates that the policy sees of the eavesdroppers' channels, as in
        :class:`~secagent_env.allocation.rules.AllocationRules`: it is trained and validated on what the truth makes of
        its decisions. None: it sees the truth.
    start_from
        The folder of another training, whose best policy this one begins with.

    Raises
    ------
    ValueError
        If the scenarios of a mixture have other observations or actions, which only the algorithms in
        :data:`ANY_SIZES` can learn from together, or instances are given too; if ``csi_error``
        is out of range.
    """

    algo: str
    environment: str
    scenario: Scenario
    settings: Settings
    seed: int
    instances: str | None = None
    mixed_with: tuple[Scenario, ...] = ()
    csi_error: float | None = None
    start_from: str | None = None

    def __post_init__(self) -> None:
        self._check_csi_error()
        if self.mixed_with and self.instances is not None:
            raise ValueError("a mixed training draws its networks: leave the further scenarios or the instances out")
        for number, scenario in enumerate(self.mixed_with, 2):
            if self.algo not in ANY_SIZES and self._seen(scenario) != self._seen(self.scenario):
                name = next(size for size in _SIZES if getattr(scenario, size) != getattr(self.scenario, size))
                raise ValueError(
                    f"one policy sees all scenarios of a mixed training, but {name} is {getattr(self.scenario, name)} "
                    f"in the first and {getattr(scenario, name)} in number {number}: set it alike, "
                    f"as in --set {name}={getattr(self.scenario, name)}"
                )

    def _check_csi_error(self) -> None:
        if "csi_error" in self.settings.environment_options:
            raise ValueError(
                "csi_error is no environment_option of a training, since validation needs it too: give --csi-error, "
                "or Task(csi_error=…)"
            )
        if self.csi_error is not None:
            checks.number("csi_error", self.csi_error, 0, below=1)

    def _seen(self, scenario: Scenario) -> Any:
        """Return what a policy depends on: the shapes of its observations, and of its actions."""
        settings = self.settings
        shapes = observation_shapes(scenario, settings.observation_format)
        return shapes, action_format(settings.action_format, scenario).space.shape

    @property
    def parts(self) -> tuple[Task, ...]:
        """The task on each of its scenarios alone."""
        alone = functools.partial(dataclasses.replace, self, mixed_with=())
        return tuple(alone(scenario=scenario) for scenario in (self.scenario, *self.mixed_with))

    def own(self, *, held_out: bool = False) -> InstanceSet | None:
        """Return the user's own instances to train on, or those held out for validation; None: they are drawn."""
        if self.instances is None:
            return None
        everything = _opened(self.instances)
        if self.csi_error is not None:
            check_beforehand(everything.one(0))
        units = everything.units
        if units < 2:
            raise ValueError(f"{self.instances} holds {units} instance: a training needs one, and a validation another")
        kept = max(1, units // HELD_OUT)
        return everything.part(slice(units - kept, None) if held_out else slice(units - kept))

    @property
    def environment_id(self) -> str:
        """The Gymnasium id."""
        return ENVIRONMENTS[self.environment]

    def environment_options(self, *, held_out: bool = False) -> dict[str, Any]:
        """Return the keyword arguments of the environment, for training or for validation."""
        settings = self.settings
        options: dict[str, Any] = {
            "scenario": self.scenario,
            "action_format": settings.action_format,
            "observation_format": settings.observation_format,
            **settings.environment_options,
        }
        if settings.episodes_per_instance != 1:
            options["episodes_per_instance"] = settings.episodes_per_instance
        if self.csi_error is not None:
            options["csi_error"] = self.csi_error
        own = self.own(held_out=held_out)
        return options if own is None else {**options, "instances": own}


@functools.lru_cache(maxsize=2)
def _opened(path: str) -> InstanceSet:
    return InstanceSet(path)


@dataclass(frozen=True)
class State:
    """Everything that a learner needs to continue after a segment.

    ``tensors`` are nested dicts of tensors and plain data, as ``state_dict`` returns them; ``arrays`` hold a replay
    buffer, or nothing.
    """

    tensors: dict[str, Any]
    counters: dict[str, int]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Learner(Protocol):
    """An algorithm that learns in segments.

    A segment begins by seeding everything from (seed of the training, index of the segment) and from nothing else,
    so that a learner that loads a state continues bit for bit like the one that returned it.
    """

    policy: torch.nn.Module
    """The network that acts."""
    samples: int = 1
    """Of how many selections that it draws the best is meant."""

    def __init__(self, task: Task, device: str) -> None: ...

    @classmethod
    def arguments(cls, algo: str) -> set[str]:
        """Return the names of an algorithm's own hyperparameters, those in its YAML file besides Settings' fields."""

    @property
    def steps(self) -> int:
        """The number of steps learnt from so far."""

    def learn(self, segment: int, steps: int, logger: Logger, progress: Callable[[int], None]) -> None:
        """Learn for a segment (1, 2, …) of ``steps`` steps, or a few more.

        Call ``progress(n)`` after every n steps, and ``logger.record`` and ``logger.dump(self.steps)`` now and then.
        """

    def act(self, observations: Any) -> np.ndarray:
        """Return the deterministic actions (B, A), within ±1, for a batch of observations."""

    def state(self) -> State:
        """Return the state, which may share memory with the learner."""

    def load_state(self, state: State) -> None:
        """Continue from a state.

        Raises KeyError, ValueError, TypeError or RuntimeError if it does not fit this learner.
        """

    def policy_state(self) -> dict[str, Any]:
        """Return a copy of the tensors of the policy alone."""
        return {name: tensor.detach().clone() for name, tensor in self.policy.state_dict().items()}

    def load_policy_state(self, state: Mapping[str, Any]) -> None:
        """Load the tensors of a policy, to act with it and to export it."""
        self.policy.load_state_dict(state)

    def exportable(self) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
        """Return the policy as a module, and examples of its inputs in their order, by name.

        Called with these inputs it returns what ``act`` does.
        """

    def close(self) -> None:
        """Free the learner's resources, if it has any."""


def module_of(algo: str) -> str:
    """Return the name of the module that defines an algorithm, without importing it; ValueError if there is none."""
    return ALGORITHMS[check_name("algorithm", algo, ALGORITHMS)].partition(":")[0]


def learner_class(algo: str) -> type[Learner]:
    """Return the class of an algorithm; ValueError if there is none, ImportError if a library it needs is missing."""
    module = module_of(algo)
    require("torch", "rl")
    learner: type[Learner] = getattr(importlib.import_module(module), ALGORITHMS[algo].partition(":")[2])
    return learner
