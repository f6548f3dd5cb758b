"""``rng="bulk"`` of the environments of one task: networks by counter; their observations, decisions and scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from secagent_env.allocation.guided import CANCELLED, LOWEST_POWER_W, GuidedFormat, SelectionFormat
from secagent_env.allocation.observations import observation_shapes, task_part
from secagent_env.allocation.observations import observe as observe_arrays
from secagent_env.bulk import serving
from secagent_env.bulk.guided import decide
from secagent_env.bulk.kernels import observe
from secagent_env.bulk.networks import Networks, key_of, links_and_agents
from secagent_env.bulk.scoring import FIGURES, score
from secagent_env.gym_bases.spaces import BOUND
from secagent_env.model.batched import LEAN_NUMPY, Array, Batched, namespace
from secagent_env.model.beams import RIDGE
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.physics import outcome_of
from secagent_env.model.scenario import Scenario
from secagent_env.model.serving import serve
from secagent_env.model.workload import mean_execution_energy_j
from secagent_env.sampling.generator import empty_instances

_B = TypeVar("_B", bound=Batched)


NUMPY = ("pairwise", "ranked")
"""Observations of matrix products or of sorting, which are no faster in machine code of our own."""


class Bulk:
    """Networks of a scenario by counter, their observations in a format, and the scores of decisions, in machine code.

    Parameters
    ----------
    scenario, observation_format
        As in :class:`~secagent_env.allocation.rules.FormatRules`.

    Raises
    ------
    ImportError
        If numba is missing.
    ValueError
        If such networks of the scenario are not to be had.
    """

    CHUNK = 128
    """How many environments are drawn and observed at a time, so that they stay in the processor's cache."""

    def __init__(self, scenario: Scenario, observation_format: str) -> None:
        self._networks, self._scenario, self._format = Networks(scenario), scenario, observation_format

    def one(self, seed: int, episode: int) -> Instance:
        """Return the instance of an episode since the environment was seeded."""
        instances, gain = empty_instances(self._scenario, 1), np.empty((1, self._scenario.num_agents))
        self.draw(instances, gain, np.zeros(1, np.int64), self.keys_of([seed]), np.array([episode]))
        return Instance._trusted(**instances[0]._fields(), bs_gain=gain[0])

    @staticmethod
    def keys_of(seeds: Sequence[int]) -> np.ndarray:
        """Return the keys (num_envs,) of the environments' seeds."""
        return np.array([key_of(seed) for seed in seeds], np.uint64)

    def draw(
        self, instances: Instance, bs_gain: np.ndarray, rows: np.ndarray, keys: np.ndarray, episodes: np.ndarray
    ) -> None:
        """Write instances to some ``rows`` (B,) of a batch of them, and their gains g of (9) to those of (·, N).

        ``keys`` (B,) are those of :meth:`keys_of`, and ``episodes`` (B,) the numbers since an environment was seeded.
        """
        self._networks.draw(instances, bs_gain, rows, keys, episodes)

    def observe(self, instances: Instance, bs_gain: np.ndarray, rows: np.ndarray, out: Any) -> None:
        """Write the observations of the ``rows`` (B,) of a batch of instances to those of observations."""
        if self._format in NUMPY:
            out[rows] = observe_arrays(instances._map(lambda array: array[rows]), self._format)
            return
        flat, into = (out, rows) if self._format != "dict" else (self._empty(len(rows)), np.arange(len(rows)))
        observe(rows, into, *_seen_in(instances.scenario), self._all, *links_and_agents(instances), bs_gain, flat)
        if self._format == "dict":
            for name, part in self._parts(flat).items():
                out[name][rows] = part

    def observed(self, instance: Instance) -> Any:
        """Return the observation of an instance or of a batch: float32 arrays (…, shape)."""
        if self._format in NUMPY:
            return observe_arrays(instance, self._format)
        batch, flat = instance.batch_shape, _flat(instance)
        rows, seen = np.arange(len(flat)), self._empty(len(flat))
        observe(rows, rows, *_seen_in(instance.scenario), self._all, *links_and_agents(flat), _gain(instance), seen)
        if self._format != "dict":
            return seen.reshape(*batch, -1)
        return {name: part.copy().reshape(*batch, *part.shape[1:]) for name, part in self._parts(seen).items()}

    @staticmethod
    def evaluates(instance: Instance, decision: Decision) -> bool:
        """Whether a decision can be scored here: one for each instance, in NumPy, and without artificial noise."""
        one_each = instance.batch_shape == decision.batch_shape
        return one_each and decision.noise_covariance is None and namespace(decision.power_w, instance.channel_bs) is np

    @staticmethod
    def evaluated(instance: Instance, decision: Decision) -> tuple[Outcome, np.ndarray, np.ndarray]:
        """Return the outcome, to rounding that of :func:`~secagent_env.evaluate`, and the two sums of ``reward_of``.

        Instance and decision are as :meth:`evaluates` says.
        """
        batch, scenario = instance.batch_shape, instance.scenario
        flat, decided = _flat(instance), _flat(decision)
        figures, secrecy = np.empty((len(FIGURES), len(flat))), np.empty((len(flat), scenario.num_agents))
        score(
            *links_and_agents(flat),
            _gain(instance),
            np.ascontiguousarray(decided.selection),
            np.ascontiguousarray(decided.beamformer, complex).view(float),
            np.ascontiguousarray(decided.power_w, float),
            (
                scenario.noise_power_w,
                scenario.downlink_bits / scenario.bandwidth_hz,
                scenario.uplink_bits / scenario.bandwidth_hz,
                float(scenario.latency_limit_s),
            ),
            scenario.colluding,
            figures,
            secrecy,
        )
        named = {name: row.reshape(batch)[()] for name, row in zip(FIGURES, figures, strict=True)}
        sums = named.pop("capped_energy_j"), named.pop("everyone_j")
        secrecy = secrecy.reshape(*batch, -1)
        return outcome_of(LEAN_NUMPY, scenario, decision, uplink_secrecy=secrecy, **named), *sums

    def _empty(self, size: int) -> np.ndarray:
        return np.empty((size, sum(map(math.prod, self._shapes.values()))), np.float32)

    def _parts(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parts (B, shape) of flat observations, as views."""
        parts, start = {}, 0
        for name, shape in self._shapes.items():
            end = start + math.prod(shape)
            parts[name] = flat[:, start:end].reshape(-1, *shape)
            start = end
        return parts

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return observation_shapes(self._scenario, self._format)

    @property
    def _all(self) -> bool:
        """Whether all channels are seen."""
        return self._format != "compact"


class BulkGuidedFormat(GuidedFormat):
    """The guided action format, whose decisions are those of :class:`GuidedFormat` to rounding, in machine code."""

    def decide(self, action: Array, instance: Instance) -> Decision:
        """Return the decision of an action within the bounds."""
        batch, scenario = instance.batch_shape, instance.scenario
        if tuple(action.shape[:-1]) != batch or namespace(action, instance.channel_bs) is not np:
            return super().decide(action, instance)
        channel_bs, channel_eve, *_ = links_and_agents(_flat(instance))
        size, agents, parts = channel_bs.shape
        selection, power, beamformer = np.empty((size, agents), bool), np.empty((size, agents)), np.empty((size, parts))
        powers = (scenario.max_power_w, scenario.bs_power_w, scenario.noise_power_w, LOWEST_POWER_W)
        decide(
            np.ascontiguousarray(action, float).reshape(size, -1),
            channel_bs,
            channel_eve,
            _gain(instance),
            self._required,
            (*map(float, powers), self.COMMON_DB, self.OFFSET_DB, RIDGE, CANCELLED),
            selection,
            beamformer,
            power,
        )
        return Decision._trusted(
            selection=selection.reshape(*batch, agents),
            beamformer=beamformer.view(complex).reshape(*batch, -1),
            power_w=power.reshape(*batch, agents),
        )


class BulkSelectionFormat(SelectionFormat):
    """The selection format, whose decisions are those of :class:`SelectionFormat` to rounding, in machine code."""

    def serve(self, instance: Instance, chosen: np.ndarray) -> Decision:
        """Return the decisions (…) that serve selections, the indices (…, N_min) of the selected agents."""
        return serve(instance, chosen, by=serving)


BULK_FORMATS: dict[str, type[BulkGuidedFormat] | type[BulkSelectionFormat]] = {
    "guided": BulkGuidedFormat,
    "selection": BulkSelectionFormat,
}


@lru_cache(maxsize=8)
def _seen_in(scenario: Scenario) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the part ``task`` of observations, and the units and bounds of the others."""
    units = (
        mean_execution_energy_j(scenario),
        float(scenario.latency_limit_s),
        float(scenario.compute_power_w[1]),
        scenario.max_power_w / scenario.noise_power_w,
        scenario.bs_power_w / scenario.noise_power_w,
        BOUND,
    )
    return np.array(task_part(scenario), np.float32), units


def _flat(batch: _B) -> _B:
    """Return a batch (B) of what has any batch dimensions."""
    dims = len(batch.batch_shape)
    return batch._map(lambda array: array.reshape(-1, *array.shape[dims:]))


def _gain(instance: Instance) -> np.ndarray:
    """Return the gains g of (9) of any batch of instances, (B, N)."""
    return np.ascontiguousarray(instance.bs_gain, float).reshape(-1, instance.scenario.num_agents)
