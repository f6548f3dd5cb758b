"""The algorithms of Stable-Baselines3 and sb3-contrib as learners that resume bit for bit."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from secagent_env.gym_bases.mixed_vector import MixedVectorEnv, shares
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from training.bridge import GymVecEnv
from training.learn.learner import Learner, State, Task
from training.learn.seeds import library_seed, train_seed

require("sb3_contrib", "rl")

import torch  # noqa: E402
from sb3_contrib import TQC  # noqa: E402
from stable_baselines3 import A2C, PPO, SAC, TD3  # noqa: E402
from stable_baselines3.common.base_class import BaseAlgorithm  # noqa: E402
from stable_baselines3.common.buffers import ReplayBuffer  # noqa: E402
from stable_baselines3.common.callbacks import BaseCallback  # noqa: E402
from stable_baselines3.common.logger import Logger  # noqa: E402
from stable_baselines3.common.noise import NormalActionNoise  # noqa: E402
from stable_baselines3.common.save_util import recursive_getattr, recursive_setattr  # noqa: E402
from stable_baselines3.common.vec_env import VecEnv  # noqa: E402

logger = logging.getLogger("secagent.training")

CLASSES: dict[str, type[BaseAlgorithm]] = {"ppo": PPO, "a2c": A2C, "sac": SAC, "td3": TD3, "tqc": TQC}

_OURS = {"self", "policy", "env", "tensorboard_log", "verbose", "seed", "device", "_init_setup_model", "action_noise"}
_CLASS_VALUED = {"replay_buffer_class", "replay_buffer_kwargs", "rollout_buffer_class", "rollout_buffer_kwargs"}
_SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf")
_ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "elu": torch.nn.ELU, "silu": torch.nn.SiLU}
_COUNTERS = ("num_timesteps", "_n_updates", "_episode_num")
_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
_LOGS_PER_SEGMENT = 10


class SB3Learner(Learner):
    """An algorithm of :data:`CLASSES` on a vector environment; see :class:`training.learn.learner.Learner`."""

    classes: ClassVar[Mapping[str, type[BaseAlgorithm]]] = CLASSES

    def __init__(self, task: Task, device: str = "cpu") -> None:
        self._task = task
        if task.settings.observation_format == "dict" or task.settings.action_format == "dict":
            raise ValueError("training needs flat observations and actions: not the format 'dict'")
        self._env = self._make_env(task)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.model = _model(self.classes[task.algo], task, self._env, device)
            except (AssertionError, TypeError) as error:
                raise ValueError(f"{task.algo} refuses its hyperparameters: {error}") from error
        for warning in caught:
            logger.warning("%s: %s", task.algo, " ".join(str(warning.message).split()))
        self.policy = self.model.policy
        # SB3 measures progress, which learning rates follow, within one call of learn(): here over all segments.
        self.model._update_current_progress_remaining = self._measure_progress  # type: ignore[method-assign]

    def _make_env(self, task: Task) -> VecEnv:
        """Return the environments to learn in."""
        return GymVecEnv(make_envs(task), reward_scale=task.settings.reward_scale)

    @classmethod
    def arguments(cls, algo: str) -> set[str]:
        """Return the names of an algorithm's own hyperparameters."""
        names = set(inspect.signature(CLASSES[algo].__init__).parameters) - _OURS - _CLASS_VALUED
        return names | ({"action_noise_std"} if algo in ("sac", "td3", "tqc") else set())

    @property
    def steps(self) -> int:
        """The number of environment steps learnt from so far."""
        return self.model.num_timesteps

    def learn(self, segment: int, steps: int, logger: Logger, progress: Callable[[int], None]) -> None:
        """Learn for a segment of ``steps`` environment steps, rounded up to whole roll-outs."""
        model = self.model
        model.set_random_seed(library_seed(self._task.seed, segment))
        self._env.seed(train_seed(self._task.seed, segment))
        model._last_obs = None  # so that learn() resets the environments
        model.ep_info_buffer = model.ep_success_buffer = None
        self._measure_progress(self.steps, 0)
        model.set_logger(logger)
        model.learn(steps, Watch(steps, progress), log_interval=None, reset_num_timesteps=False)  # type: ignore[arg-type]
        model.dump_logs()

    def _measure_progress(self, num_timesteps: int, total_timesteps: int) -> None:
        self.model._current_progress_remaining = max(1 - num_timesteps / self._task.settings.steps, 0.0)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Return the deterministic actions (B, A) for a batch of observations (B, D)."""
        return self.model.predict(observations, deterministic=True)[0]

    def state(self) -> State:
        """Return parameters, optimisers, counters and the replay buffer."""
        tensors: dict[str, Any] = self.model.get_parameters()
        for name in self.model._get_torch_save_params()[1]:
            tensors[name] = recursive_getattr(self.model, name).detach()
        counters = {name: int(getattr(self.model, name)) for name in _COUNTERS}
        buffer = self._replay
        if buffer is None:
            return State(tensors, counters)
        counters |= {"replay_pos": buffer.pos, "replay_full": int(buffer.full)}
        return State(tensors, counters, {name: getattr(buffer, name)[: buffer.size()] for name in _REPLAY})

    def load_state(self, state: State) -> None:
        """Continue from a state."""
        tensors = dict(state.tensors)
        for name in self.model._get_torch_save_params()[1]:
            recursive_setattr(self.model, f"{name}.data", tensors.pop(name).to(self.model.device))
        self.model.set_parameters(tensors, exact_match=True)
        for name in _COUNTERS:
            setattr(self.model, name, state.counters[name])
        buffer = self._replay
        if buffer is not None:
            buffer.pos, buffer.full = state.counters["replay_pos"], bool(state.counters["replay_full"])
            for name in _REPLAY:
                getattr(buffer, name)[: buffer.size()] = state.arrays[name]

    def exportable(self) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
        """Return the policy as a module, and examples of its inputs by name."""
        policy: Any = self.policy
        if hasattr(policy, "exportable"):
            module_and_inputs: tuple[torch.nn.Module, dict[str, torch.Tensor]] = policy.exportable()
            return module_and_inputs
        size = self._env.observation_space.shape or ()
        return Deterministic(policy), {"observation": torch.zeros(2, *size, device=self.model.device)}

    def close(self) -> None:
        """Close the environments."""
        self._env.close()

    @property
    def _replay(self) -> ReplayBuffer | None:
        return getattr(self.model, "replay_buffer", None)


def make_envs(task: Task, num_envs: int | None = None, *, held_out: bool = False) -> VectorEnv[Any, Any, Any]:
    """Return the vector environment of a task: its native one, or scalar ones in ``SyncVectorEnv``.

    ``held_out``: of the user's own instances, those kept for validation. Environment i of a mixture has the scenario
    i modulo their number.
    """
    count = task.settings.num_envs if num_envs is None else num_envs
    if task.mixed_with:
        dealt = zip(task.parts, shares(count, len(task.parts)), strict=True)
        return MixedVectorEnv([make_envs(part, share) for part, share in dealt])
    options, spec = task.environment_options(held_out=held_out), gymnasium.spec(task.environment_id)
    if spec.vector_entry_point is not None:
        return gymnasium.make_vec(spec, count, vectorization_mode="vector_entry_point", **options)
    envs = [lambda: gymnasium.make(spec, **options)] * count
    return SyncVectorEnv(envs, autoreset_mode=AutoresetMode.SAME_STEP)


class Linear:
    """A value that goes from ``start`` to ``end`` over a training, after it rose from 0 over its share ``warm_up``.

    Adam's first steps go the same way in all parameters, and may throw a policy far off.
    """

    def __init__(self, start: float, end: float, warm_up: float = 0.0) -> None:
        self.start, self.end, self.warm_up = start, end, warm_up

    def __call__(self, remaining: float) -> float:
        """Return the value with the share ``remaining`` of the training ahead."""
        value = self.end + (self.start - self.end) * remaining
        return value * min((1 - remaining) / self.warm_up + 0.01, 1.0) if self.warm_up else value


def _model(algorithm: type[BaseAlgorithm], task: Task, env: VecEnv, device: str) -> BaseAlgorithm:
    arguments = dict(task.settings.arguments)
    for name in _SCHEDULES:
        if isinstance(arguments.get(name), Mapping):
            arguments[name] = _linear(name, arguments[name])
    noise = arguments.pop("action_noise_std", None)
    if noise is not None:
        size = env.action_space.shape or ()
        arguments["action_noise"] = NormalActionNoise(np.zeros(size), np.full(size, float(noise)))
    policy, policy_kwargs = _policy(task, arguments.pop("policy_kwargs", None) or {})
    return algorithm(
        policy,
        env,
        device=device,
        seed=library_seed(task.seed, 0),
        policy_kwargs=policy_kwargs,
        **arguments,
    )


def _policy(task: Task, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the policy's class, or SB3's name of it, and its keyword arguments."""
    if task.settings.policy in ("equivariant", "local"):
        from training.learn.policy import network_policy

        return network_policy(task, options)
    options = dict(options)
    activation = options.get("activation_fn")
    if activation is not None:
        options["activation_fn"] = _ACTIVATIONS[check_name("activation_fn", activation, _ACTIVATIONS)]
    return "MlpPolicy", options


