"""PPO for vehicles at a crossing with shared parameters: one small network drives and sends for every vehicle.

To the learner every vehicle of every crossing is an environment of its own; the reward is that of all vehicles of a
crossing together. ``secagent study convoy --learnt 1`` trains a policy for each level, and lets them cross.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from secagent_env.convoy import LEVELS, Actions, CrossingRules, Crossings
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from secagent_env.support.reading import read_bytes
from training.convoy.vehicles import VehiclesVectorEnv, action_size, actions_of, seen_in

HYPERPARAMETERS: dict[str, Any] = {
    "n_steps": 32,
    "n_epochs": 4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "learning_rate": 1e-3,
    "ent_coef": 0.0,
    "policy_kwargs": {"net_arch": [64, 64], "log_std_init": -1.2},
}
BATCHES = 8
"""Minibatches of an epoch."""
REWARD_SCALE = 0.05
"""So that a collision costs 5."""
BONUS_PER_M = 1.0
"""What a metre of way adds to the reward in training alone, s.

Without it vehicles learn to stand until the clock runs out: that costs 20 s, a collision costs 100 s, and who stands
never finds out that there is something better.
"""
STEPS = 4_000_000
"""Of a vehicle each, in a training."""


def train(
    level: str,
    steps: int,
    seed: int,
    *,
    crossings: int = 128,
    bonus_per_m: float = BONUS_PER_M,
    progress: Callable[[int], None] = lambda steps: None,
) -> Any:
    """Return a PPO model of Stable-Baselines3, trained for so many steps (of a vehicle each); 0: not trained.

    A metre of way adds ``bonus_per_m`` to the reward, s. ``progress`` is called with the number of steps taken
    since its last call.
    """
    require("stable_baselines3", extra="rl")
    from stable_baselines3 import PPO

    from training.bridge import GymVecEnv
    from training.learn.sb3 import Linear, Watch

    core = VehiclesVectorEnv(level, crossings, bonus_per_m=bonus_per_m)
    envs = GymVecEnv(core, reward_scale=REWARD_SCALE)
    changed = {
        "batch_size": HYPERPARAMETERS["n_steps"] * core.num_envs // BATCHES,
        "learning_rate": Linear(HYPERPARAMETERS["learning_rate"], 0.0),
    }
    model = PPO("MlpPolicy", envs, seed=seed, device="cpu", **{**HYPERPARAMETERS, **changed})
    if steps:
        model.learn(steps, callback=Watch(steps, progress))
    envs.close()
    return model


def exported(model: Any, about: Mapping[str, Any]) -> bytes:
    """Return a trained model as ONNX, with metadata of how it was made."""
    import torch

    from training.learn.export import onnx_model
    from training.learn.sb3 import Deterministic

    inputs = {"observation": torch.zeros(3, model.observation_space.shape[0])}
    return onnx_model(Deterministic(model.policy), inputs, {}, {name: str(value) for name, value in about.items()})


@dataclass(frozen=True, eq=False)
class LearntTeam:
    """Vehicles that drive and send by a trained policy, as :func:`solvers.convoy.team.play` takes them.

    Parameters
    ----------
    level
        The level that the policy was trained at.
    path
        Its ONNX file.

    Raises
    ------
    ValueError
        If the level is unknown, the file is broken, or it is no policy of this level.
    OSError
        If it cannot be read.
    """

    level: str
    path: Path
    _session: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from solvers.onnx_models.sealing import check_policy
        from solvers.onnx_models.session import open_session

        check_name("level", self.level, LEVELS)
        try:
            check_policy(content := read_bytes(self.path), self.path)
            session = open_session(content)
            trained = session.get_modelmeta().custom_metadata_map.get("level")
            if trained != self.level:
                raise ValueError(f"it is a policy of the level {trained}, not {self.level}")
        except ValueError as error:
            raise ValueError(f"cannot use {self.path}: {error}") from None
        object.__setattr__(self, "_session", session)

    def rules(self, rules: CrossingRules) -> CrossingRules:
        """Return the rules of a crossing that this team plays."""
        return replace(rules, organisation="converged", roadside=False, full_information=False)

    def begin(self, rules: CrossingRules, batch: int, seed: int = 0) -> LearntTeam:
        """Return the team: it has no memory, and draws nothing."""
        return self

    def act(self, crossings: Crossings) -> Actions:
        """Return what everybody does now."""
        seen = seen_in(crossings)
        numbers = self._session.run(["action"], {"observation": seen.reshape(-1, seen.shape[-1])})[0]
        return actions_of(numbers.reshape(*seen.shape[:-1], action_size(self.level)), self.level, crossings.rules)
