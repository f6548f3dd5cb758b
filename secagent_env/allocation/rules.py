"""The rules of ``secagent/Allocation-v0``, the same for one environment and for many: arguments, reward and info."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from secagent_env.allocation.actions import ActionFormat, action_format
from secagent_env.allocation.observations import observation_space, observe
from secagent_env.allocation.reward import latency_by_deadline, reward, reward_of
from secagent_env.allocation.shaping import secrecy_shortfall
from secagent_env.gym_bases.arguments import fitting
from secagent_env.gym_bases.own_instances import InstanceSet
from secagent_env.model.batched import Array
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome, constraint_bounds
from secagent_env.model.physics import evaluate
from secagent_env.model.scenario import Scenario
from secagent_env.model.workload import reference_energy_j as default_reference_j
from secagent_env.sampling.beforehand import check_beforehand
from secagent_env.sampling.estimation import ESTIMATED, known_by
from secagent_env.support.checks import choice, integer, number
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require

if TYPE_CHECKING:
    from secagent_env.allocation.bulk import Bulk

RNGS = ("streams", "bulk")
SHAPING = 0.1
"""What a link that is overheard e times as loud as it is received adds to the penalty, under ``shaping``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FormatRules:
    """Arguments of every environment of Instances.

    Parameters
    ----------
    scenario
        The parameters of the networks.
    action_format
        ``"flat"``, ``"dict"``, ``"guided"``, ``"ranked"``, ``"selection"`` or ``"bids"``, see
        :mod:`secagent_env.allocation.actions`.
    artificial_noise
        Whether the base station can send artificial noise, of which the ``"dict"`` format says the covariance.
    observation_format
        ``"flat"``, ``"dict"``, ``"compact"``, ``"ranked"`` or ``"pairwise"``, see
        :mod:`secagent_env.allocation.observations`.
    instances
        Instances of your own to play on: a batch, or the path of one. None: they are drawn from the scenario.
    order
        How episodes take them: ``"random"`` or ``"sequential"``, see
        :class:`~secagent_env.gym_bases.own_instances.InstanceSet`.
    csi_error
        ε in [0, 1), the error variance of the channels to the eavesdroppers as the supervisor knows them
        (:mod:`secagent_env.sampling.estimation`): observations and ``instance`` of the environment hold estimates, and
        what is scored is its ``truth``. 0: they equal the truth, and that is known. None: as the paper assumes, the
        truth is what is seen.

    Attributes
    ----------
    actions, observation_space
        What the two formats are for the scenario.
    """

    scenario: Scenario = field(default_factory=Scenario)
    action_format: str = "flat"
    observation_format: str = "flat"
    instances: InstanceSet | None = None
    order: str = "random"
    csi_error: float | None = None
    artificial_noise: bool = False

    actions: ActionFormat = field(init=False)
    observation_space: gymnasium.Space[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._set(
            actions=action_format(self.action_format, self.scenario, self.artificial_noise),
            observation_space=observation_space(self.observation_format, self.scenario),
            csi_error=None if self.csi_error is None else number("csi_error", self.csi_error, 0, below=1),
        )
        if self.csi_error is not None and self.instances is not None:
            check_beforehand(self.instances.one(0))

    def known(self, seen: Instance) -> Instance:
        """Return what is seen of instances, and what is known by that as its prior."""
        return seen if self.csi_error is None else known_by(seen, self.csi_error)

    def told(self, truth: Instance) -> dict[str, Any]:
        """Return the entry ``truth`` of a step's ``info``: copies of what was estimated; without an error, no entry."""
        return {} if self.csi_error is None else {"truth": {name: getattr(truth, name).copy() for name in ESTIMATED}}

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False, kw_only=True)
class AllocationRules(FormatRules):
    """The arguments of the environments of one task, and what follows from them; batched over leading dimensions.

    Parameters
    ----------
    scenario, action_format, observation_format, instances, order, csi_error, artificial_noise
        As in :class:`FormatRules`.
    reference_energy_j
        The energy whose reward is −1, J; None: the expected execution energy of N_min random agents.
    penalty_fixed
        Penalty of each violated constraint, in units of what all agents together would spend on computing.
    penalty_weight
        Weight of the relative violation: a number, or a dict by constraint.
    episodes_per_instance
        How many consecutive episodes keep one instance, and its estimate.
    shaping
        ``"secrecy"``: the penalty grows with :func:`~secagent_env.allocation.shaping.secrecy_shortfall` too, over
        N_min + 1 links in the mean, times :data:`SHAPING`; None: it does not.
    rng
        Where random numbers come from: ``"streams"``, a generator in each environment, or ``"bulk"``, by counter from
        its seed and the number of the episode, in machine code; the latter needs numba.

    Attributes
    ----------
    reference_j, penalty_weights
        The reference energy, J, and the weight of each constraint.
    bulk
        What draws, observes and decides where random numbers come in bulk; else None.
    """

    reference_energy_j: float | None = None
    penalty_fixed: float = 1.5
    penalty_weight: float | Mapping[str, float] = 1.0
    episodes_per_instance: int = 1
    shaping: str | None = None
    rng: str = "streams"

    reference_j: float = field(init=False)
    penalty_weights: dict[str, float] = field(init=False)
    bulk: Bulk | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        reference = default_reference_j(self.scenario) if self.reference_energy_j is None else self.reference_energy_j
        self._set(
            reference_j=number("reference_energy_j", reference, above=0),
            penalty_fixed=number("penalty_fixed", self.penalty_fixed, 0),
            penalty_weights=_weights(self.scenario, self.penalty_weight),
            episodes_per_instance=integer("episodes_per_instance", self.episodes_per_instance, 1),
        )
        if self.shaping is not None:
            choice("shaping", self.shaping, ("secrecy",))
        if choice("rng", self.rng, RNGS) == "bulk":
            self._make_bulk()

    def _make_bulk(self) -> None:
        for name in ("instances", "csi_error"):
            if getattr(self, name) is not None:
                raise ValueError(f"rng='bulk' has no {name}: leave one of them out")
        from secagent_env.allocation.bulk import BULK_FORMATS, Bulk

        self._set(bulk=Bulk(self.scenario, self.observation_format))
        if self.action_format in BULK_FORMATS:
            self._set(actions=BULK_FORMATS[self.action_format](self.scenario))

    def observe(self, instance: Instance, pair_gain: np.ndarray | None = None) -> Any:
        """Return the observation of an instance or a batch, as :mod:`secagent_env.allocation.observations` has it."""
        if self.bulk is not None:
            return self.bulk.observed(instance)
        return observe(instance, self.observation_format, pair_gain=pair_gain)

    def score(self, instance: Instance, decision: Decision) -> tuple[Outcome, Array, Array]:
        """Return the outcome, the reward and the penalty in it, each of the batch shape."""
        terms: dict[str, Any] = {
            "reference_j": self.reference_j,
            "fixed": self.penalty_fixed,
            "weights": self.penalty_weights,
        }
        if self.bulk is not None and self.bulk.evaluates(instance, decision):
            outcome, *sums = self.bulk.evaluated(instance, decision)
            value, penalty = reward_of(instance.scenario, outcome, *sums, **terms)
        else:
            outcome = evaluate(instance, decision)
            value, penalty = reward(instance, decision, outcome, **terms)
        if self.shaping is None:
            return outcome, value, penalty
        links = instance.scenario.required_agents + 1
        more = np.where(outcome.feasible, 0.0, SHAPING * secrecy_shortfall(instance, decision, outcome) / links)
        return outcome, value - more, penalty + more

    def fitting(self, instance: Any, *batches: tuple[int, ...]) -> Instance:
        """Return the option ``instance`` of a reset as NumPy arrays; its batch shape must be one of ``batches``."""
        sizes = {name: getattr(self.scenario, name) for name in ("num_agents", "num_antennas", "num_eavesdroppers")}
        fits = fitting("instance", instance, Instance, batches, **sizes)
        if self.csi_error is not None:
            check_beforehand(fits)
        return fits


