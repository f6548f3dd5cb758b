"""The bridge to Stable-Baselines3: its ``VecEnv`` over any Gymnasium ``VectorEnv``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from secagent_env.support.errors import unknown_name
from secagent_env.support.extras import require

require("stable_baselines3", "rl")

from stable_baselines3.common.env_util import is_wrapped  # noqa: E402
from stable_baselines3.common.monitor import Monitor  # noqa: E402
from stable_baselines3.common.vec_env import VecEnv  # noqa: E402

_FINAL = ("final_obs", "final_info")
_LATE = ("truth",)
"""Known names that the end of a first episode may lack."""


class GymVecEnv(VecEnv):
    """A Gymnasium vector environment as Stable-Baselines3 wants it.

    The vector environment resets an episode in the step that ends it (``AutoresetMode.SAME_STEP``), as SB3 does.
    Roll-outs equal those of ``DummyVecEnv`` over the same environments: float32 rewards, and in ``infos``
    ``terminal_observation`` and ``TimeLimit.truncated``. In addition ``episode`` holds an episode's return, length
    and time since the start (``r``, ``l``, ``t``), as behind SB3's ``VecMonitor``; the bridge calls itself
    monitored.

    ``infos`` are one dict per environment, which is slow to build: beyond these they hold only the ``info_keys``.

    Parameters
    ----------
    envs
        The vector environment; ``reset(seed=s)`` must seed environment i with s + i.
    info_keys
        Names in the vector environment's ``infos`` (or in ``final_info``, in an episode's last step) to pass on. The
        first step that ends an episode raises ValueError where there was no such name until then.
    reward_scale
        Factor on the rewards, so that returns are of the order of 1; the returns in ``episode`` are not scaled.

    Raises
    ------
    ValueError
        If the vector environment has another autoreset mode.
    """

    def __init__(
        self, envs: VectorEnv[Any, Any, Any], *, info_keys: Sequence[str] = (), reward_scale: float = 1.0
    ) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                f"GymVecEnv needs a vector environment with AutoresetMode.SAME_STEP, got {mode}: "
                "make it with autoreset_mode=AutoresetMode.SAME_STEP"
            )
        self.envs = envs
        self.info_keys = tuple(info_keys)
        self._unseen = {*self.info_keys} - {*_LATE}
        self.reward_scale = reward_scale
        self._actions: Any = None
        self._returns = np.zeros(envs.num_envs)
        self._lengths = np.zeros(envs.num_envs, np.int64)
        self._start = time.time()
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> Any:
        """Reset all environments, with the seeds and options that were set since the last reset."""
        observations, infos = self.envs.reset(seed=self._seeds[0], options=self._options[0] or None)
        self.reset_infos = [_entries(infos, infos, i) for i in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions (num_envs, …) of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Step, and return observations, rewards (float32), dones and infos."""
        observations, rewards, terminated, truncated, batched = self.envs.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        dones = terminated | truncated
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        if dones.any():
            self._end_episodes(np.flatnonzero(dones), truncated & ~terminated, batched, infos)
        if self.info_keys:
            final = batched.get("final_info", {})
            if self._unseen:
                self._look_for(batched, final, ended=bool(dones.any()))
            for i, info in enumerate(infos):
                info.update(_entries(final if dones[i] else batched, self.info_keys, i))
        return observations, (self.reward_scale * rewards).astype(np.float32), dones, infos

    def _look_for(self, *infos: Mapping[str, Any], ended: bool) -> None:
        """Note which names there are; ValueError where an episode ended, and a name is asked for in vain."""
        names = {name for each in infos for name in each if name not in _FINAL and not name.startswith("_")}
        self._unseen -= names
        if ended and self._unseen:
            raise unknown_name("name in info_keys", min(self._unseen), sorted(names))

    def _end_episodes(
        self, ended: np.ndarray, cut: np.ndarray, batched: dict[str, Any], infos: list[dict[str, Any]]
    ) -> None:
        """Fill the infos of episodes that ended, some of them cut by a time limit, and reset returns and lengths."""
        final, now = batched["final_obs"], round(time.time() - self._start, 6)
        columns = (ended, cut[ended], self._returns[ended], self._lengths[ended])
        for i, was_cut, total, length in zip(*(column.tolist() for column in columns), strict=True):
            infos[i] = {
                "TimeLimit.truncated": was_cut,
                "terminal_observation": final[i],
                "episode": {"r": total, "l": length, "t": now},
            }
        self._returns[ended] = 0.0
        self._lengths[ended] = 0
        names = [name for name in batched if name not in _FINAL and not name.startswith("_")]
        for i in ended.tolist():
            self.reset_infos[i] = _entries(batched, names, i)

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Set the options of the next reset, the same for all environments: what a vector environment takes."""
        if isinstance(options, list):
            if any(other != options[0] for other in options):
                raise ValueError("options must be the same for all environments: a vector environment takes one dict")
            options = options[0]
        self._options = [options or {}] * self.num_envs

    def close(self) -> None:
        """Close the environments."""
        self.envs.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Return a picture of each environment."""
        pictures: Any = self.envs.render()
        return [None] * self.num_envs if pictures is None else list(pictures)

    # A vector environment either holds scalar ones, or is one object that stands for all.

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the environments."""
        if self._scalar is None:
            return [getattr(self.envs.unwrapped, attr_name)] * len(self._indices(indices))
        return [env.get_wrapper_attr(attr_name) for env in self._each(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the environments; ValueError if only some are named and they are one object."""
        if self._scalar is not None:
            for env in self._each(indices):
                env.set_wrapper_attr(attr_name, value)
        elif len(self._indices(indices)) < self.num_envs:
            raise ValueError(f"these environments are one object: set {attr_name} for all of them")
        else:
            setattr(self.envs.unwrapped, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the environments.

        Where one object stands for all it is called once: a tuple or list of ``num_envs`` values holds one for each
        environment, any other value counts for all.
        """
        if self._scalar is not None:
            return [env.get_wrapper_attr(method_name)(*args, **kwargs) for env in self._each(indices)]
        value = getattr(self.envs.unwrapped, method_name)(*args, **kwargs)
        shared = not isinstance(value, (tuple, list)) or len(value) != self.num_envs
        return [value if shared else value[i] for i in self._indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: Any = None) -> list[bool]:
        """Return which environments are in such a wrapper; all for ``Monitor``, whose work the bridge does."""
        if wrapper_class is Monitor or self._scalar is None:
            return [wrapper_class is Monitor for _ in self._indices(indices)]
        return [is_wrapped(env, wrapper_class) for env in self._each(indices)]

    @property
    def _scalar(self) -> list[gymnasium.Env[Any, Any]] | None:
        return getattr(self.envs.unwrapped, "envs", None)

    def _each(self, indices: Any) -> list[gymnasium.Env[Any, Any]]:
        return [(self._scalar or [])[i] for i in self._indices(indices)]

    def _indices(self, indices: Any) -> list[int]:
        return list(self._get_indices(indices))


def _entries(infos: dict[str, Any], names: Iterable[str], i: int) -> dict[str, Any]:
    """Return those of the named entries that environment i has; Gymnasium marks them by a mask ``_name``."""
    entries = {}
    for name in names:
        value, mask = infos.get(name), infos.get(f"_{name}")
        if value is None or name.startswith("_") or not (mask is None or mask[i]):
            continue
        entries[name] = _entries(value, value, i) if isinstance(value, dict) else value[i]
    return entries
