"""``secagent/Allocation-v0``, many at once: sampling, physics, reward and observation in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, iterate

from secagent_env._errors import unknown_name
from secagent_env._vector import SubGenerators, masked, object_rows, reset_mask_of, seeds_of
from secagent_env.decision import Decision
from secagent_env.instance import Instance
from secagent_env.observations import observe
from secagent_env.outcome import Outcome
from secagent_env.rules import AllocationRules, count_of, info_of, options_of
from secagent_env.sampling import draw
from secagent_env.scenario import Scenario


class AllocationVectorEnv(VectorEnv[Any, Any, np.ndarray]):
    """``num_envs`` environments of :class:`~secagent_env.allocation.AllocationEnv` in one.

    Environment i, seeded with s, plays the same episodes as the scalar one seeded with s, bit for bit, and every
    result is that of Gymnasium's ``SyncVectorEnv`` in its mode ``SAME_STEP``: each step ends all episodes and returns
    the observations of the next ones, with what belongs to the finished ones in ``infos["final_obs"]`` and
    ``infos["final_info"]``. Returned arrays belong to the caller; the environment never writes to them again.

    ## Reset
    ``seed``: an integer s seeds environment i with s + i; or a list, where None leaves a generator as it is.
    ``options["reset_mask"]``: (num_envs,) bool, resets only these environments.
    ``options["instance"]``: the instances to play, a batch ``(num_envs,)`` or a single one for all; of a batch, those
    in the mask count.

    ## Arguments
    num_envs
        How many environments.
    scenario, action_format, observation_format, reference_energy_j, penalty_fixed, penalty_weight
        As in the scalar environment.
    episodes_per_instance
        How many consecutive episodes keep one instance; an explicit reset draws a new one.
    device
        Where torch computes physics and reward, such as ``"cpu"`` or ``"cuda"``, in float64: the same to rounding.
        None is NumPy.
    render_mode
        ``"rgb_array"`` or ``"ansi"``: ``render`` returns a tuple with a picture or text of each running episode.
    max_episode_steps
        As Gymnasium's ``make_vec`` hands it over. With 1, episodes are truncated too, as ``TimeLimit`` does.

    ## Version history
    * v0: first version.
    """

    metadata = {  # noqa: RUF012
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        *,
        action_format: str = "flat",
        observation_format: str = "flat",
        reference_energy_j: float | None = None,
        penalty_fixed: float = 1.5,
        penalty_weight: float | Mapping[str, float] = 1.0,
        episodes_per_instance: int = 1,
        device: str | None = None,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
    ) -> None:
        self.num_envs = count_of("num_envs", num_envs)
        self._rules = AllocationRules(
            scenario,
            action_format=action_format,
            observation_format=observation_format,
            reference_energy_j=reference_energy_j,
            penalty_fixed=penalty_fixed,
            penalty_weight=penalty_weight,
            episodes_per_instance=episodes_per_instance,
        )
        self.scenario = self._rules.scenario
        self.observation_format = observation_format
        self.single_action_space = self._rules.action_format.space
        self.single_observation_space = self._rules.observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise unknown_name("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self._device = None if device is None else _Device(device)
        steps = None if max_episode_steps is None else count_of("max_episode_steps", max_episode_steps)
        self._truncated = steps == 1
        self._random = SubGenerators(self.num_envs)
        self._instance: Instance | None = None
        self._observation: Any = None
        self._episodes = np.zeros(self.num_envs, np.int64)  # that ended on each instance

    @property
    def reference_energy_j(self) -> float:
        """The energy whose reward is −1, J."""
        return self._rules.reference_energy_j

    @property
    def instance(self) -> Instance:
        """The instances of the running episodes, a batch (num_envs,)."""
        if self._instance is None:
            raise gymnasium.error.ResetNeeded("there are no instances yet: call reset() first")
        return self._instance

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment."""
        return self._random.generators

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment's generator."""
        return self._random.seeds

    def decode(self, actions: Any) -> Decision:
        """Return the decisions that actions (num_envs, …) stand for."""
        return self._rules.action_format.decode(actions, self._instance)

    def encode(self, decision: Decision) -> Any:
        """Return the actions that stand for, or come nearest to, decisions (num_envs,)."""
        return self._rules.action_format.encode(decision, self._instance)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes: in all environments, or in those of ``options["reset_mask"]``."""
        seeds = seeds_of(seed, self.num_envs)
        chosen = options_of(options, "instance", "reset_mask")
        mask = reset_mask_of(chosen["reset_mask"], self.num_envs)
        if self._instance is None and not mask.all():
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments, without a reset_mask")
        given = chosen["instance"]
        if given is not None:
            given = self._rules.fitting(given, (self.num_envs,), ())
        self._random.seed(seeds, mask)
        if given is None:
            self._start(mask)
        else:
            rows = np.flatnonzero(mask)
            self._take(mask, given[rows] if given.batch_shape else Instance.stack([given] * len(rows)))
        return _copy(self._observation), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Decide all tasks: every episode ends, and the next ones begin."""
        instance = self.instance
        decision = self._decided(actions)
        score = self._rules.score if self._device is None else self._device.score(self._rules)
        outcome, rewards, penalty = score(instance, decision)
        everywhere = np.ones(self.num_envs, bool)
        final = self._observation
        self._episodes += 1
        self._start(self._episodes >= self._rules.episodes_per_instance)
        if self._observation is final:
            self._observation = _copy(final)
        infos = {
            "final_obs": object_rows(_rows(final), self.num_envs),
            "_final_obs": everywhere.copy(),
            "final_info": masked(info_of(outcome, penalty), everywhere),
            "_final_info": everywhere.copy(),
        }
        truncated = np.full(self.num_envs, self._truncated)
        return _copy(self._observation), rewards, everywhere, truncated, infos

    def render(self) -> tuple[Any, ...] | None:
        """Return a tuple with the picture (``rgb_array``) or text (``ansi``) of each running episode."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() needs a render_mode: gymnasium.make_vec(…, render_mode='rgb_array')")
            return None
        from secagent_env import rendering

        draw_one = getattr(rendering, self.render_mode)
        return tuple(draw_one(instance, None, None) for instance in self.instance)

    def _decided(self, actions: Any) -> Decision:
        try:
            decision = self.decode(actions)
        except ValueError as error:
            raise self._named(actions, error) from error
        if decision.batch_shape != (self.num_envs,):
            raise ValueError(
                f"actions must hold one action for each of the {self.num_envs} environments, "
                f"got the batch dimensions {decision.batch_shape}"
            )
        return decision

    def _named(self, actions: Any, error: ValueError) -> ValueError:
        """Return the error with the first environment whose action alone is wrong in it."""
        try:
            singles = list(iterate(self.action_space, actions))
        except (TypeError, ValueError, KeyError):
            return error
        for i, action in enumerate(singles[: self.num_envs]):
            try:
                self._rules.action_format.decode(action, self.instance[i])
            except ValueError as wrong:
                return ValueError(f"environment {i}: {wrong}")
        return error

    def _start(self, mask: np.ndarray) -> None:
        """Draw new instances where ``mask`` says so."""
        if mask.any():
            generators = self._random.generators
            self._take(mask, draw(self.scenario, [generators[i] for i in np.flatnonzero(mask)]))

    def _take(self, mask: np.ndarray, instance: Instance) -> None:
        """Let the environments in ``mask`` play these instances from now on."""
        observation = observe(instance, self.observation_format)
        if not mask.all():
            if instance.scenario != self.instance.scenario:
                raise ValueError(
                    "the running instances and the new ones must share one scenario: reset all environments at once"
                )
            instance = _replaced(self.instance, mask, instance)
            observation = _merged(self._observation, mask, observation)
        self._instance, self._observation = instance, observation
        self._episodes[mask] = 0
        if self._device is not None:
            self._device.forget()


class _Device:
    """Physics and reward by torch on a device, with NumPy arrays outside."""

    def __init__(self, name: str) -> None:
        from secagent_env._extras import require

        self._torch: Any = require("torch", "rl")
        try:
            self._device = self._torch.device(name)
            self._torch.empty(1, device=self._device)
        except (RuntimeError, AssertionError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"torch cannot compute on device {name!r}: {reason}") from error
        self._instance: Instance | None = None

    def forget(self) -> None:
        """Say that the instances have changed."""
        self._instance = None

    def score(self, rules: AllocationRules) -> Any:
        """Return :meth:`AllocationRules.score` on the device."""

        def on_device(instance: Instance, decision: Decision) -> tuple[Outcome, np.ndarray, np.ndarray]:
            if self._instance is None:
                self._instance = instance.to(self._torch, device=self._device)
            outcome, value, penalty = rules.score(self._instance, decision.to(self._torch, device=self._device))
            return outcome.to(np), value.cpu().numpy(), penalty.cpu().numpy()

        return on_device


def _replaced(instance: Instance, mask: np.ndarray, new: Instance) -> Instance:
    """Return a copy of a batch with the instances in ``mask`` replaced."""
    arrays = {}
    for name in Instance._arrays:
        old, rows = getattr(instance, name), getattr(new, name)
        arrays[name] = None if old is None or rows is None else _merged(old, mask, rows)
    return Instance._trusted(instance.scenario, **arrays)


def _merged(batch: Any, mask: np.ndarray, rows: Any) -> Any:
    """Return a copy of a batch, or of a dict of batches, with the rows in ``mask`` replaced."""
    if isinstance(batch, dict):
        return {name: _merged(part, mask, rows[name]) for name, part in batch.items()}
    merged = batch.copy()
    merged[mask] = rows
    return merged


def _copy(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {name: part.copy() for name, part in observation.items()}
    return observation.copy()


def _rows(observation: Any) -> Any:
    """Return the rows of a batch, or of a dict of batches, one by one."""
    if not isinstance(observation, dict):
        return observation
    return (dict(zip(observation, row, strict=True)) for row in zip(*observation.values(), strict=True))
