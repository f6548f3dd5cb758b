"""The equivariant and the local network as actor-critic policies of Stable-Baselines3."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from stable_baselines3.common.distributions import DiagGaussianDistribution, Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn

from secagent_env.support.errors import check_name
from training.learn.learner import Task
from training.networks.equivariant import EquivariantNetwork, ValueNetwork, compact_shapes, split_parts
from training.networks.local import LocalNetwork

ACTOR_CRITICS = ("ppo", "ppo-lagrangian", "a2c")
"""The algorithms that these policies are for."""
LOG_STD = dict.fromkeys(("score", "level", "common", "directions"), -2.0)
"""Initial logarithms of the exploration noise, one for each kind of entry of the guided action."""


FORMATS = {"equivariant": ("guided",), "local": ("guided", "bids")}
"""The action formats of each policy; both read the compact observation."""


def network_policy(task: Task, options: Mapping[str, Any]) -> tuple[type[EquivariantPolicy], dict[str, Any]]:
    """Return the policy's class and its keyword arguments for a task; ValueError where something does not fit."""
    name, settings = task.settings.policy, task.settings
    if task.algo not in ACTOR_CRITICS:
        raise ValueError(f"the {name} policy is for {', '.join(ACTOR_CRITICS)}; {task.algo} needs policy mlp")
    if settings.action_format not in FORMATS[name] or settings.observation_format != "compact":
        formats = " or ".join(FORMATS[name])
        raise ValueError(f"the {name} policy needs action_format {formats} and observation_format compact")
    if name == "local" and task.environment == "lifetime":
        raise ValueError("the local policy sees no batteries: it has no environment 'lifetime'")
    return {"equivariant": EquivariantPolicy, "local": LocalPolicy}[name], {
        "shapes": compact_shapes(task.scenario, batteries=task.environment == "lifetime"),
        **options,
    }


class EquivariantPolicy(ActorCriticPolicy):
    """An actor and a critic that share no weights; Gaussian noise whose spread is learnt per kind of action entry.

    Beside what Stable-Baselines3 gives, it takes the ``shapes`` of the parts of the flat observation, in their order,
    ``width`` and ``rounds`` of :class:`training.networks.equivariant.EquivariantNetwork`, those of the critic's own
    (``critic_width`` is ``width`` by default), the number of ``values`` that this estimates, and in ``log_std`` the
    initial logarithms of the noise where they differ from :data:`LOG_STD`.
    """

    def __init__(
        self,
        observation_space: Any,
        action_space: Any,
        lr_schedule: Callable[[float], float],
        *,
        shapes: Mapping[str, tuple[int, ...]],
        width: int = 32,
        rounds: int = 2,
        critic_width: int | None = None,
        critic_rounds: int = 1,
        values: int = 1,
        log_std: Mapping[str, float] | None = None,
        **options: Any,
    ) -> None:
        self._shapes = dict(shapes)
        self._actor = {"width": width, "rounds": rounds}
        self._critic = {"width": width if critic_width is None else critic_width, "rounds": critic_rounds}
        self._values = values
        for name in log_std or {}:
            check_name("kind of entry in log_std", name, LOG_STD)
        self._start = [float({**LOG_STD, **(log_std or {})}[name]) for name in LOG_STD]
        super().__init__(observation_space, action_space, lr_schedule, **options)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        size, [found, *_] = sum(map(math.prod, self._shapes.values())), self.observation_space.shape or ()
        if found != size:
            raise ValueError(
                f"this policy reads {', '.join(self._shapes)}, {size} numbers, and observations have {found}: "
                "where devices move, set motion_seen=false in environment_options"
            )
        agents = self._shapes["agents"][0]
        common = self.action_space.shape[0] - 2 * agents  # type: ignore[index]
        sizes = [agents, agents, min(common, 1), max(common - 1, 0)]
        batteries = "batteries" in self._shapes
        self.actor = self._network(batteries, beam=common > 0)
        self.critic = ValueNetwork(batteries=batteries, values=self._values, **self._critic)
        self.log_std = nn.Parameter(torch.tensor(self._start))
        self._sizes = sizes
        fused = {"fused": True} if issubclass(self.optimizer_class, torch.optim.Adam) else {}
        options = {**fused, **self.optimizer_kwargs}
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **options)  # type: ignore[call-arg]

    def _network(self, batteries: bool, beam: bool) -> nn.Module:
        """Return the actor; ``beam`` is whether its action holds the beam."""
        return EquivariantNetwork(batteries=batteries, **self._actor)

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Return actions (B, A), values (B, values) and the actions' log-probabilities (B)."""
        distribution = self.get_distribution(obs)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, self.predict_values(obs), distribution.log_prob(actions)

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return values (B, values), log-probabilities (B) and entropies (B)."""
        distribution = self.get_distribution(obs)
        return self.predict_values(obs), distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: Any) -> Distribution:
        """Return the distribution of the actions."""
        mean = self.actor(**split_parts(obs, self._shapes))
        assert isinstance(self.action_dist, DiagGaussianDistribution)
        return self.action_dist.proba_distribution(
            mean, torch.cat([log_std.expand(n) for log_std, n in zip(self.log_std, self._sizes, strict=True)])
        )

    def predict_values(self, obs: Any) -> Tensor:
        """Return the values (B, values)."""
        values: Tensor = self.critic(**split_parts(obs, self._shapes))
        return values

    def exportable(self) -> tuple[nn.Module, dict[str, Tensor]]:
        """Return the actor, and an example of its inputs by name."""
        return self.actor, {name: torch.rand(2, *shape, device=self.device) for name, shape in self._shapes.items()}


class LocalPolicy(EquivariantPolicy):
    """The same with an actor that decides for every agent by what it sees itself; it has no ``rounds``."""

    def _network(self, batteries: bool, beam: bool) -> nn.Module:
        return LocalNetwork(beam=beam, width=self._actor["width"])