def _linear(name: str, ends: Mapping[str, Any]) -> Linear:
    known = {"start", "end"} <= set(ends) <= {"start", "end", "warm_up"}
    if not known or not all(isinstance(end, (int, float)) and end >= 0 for end in ends.values()):
        raise ValueError(
            f"{name} must be a number, or {{start: number, end: number, warm_up: share}}, got {dict(ends)}"
        )
    return Linear(**{part: float(value) for part, value in ends.items()})


class Watch(BaseCallback):
    """Reports the progress, and lets SB3 write its log ten times per segment instead of after every few episodes."""

    def __init__(self, steps: int, progress: Callable[[int], None]) -> None:
        super().__init__()
        self._report, self._interval, self._logged = progress, steps / _LOGS_PER_SEGMENT, 0

    def _on_training_start(self) -> None:
        self._logged = self.model.num_timesteps

    def _on_step(self) -> bool:
        self._report(self.training_env.num_envs)
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps - self._logged >= self._interval:
            self._logged = self.num_timesteps
            self.model.dump_logs()


class Deterministic(torch.nn.Module):
    """The deterministic actions of an SB3 policy, within ±1."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the actions (B, A) for observations (B, D)."""
        actions: torch.Tensor = self.policy._predict(observation, deterministic=True)
        return actions.clamp(-1.0, 1.0)
