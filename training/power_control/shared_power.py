"""PPO for power control with shared parameters: one small network decides for every pair from its own observation.

To the learner every pair of every game is an environment of its own, with the observation and the action of the numeric
``power_control.parallel_env(talk=False)``; the reward is that of all pairs together, so that the agents learn to hold
back without messages. ``secagent study shared-power --pairs 4`` trains one, and writes it to the
folder that :class:`SharedPolicy` reads.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.power_control import Game
from secagent_env.power_control.game import MAX_POWER_W
from secagent_env.power_control.match import ROUNDS, numeric_observation
from secagent_env.support.extras import require
from secagent_env.support.files import write_bytes, write_text
from secagent_env.support.reading import read_bytes
from training.power_control.pairs import METRIC, PairsVectorEnv, observations

FOLDER = Path(__file__).parents[1] / "policies" / "power_control"
HYPERPARAMETERS: dict[str, Any] = {
    "n_steps": ROUNDS,
    "batch_size": 2560,
    "n_epochs": 4,
    "gamma": 0.9,
    "gae_lambda": 0.9,
    "learning_rate": 1e-3,
    "ent_coef": 0.0,
    "policy_kwargs": {"net_arch": [64, 64], "log_std_init": -1.0},
}


def trained(folder: Path = FOLDER) -> list[int]:
    """Return the numbers of pairs that have a trained policy."""
    return sorted(int(path.stem.removeprefix("ppo-")) for path in folder.glob("ppo-*.onnx"))


class SharedPolicy:
    """A trained policy as a player: it decides for an agent from this agent's observation alone.

    ``folder`` holds a policy for each number of pairs, by default those that are shipped; ValueError if there is none
    for this number, or its file is broken.
    """

    def __init__(self, num_pairs: int, folder: Path = FOLDER) -> None:
        from solvers.onnx_models.sealing import check_policy
        from solvers.onnx_models.session import open_session

        path = folder / f"ppo-{num_pairs}.onnx"
        if not path.is_file():
            raise ValueError(
                f"there is no trained policy for {num_pairs} pairs; train one with: "
                f"secagent study shared-power --pairs {num_pairs}"
            )
        try:
            check_policy(content := read_bytes(path), path)
            self._session = open_session(content)
        except ValueError as error:
            raise ValueError(f"cannot use {path}: {error}") from None

    def powers(self, game: Game, rounds: int = ROUNDS) -> np.ndarray:
        """Return the powers before and after each round, (rounds + 1, …, N), W, of a batch of games (…)."""
        powers = [game.initial_power_w]
        for played in range(rounds):
            powers.append(self._decide(observations(game, powers[-1], played / rounds)) * game.max_power_w)
        return np.stack(powers)

    def reset(self, seed: int) -> None:
        """Do nothing: the policy has no memory."""

    def act(self, agent: str, observation: Mapping[str, Any]) -> float:
        """Return the power of an agent, W, in a game of the usual rounds and P_max = 10 W."""
        from solvers.power_control.players import agent_index

        power, rate, played = observation["power"][0], observation["rate"][0], observation["round"] / ROUNDS
        seen = numeric_observation(agent_index(agent), power / MAX_POWER_W, rate, played, observation["targets"])
        return float(self._decide(seen) * MAX_POWER_W)

    def _decide(self, seen: np.ndarray) -> np.ndarray:
        """Return powers (…) as shares of P_max, for observations (…, N + 3)."""
        rows = seen.reshape(-1, seen.shape[-1])
        action = self._session.run(["action"], {"observation": rows})[0]
        return (np.clip(action.astype(float), -1, 1).reshape(seen.shape[:-1]) + 1) / 2


def train(
    num_pairs: int, steps: int, seed: int, *, games: int = 256, progress: Callable[[int], None] = lambda steps: None
) -> Any:
    """Return a PPO model of Stable-Baselines3, trained for so many steps (of a pair each).

    ``progress`` is called with the number of steps taken since its last call.
    """
    require("stable_baselines3", extra="rl")
    from stable_baselines3 import PPO

    from training.bridge import GymVecEnv
    from training.learn.sb3 import Linear, Watch

    envs = GymVecEnv(PairsVectorEnv(num_pairs, games))
    schedule = Linear(HYPERPARAMETERS["learning_rate"], 0.0)
    model = PPO("MlpPolicy", envs, seed=seed, device="cpu", **{**HYPERPARAMETERS, "learning_rate": schedule})
    model.learn(steps, callback=Watch(max(steps, 1), progress))
    envs.close()
    return model


def export(model: Any, path: Path, about: Mapping[str, Any]) -> None:
    """Write a trained model as ONNX, and a card that says how it was made."""
    import torch

    from training.learn.export import onnx_model
    from training.learn.sb3 import Deterministic

    size = model.observation_space.shape[0]
    inputs = {"observation": torch.zeros(3, size)}
    content = onnx_model(Deterministic(model.policy), inputs, {}, {name: str(value) for name, value in about.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
    lines = [f"# {path.stem}", "", "A shared policy for `secagent_env.power_control`: one network for every pair.", ""]
    lines += [f"- {name}: `{value}`" for name, value in about.items()]
    write_text(path.with_suffix(".md"), "\n".join(lines) + "\n")


def train_and_export(num_pairs: int, steps: int, seed: int, folder: Path = FOLDER) -> Path:
    """Train a policy on one thread, with a progress bar, and return the path that it is written to, its card beside it.

    ``steps`` counts those of every pair.
    """
    import torch

    torch.set_num_threads(1)
    began = time.process_time()
    with require("tqdm", extra="rl").tqdm(total=steps, unit="step", unit_scale=True, disable=None) as bar:
        model = train(num_pairs, steps, seed, progress=bar.update)
    arguments = f"--pairs {num_pairs} --steps {steps} --seed {seed}"
    about = {
        "pairs": num_pairs,
        "metric": METRIC,
        "games": "infeasible targets",
        "command": f"secagent study shared-power {arguments}",
        "steps": model.num_timesteps,
        "cpu_minutes": round((time.process_time() - began) / 60, 1),
        "hyperparameters": json.dumps(HYPERPARAMETERS),
    }
    path = folder / f"ppo-{num_pairs}.onnx"
    export(model, path, about)
    return path
