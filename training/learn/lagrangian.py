"""PPO-Lagrangian: PPO that is told energy and violations apart, and learns itself what a violation should cost.

The problem is a constrained one: maximise the reward E[R], here minus the energy, subject to E[C_k] ≤ d for each
constraint k. The cost C_k is 0 where a decision keeps constraint k, and 1 + min(v, 1) where it exceeds it by the share
v of its bound. No unit matters, d bounds the share of the policy's random decisions that violate the constraint, and
where all of them do, the cost still tells which are nearer. With multipliers λ_k ≥ 0, each roll-out

1. moves the multipliers by how far the costs J_k, means over the roll-out, exceed the limit;
2. updates the policy by PPO's clipped objective, with the advantage (A_r − Σ_k λ_k A_k) / (1 + Σ_k λ_k).

The critic estimates 1 + K values at once, of the reward and of each cost. Without the divisor, large multipliers would
mean large steps; with them, the policy all but stops to save energy as long as a constraint is far from being met.

Sources: Ray, Achiam, and Amodei, "Benchmarking Safe Exploration in Deep Reinforcement Learning" (2019), whose baseline
this is, with the divisor; Stooke, Achiam, and Abbeel, "Responsive Safety in Reinforcement Learning by PID Lagrangian
Methods" (2020), from whom the multipliers' update is. With kp = kd = 0 that is gradient ascent on the dual function.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from torch import Tensor, nn

from secagent_env.model.outcome import constraint_bounds, constraint_tolerances
from secagent_env.model.scenario import Scenario
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from training.bridge import GymVecEnv
from training.learn.learner import Task
from training.learn.sb3 import SB3Learner, make_envs

OWN = ("cost_limit", "multiplier_start", "kp", "ki", "kd")
"""The hyperparameters beside those of PPO: each a number ≥ 0, or one by constraint, zero for those not named."""
_PENALTIES = ("penalty_fixed", "penalty_weight")


class CostVecEnv(VecEnvWrapper):
    """Rewards with costs beside them, (num_envs, 1 + K): 0 where a step keeps constraint k, else 1 + min(v, 1).

    v is the violation over the constraint's bound. The environments tell their ``violations`` in ``infos``;
    environment i has the scenario i modulo their number.
    """

    def __init__(self, venv: VecEnv, scenarios: Sequence[Scenario]) -> None:
        super().__init__(venv)
        self.constraints = tuple(constraint_bounds(scenarios[0]))
        bounds, tolerances = (
            np.array([[of(scenario)[name] for name in self.constraints] for scenario in scenarios])
            for of in (constraint_bounds, constraint_tolerances)
        )
        turns = np.arange(self.num_envs) % len(scenarios)
        self._tolerances = tolerances[turns]
        self._bounds = np.where(bounds > 0, bounds, np.inf)[turns]

    def reset(self) -> Any:
        """Reset all environments."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """Step, and return observations, rewards with costs, dones and infos."""
        observations, rewards, dones, infos = self.venv.step_wait()
        excess = np.array([[info["violations"][name] for name in self.constraints] for info in infos])
        costs = np.where(excess > self._tolerances, 1 + np.minimum(excess / self._bounds, 1), 0.0)
        return observations, np.column_stack([rewards, costs]).astype(np.float32), dones, infos


class Multipliers(nn.Module):
    """A Lagrange multiplier for each of K constraints, moved by a PID controller of the costs.

    With the excess Δ = J − d of the costs over their limits, Algorithm 2 of Stooke et al. (2020) is

    - I ← max(0, I + ki Δ),
    - λ ← max(0, kp Δ + I + kd max(0, J − J'))

    with the last costs J'. Everything is (K,); I begins at ``start``.
    """

    def __init__(self, *, start: Tensor, limit: Tensor, kp: Tensor, ki: Tensor, kd: Tensor) -> None:
        super().__init__()
        self.limit, self.kp, self.ki, self.kd = limit, kp, ki, kd
        self.value: Tensor
        self.integral: Tensor
        self.last: Tensor
        self.register_buffer("value", start.clone())
        self.register_buffer("integral", start.clone())
        self.register_buffer("last", torch.full_like(start, math.inf))  # before the first costs nothing has risen

    def update(self, costs: Tensor) -> None:
        """Move the multipliers by the costs (K,) of a roll-out."""
        excess = costs - self.limit
        self.integral = (self.integral + self.ki * excess).clamp(min=0)
        rise = (costs - self.last).clamp(min=0)
        self.value = (self.kp * excess + self.integral + self.kd * rise).clamp(min=0)
        self.last = costs


def combined(advantages: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """Return the advantages (…) of the Lagrangian: (A_r − Σ_k λ_k A_k) / (1 + Σ_k λ_k).

    ``advantages`` are (…, 1 + K), the reward's first; ``multipliers`` are (K,).
    """
    lagrangian: np.ndarray = advantages[..., 0] - advantages[..., 1:] @ multipliers
    return lagrangian / (1 + multipliers.sum())


class CostRolloutBuffer(RolloutBuffer):
    """A roll-out whose rewards, values, returns and advantages, (n_steps, n_envs, 1 + K), have columns of K costs."""

    def __init__(self, *args: Any, costs: int, **options: Any) -> None:
        self._columns = 1 + costs
        super().__init__(*args, **options)

    def reset(self) -> None:
        """Empty the buffer."""
        super().reset()
        shape = (self.buffer_size, self.n_envs, self._columns)
        self.rewards, self.values, self.returns, self.advantages = (np.zeros(shape, np.float32) for _ in range(4))

    def add(
        self,
        obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        episode_start: np.ndarray,
        value: Tensor,
        log_prob: Tensor,
    ) -> None:
        """Add a step: rewards and values are (n_envs, 1 + K)."""
        step = self.pos
        super().add(obs, action, reward, episode_start, value[:1, :1], log_prob)  # which takes a flat value only
        self.values[step] = value.cpu().numpy()

    def compute_returns_and_advantage(self, last_values: Tensor, dones: np.ndarray) -> None:
        """Estimate all advantages by GAE(λ), from the values (n_envs, 1 + K) after the last step."""
        following, goes_on = last_values.cpu().numpy(), 1 - dones.astype(np.float32)[:, None]
        advantage = np.zeros_like(following)
        for step in reversed(range(self.buffer_size)):
            error = self.rewards[step] + self.gamma * goes_on * following - self.values[step]
            advantage = error + self.gamma * self.gae_lambda * goes_on * advantage
            self.advantages[step] = advantage
            following, goes_on = self.values[step], 1 - self.episode_starts[step][:, None]
        self.returns = self.advantages + self.values


class VectorCriticPolicy(ActorCriticPolicy):
    """The actor and critic of Stable-Baselines3, with so many ``values`` in place of one."""

    def __init__(self, *args: Any, values: int, **options: Any) -> None:
        self._values = values
        super().__init__(*args, **options)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        super()._build(lr_schedule)
        self.value_net = nn.Linear(self.mlp_extractor.latent_dim_vf, self._values)
        self.init_weights(self.value_net, gain=1)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]


class PPOLagrangian(PPO):
    """PPO whose rewards have costs beside them; arguments as those of PPO, and :data:`OWN`.

    ``env`` is a :class:`CostVecEnv`, or has its ``constraints`` and rewards. A policy class of its own must take
    ``values``, the number of values to estimate, and return them as (B, values).
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": VectorCriticPolicy}

    def __init__(
        self,
        policy: Any,
        env: CostVecEnv,
        *,
        cost_limit: float | Mapping[str, float] = 0.01,
        multiplier_start: float | Mapping[str, float] = 1.0,
        kp: float | Mapping[str, float] = 0.0,
        ki: float | Mapping[str, float] = 1.0,
        kd: float | Mapping[str, float] = 0.0,
        policy_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.constraints = env.constraints
        given = {"cost_limit": cost_limit, "multiplier_start": multiplier_start, "kp": kp, "ki": ki, "kd": kd}
        limit, start, kp_, ki_, kd_ = (_by_constraint(name, value, self.constraints) for name, value in given.items())
        self.multipliers = Multipliers(start=start, limit=limit, kp=kp_, ki=ki_, kd=kd_)
        super().__init__(
            policy,
            env,
            rollout_buffer_class=CostRolloutBuffer,
            rollout_buffer_kwargs={"costs": len(self.constraints)},
            policy_kwargs={**(policy_kwargs or {}), "values": 1 + len(self.constraints)},
            **options,
        )

    def train(self) -> None:
        """Move the multipliers, combine the advantages, and update the policy as PPO does."""
        buffer = self.rollout_buffer
        costs = buffer.rewards[..., 1:].mean((0, 1))
        self.multipliers.update(torch.as_tensor(costs))
        multipliers = self.multipliers.value.numpy()
        buffer.advantages = combined(buffer.advantages, multipliers)
        for name, cost, multiplier in zip(self.constraints, costs, multipliers, strict=True):
            self.logger.record(f"rollout/cost_{name}", float(cost))
            self.logger.record(f"train/multiplier_{name}", float(multiplier))
        super().train()  # values and returns (B, 1 + K) are flattened there alike, so that all have the same weight

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        states, tensors = super()._get_torch_save_params()
        return [*states, "multipliers"], tensors


class LagrangianLearner(SB3Learner):
    """PPO-Lagrangian on single tasks; see :class:`training.learn.learner.Learner`."""

    classes: ClassVar[dict[str, type[BaseAlgorithm]]] = {"ppo-lagrangian": PPOLagrangian}

    def __init__(self, task: Task, device: str = "cpu") -> None:
        if task.environment != "allocation":
            raise ValueError(
                f"{task.algo} learns to keep the constraints of single tasks: it has no environment "
                f"{task.environment!r}; train ppo there"
            )
        for name in _PENALTIES:
            if name in task.settings.environment_options:
                raise ValueError(f"{task.algo} learns its own penalties: leave {name} out of environment_options")
        super().__init__(task, device)

    @classmethod
    def arguments(cls, algo: str) -> set[str]:
        """Return the names of PPO's hyperparameters and its own."""
        return SB3Learner.arguments("ppo") | set(OWN)

    def _make_env(self, task: Task) -> VecEnv:
        settings = task.settings
        options = {**settings.environment_options, **dict.fromkeys(_PENALTIES, 0.0)}
        envs = make_envs(dataclasses.replace(task, settings=dataclasses.replace(settings, environment_options=options)))
        bridged = GymVecEnv(envs, info_keys=["violations"], reward_scale=settings.reward_scale)
        return CostVecEnv(bridged, [part.scenario for part in task.parts])


def _by_constraint(name: str, value: float | Mapping[str, float], constraints: Sequence[str]) -> Tensor:
    """Return a hyperparameter for each constraint, (K,)."""
    given = value if isinstance(value, Mapping) else dict.fromkeys(constraints, value)
    for constraint in given:
        check_name(f"constraint in {name}", constraint, constraints)
    return torch.tensor([checks.number(f"{name} of {one}", given.get(one, 0), 0) for one in constraints])
