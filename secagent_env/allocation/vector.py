"""``secagent/Allocation-v0``, many at once: sampling, physics, reward and observation in batches."""

from __future__ import annotations

from collections.abc import Mapping
from operator import setitem
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import create_empty_array

from secagent_env import rendering
from secagent_env.allocation.device_score import DeviceScore
from secagent_env.allocation.estimates import Estimates
from secagent_env.allocation.observations import observe
from secagent_env.allocation.rules import AllocationRules, info_of
from secagent_env.gym_bases.arguments import takes_arguments_of
from secagent_env.gym_bases.instance_env import DecisionActions
from secagent_env.gym_bases.own_instances import InstanceSet, with_instances
from secagent_env.gym_bases.rendered import FPS, check_render_mode, warn_without_mode
from secagent_env.gym_bases.seeded_vector import (
    Recycler,
    SeededVectorEnv,
    check_shapes,
    masked,
    object_rows,
    over_parts,
    rows_of,
)
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.scenario import Scenario
from secagent_env.sampling.generator import CHUNK, draw_into, empty_instances
from secagent_env.support.checks import integer
from secagent_env.support.threads import Threads

if TYPE_CHECKING:
    from secagent_env.allocation.bulk import Bulk

_RENDER_MODES = ("rgb_array", "ansi")