def decoder(form: str, scenario: Scenario, *, compiled: bool) -> ActionFormat:
    """Return an action format by its name; if ``compiled``, guided and selection decode in machine code, to rounding.

    Raises ImportError if that needs numba, which is missing.
    """
    if compiled:
        require("numba", extra="fast")
        from secagent_env.allocation.bulk import BULK_FORMATS

        if form in BULK_FORMATS:
            return BULK_FORMATS[form](scenario)
    return action_format(form, scenario)


def info_of(scenario: Scenario, outcome: Outcome, energy_j: Array, penalty: Array) -> dict[str, Any]:
    """Return the ``info`` of a step with this outcome on instances of a scenario, each entry of the batch shape.

    ``energy_j`` is that of the reward, which is finite.
    """
    return {
        "energy_j": outcome.energy_j,
        "execution_energy_j": outcome.execution_energy_j,
        "transmission_energy_j": outcome.transmission_energy_j,
        "latency_s": outcome.latency_s,
        "mean_accuracy": outcome.mean_accuracy,
        "violations": dict(outcome.violations),
        "feasible": outcome.feasible,
        "penalty": penalty,
        "is_success": outcome.feasible,
        "counted_energy_j": energy_j,
        "counted_latency_s": latency_by_deadline(scenario, outcome),
    }


def _weights(scenario: Scenario, weight: float | Mapping[str, float]) -> dict[str, float]:
    names = constraint_bounds(scenario)
    given = weight if isinstance(weight, Mapping) else dict.fromkeys(names, weight)
    for name in given:
        check_name("constraint in penalty_weight", name, names)
    return {name: number(f"penalty_weight of {name}", given.get(name, 1.0), 0) for name in names}
