"""The cells of ``secagent study plain-ppo``: Stable-Baselines3's PPO, as it is, for some processor time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from eval.learners.cells import TestSet, test_set_of
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, numbers, returns
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.guided import BidsFormat
from secagent_env.allocation.observations import observe
from secagent_env.model.beams import DIRECTIONS

FUNCTION = "eval.studies.plain_ppo.cells"
ENVIRONMENTS = 16
ROLLOUT = 2048
"""Steps between updates: Stable-Baselines3's default of one environment, here of all together."""
JUDGED = columns(gap=numbers, steps=count, cpu_seconds=count)


@returns(JUDGED)
def learnt(cell: Cell) -> Row:
    """Return the gaps of a policy on test networks, after some processor time, or steps, of learning; 0: untrained.

    The options are ``id`` and ``arguments`` of the environment, ``observation`` and ``action``, the names of its
    formats, ``normalise``, whether VecNormalize scales observations and rewards, ``cpu_seconds`` and ``steps``, the
    most of each, and ``scenario`` and ``instances`` of the test networks.
    """
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecNormalize

    from training.bridge import GymVecEnv

    options, test = cell.options, test_set_of(cell)
    torch.set_num_threads(1)
    envs: Any = GymVecEnv(
        gymnasium.make_vec(
            options["id"],
            num_envs=ENVIRONMENTS,
            vectorization_mode="vector_entry_point",
            scenario=options["scenario"],
            **options["arguments"],
        )
    )
    if options["normalise"]:
        envs = VecNormalize(envs)
    model = PPO("MlpPolicy", envs, n_steps=ROLLOUT // ENVIRONMENTS, device="cpu", seed=cell.seed)
    began = time.process_time()

    class Until(BaseCallback):
        def _on_step(self) -> bool:
            return time.process_time() - began < options["cpu_seconds"]

    if options["cpu_seconds"] > 0 and options["steps"] > 0:
        model.learn(options["steps"], callback=Until())
    spent = time.process_time() - began

    def act(observation: np.ndarray) -> np.ndarray:
        seen = envs.normalize_obs(observation) if options["normalise"] else observation
        return np.asarray(model.predict(seen, deterministic=True)[0])

    row = {"gap": _gap(test, options, act), "steps": int(model.num_timesteps), "cpu_seconds": spent}
    envs.close()
    return row


@returns(JUDGED)
def random(cell: Cell) -> Row:
    """Return the gaps of random actions."""
    test, options = test_set_of(cell), cell.options
    space: Any = action_format(options["action"], test.scenario).space
    rng = np.random.default_rng(cell.seed)

    def act(observation: np.ndarray) -> np.ndarray:
        return np.asarray(rng.uniform(space.low, space.high, (len(observation), *space.shape)))

    return {"gap": _gap(test, options, act), "steps": 0, "cpu_seconds": 0.0}


@returns(JUDGED)
def fixed(cell: Cell) -> Row:
    """Return the gaps of one action in every network: equal scores, −30 dB, and the beam past the eavesdroppers.

    It tells what a format with guided entries gives away for nothing.
    """
    test, options = test_set_of(cell), cell.options
    form: Any = action_format(options["action"], test.scenario)
    action = np.zeros(form.space.shape)
    action[form.slices["common_level"]] = BidsFormat.COMMON_LEVEL
    action[form.slices["directions"]] = np.array(DIRECTIONS) == "filtered"
    return {
        "gap": _gap(test, options, lambda observation: np.tile(action, (len(observation), 1))),
        "steps": 0,
        "cpu_seconds": 0.0,
    }


def _gap(test: TestSet, options: Mapping[str, Any], act: Callable[[np.ndarray], np.ndarray]) -> Any:
    action = act(observe(test.instances, options["observation"]))
    return test.gap(action_format(options["action"], test.scenario).decode(action, test.instances))