@takes_arguments_of(AllocationRules)
class AllocationVectorEnv(DecisionActions, SeededVectorEnv):
    """``num_envs`` environments of :class:`~secagent_env.allocation.env.AllocationEnv` in one.

    Seeds, masks and infos are those of :class:`~secagent_env.gym_bases.seeded_vector.SeededVectorEnv`; each step ends
    all episodes.

    ## Reset
    ``options["instance"]``: the instances to play, a batch ``(num_envs,)`` or a single one for all; of a batch, those
    in the mask count.

    ## Arguments
    num_envs
        How many environments.
    scenario, action_format, observation_format, instances, order, csi_error, artificial_noise
        As in the scalar environment.
    reference_energy_j, penalty_fixed, penalty_weight, rng
        As in the scalar environment.
    episodes_per_instance
        As there; an explicit reset draws a new instance.
    threads
        On how many threads instances are drawn and observed; the results are the same on any number.
    device
        Where torch computes physics and reward, such as ``"cpu"`` or ``"cuda"``, in float64: the same to rounding.
        None is NumPy.
    render_mode
        ``"rgb_array"`` or ``"ansi"``: ``render`` returns a tuple with a picture or text of each episode, after a step
        of those that it ended, with their decisions.
    max_episode_steps
        As Gymnasium's ``make_vec`` hands it over. With 1, episodes are truncated too, as ``TimeLimit`` does.
    autoreset_mode
        ``"SameStep"``, ``"NextStep"`` or ``"Disabled"``.

    ## Version history
    * v0: first version.
    """

    metadata = {"render_modes": list(_RENDER_MODES), "render_fps": FPS}  # noqa: RUF012
    _option = "instance"

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        *,
        threads: int = 1,
        device: str | None = None,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **arguments: Any,
    ) -> None:
        self._rules = rules = AllocationRules(**with_instances(scenario, arguments))
        super().__init__(num_envs, rules.actions.space, rules.observation_space, autoreset_mode)
        self.scenario, self.observation_format = rules.scenario, rules.observation_format
        self.render_mode = check_render_mode(render_mode, _RENDER_MODES)
        self._score = self._rules.score if device is None else DeviceScore(self._rules, device)
        self._truncated = max_episode_steps is not None and integer("max_episode_steps", max_episode_steps, 1) == 1
        workers = integer("threads", threads, 1)
        self._pool = Threads(workers) if workers > 1 else None
        # The instances of the running episodes, in arrays that are overwritten in place, and as they are seen.
        self._estimates = Estimates(rules.csi_error, self.num_envs)
        self._arrays = empty_instances(self.scenario, self.num_envs)
        self._seen = self._estimates.arrays(self._arrays)
        self._lent = Recycler()
        self._observation: Any = create_empty_array(self.single_observation_space, self.num_envs)
        self._bs_gain = np.empty((self.num_envs, self.scenario.num_agents))
        self._truth: Instance | None = None  # of these arrays
        self._instance: Instance | None = None  # of those that are seen
        self._episodes = np.zeros(self.num_envs, np.int64)  # that ended on each instance
        self._shown: list[tuple[Instance, Decision, Outcome, float] | None] = [None] * self.num_envs
        self._keys: np.ndarray | None = None  # of the seeds, once they are asked for

    @property
    def reference_energy_j(self) -> float:
        """The energy whose reward is −1, J."""
        return self._rules.reference_j

    @property
    def instance(self) -> Instance:
        """A copy of the instances of the running episodes, a batch (num_envs,), without a prior.

        Under ``csi_error`` those are estimates, with what is known by them as their prior.
        """
        return self._rules.known(_copied(_running(self._instance)))

    @property
    def truth(self) -> Instance:
        """A copy of the instances as they are: what decisions are scored on."""
        return _copied(_running(self._truth))

    def _start(self, mask: np.ndarray, given: Instance | None) -> Any:
        self._keys = None  # there may be new seeds
        self._forget(mask)
        if given is None:
            return self._draw(mask)
        self._renew(given, mask)
        self._write(np.flatnonzero(mask), given)
        return self._lent.copy_of(self._observation)

    def _step_and_start(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        truth = _running(self._truth)
        decision = self._decided(actions)
        outcome, rewards, penalty = self._score(truth, decision)
        self._remember(truth, decision, outcome, rewards, np.ones(self.num_envs, bool))
        self._episodes += 1
        over = self._episodes >= self._rules.episodes_per_instance
        # The caller keeps the last observations as they are; the next ones get arrays of their own.
        final, self._observation = (
            self._observation,
            self._lent.empty_like(self._observation) if over.all() else self._lent.copy_of(self._observation),
        )
        told = self._rules.told(truth) if over.any() else {}
        observation = self._draw(over)
        ended = np.ones(self.num_envs, bool)
        infos = masked({"final_obs": object_rows(rows_of(final), self.num_envs)}, ended)
        infos |= masked({"final_info": self._info(truth, outcome, rewards, penalty)}, ended)
        infos["final_info"] |= masked(told, over)
        return observation, rewards, ended, np.full(self.num_envs, self._truncated), infos

    def _advance(
        self, actions: Any, mask: np.ndarray
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        truth = _running(self._truth)
        decision = self._decided(actions)
        outcome, rewards, penalty = self._score(truth, decision)
        self._remember(truth, decision, outcome, rewards, mask)
        self._episodes[mask] += 1
        over = mask & (self._episodes >= self._rules.episodes_per_instance)
        infos = masked(self._info(truth, outcome, rewards, penalty), mask)
        if over.any():
            infos |= masked(self._rules.told(truth), over)
        observation = self._lent.copy_of(self._observation)
        return observation, np.where(mask, rewards, 0.0), mask.copy(), mask & self._truncated, infos

    def _info(self, truth: Instance, outcome: Outcome, rewards: np.ndarray, penalty: np.ndarray) -> dict[str, Any]:
        return info_of(truth.scenario, outcome, -(rewards + penalty) * self._rules.reference_j, penalty)

    def _restart(self, mask: np.ndarray) -> Any:
        self._forget(mask)
        return self._draw(mask & (self._episodes >= self._rules.episodes_per_instance))

    def _remember(
        self, truth: Instance, decision: Decision, outcome: Outcome, rewards: np.ndarray, mask: np.ndarray
    ) -> None:
        """Keep what is drawn of the episodes in ``mask``, where there are pictures."""
        if self.render_mode is not None:
            for i in map(int, np.flatnonzero(mask)):
                self._shown[i] = truth[i]._map(np.copy), decision[i], outcome[i], float(rewards[i])

    def _forget(self, mask: np.ndarray) -> None:
        for i in map(int, np.flatnonzero(mask)):
            self._shown[i] = None

    def close_extras(self, **kwargs: Any) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def render(self) -> tuple[Any, ...] | None:
        """Return a tuple with the picture (``rgb_array``) or text (``ansi``) of each episode.

        After a step it is that of the episode which the step ended, with its decision.
        """
        if self.render_mode is None:
            warn_without_mode()
            return None
        draw_one = getattr(rendering, self.render_mode)
        shown = zip(self._shown, self.instance, strict=True)
        return tuple(draw_one(*(ended or (running,))) for ended, running in shown)

    def _decided(self, actions: Any) -> Decision:
        """Return the decisions of actions, or raise an error that names the environment."""
        check_shapes(self.action_space, actions)
        try:
            return self.decode(actions)
        except ValueError as error:
            for i, action in enumerate(rows_of(actions)):
                try:
                    self._rules.actions.decode(action, _running(self._instance)[i])
                except ValueError as wrong:
                    raise ValueError(f"environment {i}: {wrong}") from error
            raise

    def _draw(self, mask: np.ndarray) -> Any:
        """Draw new instances where ``mask`` says so, and return a copy of all observations."""
        own, bulk = self._rules.instances, self._rules.bulk
        if mask.any():
            self._renew(empty_instances(self.scenario, 0) if own is None else own.like(), mask)
        if bulk is not None:
            return self._draw_in_bulk(mask, bulk)
        generators = self.np_random
        if own is not None:
            return self._take(mask, own)
        if not mask.all():
            chosen = np.flatnonzero(mask)
            for rows in (chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)):
                drawn = empty_instances(self.scenario, len(rows))
                _, pair_gain = draw_into(drawn, [generators[i] for i in rows])
                self._write(rows, drawn, pair_gain)
            return self._lent.copy_of(self._observation)
        copy = self._lent.empty_like(self._observation)
        run = map if self._pool is None else self._pool.map

        def renew(start: int) -> None:  # observed and copied while still in the cache
            chunk = slice(start, start + CHUNK)
            instances = self._arrays[chunk]
            observation, copied = (over_parts(lambda part: part[chunk], batch) for batch in (self._observation, copy))
            _, pair_gain = draw_into(instances, generators[chunk])
            observe(self._see(instances, chunk), self.observation_format, out=observation, pair_gain=pair_gain)
            over_parts(np.copyto, copied, observation)

        for _ in run(renew, range(0, self.num_envs, CHUNK)):
            pass
        return copy

    def _draw_in_bulk(self, mask: np.ndarray, bulk: Bulk) -> Any:
        """Draw new instances by counter where ``mask`` says so, and return a copy of all observations."""
        if self._keys is None:
            self._keys = bulk.keys_of(self.np_random_seed)
        chosen = np.flatnonzero(mask)
        keys, episodes = self._keys[chosen], self._turns[chosen]
        self._turns[chosen] += 1
        copy = self._lent.empty_like(self._observation) if mask.all() else None

        def renew(start: int) -> None:
            part = slice(start, start + bulk.CHUNK)
            bulk.draw(self._arrays, self._bs_gain, chosen[part], keys[part], episodes[part])
            bulk.observe(self._arrays, self._bs_gain, chosen[part], self._observation)
            if copy is not None:
                over_parts(lambda into, new: np.copyto(into[part], new[part]), copy, self._observation)

        run = map if self._pool is None else self._pool.map
        for _ in run(renew, range(0, len(chosen), bulk.CHUNK)):
            pass
        return self._lent.copy_of(self._observation) if copy is None else copy

    def _take(self, mask: np.ndarray, own: InstanceSet) -> Any:
        """Take instances of the user's own where ``mask`` says so, and return a copy of all observations."""
        chosen = np.flatnonzero(mask)
        seeds, generators = self.np_random_seed, self.np_random
        indices = own.indices([generators[i] for i in chosen], [seeds[i] for i in chosen], self._turns[chosen])
        self._turns[chosen] += 1
        run = map if self._pool is None else self._pool.map

        def renew(start: int) -> None:
            part = slice(start, start + CHUNK)
            if not mask.all():
                self._write(chosen[part], own.take(indices[part]))
                return
            instances = self._arrays[part]
            own.copy_to(instances, indices[part])
            observation = over_parts(lambda array: array[part], self._observation)
            observe(self._see(instances, part), self.observation_format, out=observation)

        for _ in run(renew, range(0, len(chosen), CHUNK)):
            pass
        return self._lent.copy_of(self._observation)

    def _renew(self, like: Instance, mask: np.ndarray) -> None:
        """Prepare for new instances, with the scenario and the fields of a batch, in the environments of ``mask``."""
        held = self._estimates.holding(self._arrays, like)
        other_scenario = not mask.all() and like.scenario != _running(self._instance).scenario
        if other_scenario or (held is not self._arrays and not mask.all()):
            what = "scenario" if other_scenario else "kind of prior"
            raise ValueError(
                f"all running instances must share one {what}, and those of a part of the environments "
                "would have another: reset all environments at once"
            )
        if held is not self._arrays:
            self._arrays, self._seen = held, self._estimates.arrays(held)
        self._truth, self._instance = (
            Instance._trusted(**{**arrays._fields(), "scenario": like.scenario, "bs_gain": self._bs_gain})
            for arrays in (self._arrays, self._seen)
        )
        self._episodes[mask] = 0

    def _write(self, rows: np.ndarray, instance: Instance, pair_gain: np.ndarray | None = None) -> None:
        for name in self._arrays._arrays:
            value, into = getattr(instance, name), getattr(self._arrays, name)
            if into is not None:
                into[rows] = np.nan if value is None else value
        observation = self._rules.observe(self._see(instance, rows), pair_gain)
        over_parts(lambda part, new: setitem(part, rows, new), self._observation, observation)

    def _see(self, truth: Instance, rows: np.ndarray | slice) -> Instance:
        """Return what is seen of the true instances of some environments, and keep it."""
        seen = self._estimates.of(truth, self.np_random, np.arange(self.num_envs)[rows])
        self._estimates.write(seen, self._seen, rows)
        self._bs_gain[rows] = seen.bs_gain
        return seen


def _running(instance: Instance | None) -> Instance:
    """Return the instances of the running episodes, if there are any."""
    if instance is None:
        raise gymnasium.error.ResetNeeded("there are no instances yet: call reset() first")
    return instance


def _copied(instance: Instance) -> Instance:
    """Return a copy of instances, without places where they are not known of all."""
    copied = instance._map(np.copy)
    unknown = [name for name in ("position_m", "eve_position_m") if np.isnan(getattr(copied, name)).any()]
    return Instance._trusted(**{**copied._fields(), **dict.fromkeys(unknown)})
