"""Designs: all numbers of a decision, in the units of the prompts, and the decisions they stand for.

Designs and proposals convert into each other without loss, and one function converts designs into decisions: a prompt
shows exactly the evaluated numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from secagent_env import Decision, Instance
from secagent_env.model.beams import DIRECTIONS, beam_directions
from solvers.law.proposals import (
    INSIDE,
    RANGE_DB,
    AntennasProposal,
    BeamProposal,
    PowersProposal,
    Proposal,
    SelectionProposal,
    Weight,
    to_digits,
)

GIVEN = "given"
"""The name of the direction of the user's start beam."""

FEW_ANTENNAS = 8
"""Up to so many antennas the raw view has the beam's complex weights; beyond, it mixes directions as the ranked one."""

START_SNR_DB = -10.0
"""The SNR of all senders at the start, high enough for secrecy in most networks."""


class Unusable(ValueError):
    """A proposal of the right form that describes no design; the sentence says why."""


@dataclass(frozen=True)
class Design:
    """All numbers of a decision, in the units of the prompts.

    Attributes
    ----------
    selected
        Indices of the computing agents, ascending.
    power_dbm, weights
        The power of the beam, and its directions with amplitude (dB) and phase (degrees). The directions depend on the
        selection.
    level_db
        (N,) how loud each agent sends when it computes: its receive SNR in dB; in the raw view its power in dBm.
    jammer_dbm
        The powers of the agents that jam when they do not compute.
    antennas
        The real and the imaginary part of each antenna's weight, √W, in the raw view for few antennas: the beam itself,
        in the place of ``power_dbm`` and ``weights``. Else empty.
    """

    selected: tuple[int, ...]
    power_dbm: float
    weights: tuple[tuple[str, float, float], ...]
    level_db: tuple[float, ...]
    jammer_dbm: tuple[tuple[int, float], ...] = ()
    antennas: tuple[tuple[float, float], ...] = ()

    def proposal(self, kind: type[Proposal]) -> Proposal:
        """Return the part of the design that a kind of proposal changes."""
        if issubclass(kind, SelectionProposal):
            return SelectionProposal(selected=list(self.selected))
        if issubclass(kind, AntennasProposal):
            return AntennasProposal.of([complex(*weight) for weight in self.antennas])
        if issubclass(kind, BeamProposal):
            weights = [Weight(direction=name, amplitude_db=db, phase_deg=deg) for name, db, deg in self.weights]
            return BeamProposal(power_dbm=self.power_dbm, weights=weights)
        assert issubclass(kind, PowersProposal)
        jamming = {agent: dbm for agent, dbm in self.jammer_dbm if agent not in self.selected}
        return kind.of({agent: self.level_db[agent] for agent in self.selected}, jamming)

    def replaced(self, proposal: Proposal, directions: Sequence[str], jamming: bool = True) -> Design:
        """Return the design with the numbers of a proposal; raise Unusable if it does not fit the design."""
        if isinstance(proposal, SelectionProposal):
            self._check_agents("selected", proposal.selected)
            return replace(self, selected=tuple(sorted(proposal.selected)))
        if isinstance(proposal, AntennasProposal):
            if len(proposal.w) != len(self.antennas):
                raise Unusable(f"w has {len(proposal.w)} weights, but there are {len(self.antennas)} antennas")
            return replace(self, antennas=tuple((to_digits(w.re), to_digits(w.im)) for w in proposal.w))
        if isinstance(proposal, BeamProposal):
            return self._with_beam(proposal, directions)
        assert isinstance(proposal, PowersProposal)
        return self._with_powers(proposal, jamming)

    def _with_beam(self, proposal: BeamProposal, directions: Sequence[str]) -> Design:
        names = [weight.direction for weight in proposal.weights]
        if not names:
            raise Unusable("weights is empty: at least one direction is needed")
        if unknown := [name for name in names if name not in directions]:
            raise Unusable(
                f"weights names the unknown direction {unknown[0][:30]!r}; known are {', '.join(directions)}"
            )
        if len(set(names)) < len(names):
            raise Unusable("weights names a direction twice")
        weights = tuple((w.direction, _rounded(w.amplitude_db), _rounded(w.phase_deg)) for w in proposal.weights)
        return replace(self, power_dbm=_rounded(proposal.power_dbm), weights=weights)

    def _with_powers(self, proposal: PowersProposal, jamming: bool) -> Design:
        senders, jammers = [s.agent for s in proposal.senders], [j.agent for j in proposal.jammers]
        self._check_agents("senders", senders)
        self._check_agents("jammers", jammers)
        if set(senders) != set(self.selected):
            missing, extra = sorted(set(self.selected) - set(senders)), sorted(set(senders) - set(self.selected))
            raise Unusable(
                "senders must list exactly the agents that compute"
                + f"; missing: {', '.join(map(str, missing))}" * bool(missing)
                + f"; not computing: {', '.join(map(str, extra))}" * bool(extra)
            )
        if computing := sorted(set(jammers) & set(self.selected)):
            raise Unusable(f"jammers lists agent {computing[0]}, who computes and cannot jam")
        if jammers and not jamming:
            raise Unusable("jammers must be empty: jamming is not allowed")
        level = {agent: _rounded(value) for agent, value in proposal.levels.items()}
        common = _rounded(float(np.median(list(level.values())))) if level else 0.0
        return replace(
            self,  # agents that are selected later send at the median level
            level_db=tuple(level.get(agent, common) for agent in range(len(self.level_db))),
            jammer_dbm=tuple(sorted((j.agent, _rounded(j.power_dbm)) for j in proposal.jammers)),
        )

    def _check_agents(self, name: str, agents: Sequence[int]) -> None:
        highest = len(self.level_db) - 1
        if unknown := [agent for agent in agents if agent > highest]:
            raise Unusable(f"{name} names agent {str(unknown[0])[:12]}, but agents are numbered from 0 to {highest}")
        if len(set(agents)) < len(agents):
            twice = next(agent for agent in agents if agents.count(agent) > 1)
            raise Unusable(f"{name} names agent {twice} twice")


class Translator:
    """Turns designs for one instance into decisions.

    Parameters
    ----------
    instance
        The instance.
    given
        The user's start beam (L,), complex, which becomes one more direction; None or zero: there is none.
    order
        The raw view: the agents in the order in which they are shown and numbered there, a permutation of their
        indices; levels are then powers in dBm. None: agents keep their indices, and levels are receive SNRs in dB.

    Attributes
    ----------
    shown
        The instance with its agents in the order in which they are shown: the indices in designs are those of it.
    numbers
        (N,) the number under which each agent is shown.
    level_w
        (N,) the power of each agent as a sender at level 0 dB, W.
    """

    def __init__(self, instance: Instance, given: np.ndarray | None = None, order: np.ndarray | None = None) -> None:
        self.raw = order is not None
        self.order = np.arange(instance.scenario.num_agents) if order is None else np.asarray(order)
        self.numbers: list[int] = np.argsort(self.order).tolist()
        self.shown = instance if order is None else _in_order(instance, self.order)
        self.level_w = np.full(len(self.order), 1e-3) if self.raw else _power_for_0_db(self.shown)
        self._given = given if given is not None and np.any(given) else None
        self.directions = (*DIRECTIONS, GIVEN) if self._given is not None else DIRECTIONS
        self._of_selection: dict[tuple[int, ...], np.ndarray] = {}

    def vectors(self, selected: tuple[int, ...]) -> np.ndarray:
        """Return the directions (·, L) for a selection, complex, each of length 1 or 0."""
        if selected not in self._of_selection:
            size = (len(DIRECTIONS), self.shown.scenario.num_antennas)
            vectors = beam_directions(self.shown, np.array(selected)) if selected else np.zeros(size, complex)
            if self._given is not None:
                vectors = np.concatenate([vectors, [self._given / np.linalg.norm(self._given)]])
            self._of_selection[selected] = vectors
        return self._of_selection[selected]

    def decision(self, designs: Sequence[Design]) -> Decision:
        """Return the decisions (P,) of designs, for the instance and not as it is shown."""
        scenario, count = self.shown.scenario, len(designs)
        selection = np.zeros((count, scenario.num_agents), bool)
        power = np.zeros((count, scenario.num_agents))
        beam = np.zeros((count, scenario.num_antennas), complex)
        for i, design in enumerate(designs):
            chosen = list(design.selected)
            selection[i, chosen] = True
            for agent, dbm in design.jammer_dbm:
                power[i, agent] = watts(dbm)
            power[i, chosen] = (10 ** (np.array(design.level_db) / 10) * self.level_w)[chosen]
            beam[i] = self.beam(design)
        return Decision(selection=selection[:, self.numbers], beamformer=beam, power_w=power[:, self.numbers])

    def beam(self, design: Design) -> np.ndarray:
        """Return the beam (L,) of a design, complex, √W."""
        if design.antennas:
            return np.array([complex(*weight) for weight in design.antennas])
        vectors = dict(zip(self.directions, self.vectors(design.selected), strict=True))
        beam = np.zeros(self.shown.scenario.num_antennas, complex)
        for name, db, deg in design.weights:
            beam += 10 ** (db / 20) * np.exp(1j * np.deg2rad(deg)) * vectors[name]
        length = float(np.linalg.norm(beam))
        return beam / length * np.sqrt(watts(design.power_dbm)) if length > 0 else beam

    def design_of(self, decision: Decision) -> Design:
        """Return the design of receive SNRs that is nearest to a decision; its beam is the direction ``given``."""
        selection, power = decision.selection[self.order], decision.power_w[self.order]
        level_db = np.clip(decibels(power * self.shown.bs_gain / self.shown.scenario.noise_power_w), *RANGE_DB)
        sending = selection & (power > 0)
        common = float(np.median(level_db[sending])) if sending.any() else START_SNR_DB
        jamming = np.flatnonzero(~selection & (power > 0))
        beam_w = float(np.sum(np.abs(decision.beamformer) ** 2))
        return Design(
            selected=tuple(map(int, np.flatnonzero(selection))),
            power_dbm=_in_dbm(beam_w),
            weights=((GIVEN, 0.0, 0.0),) if beam_w > 0 else (("filtered", 0.0, 0.0),),
            level_db=tuple(round(float(level), 2) for level in np.where(sending, level_db, common)),
            jammer_dbm=tuple((int(agent), _in_dbm(power[agent])) for agent in jamming),
        )

    def in_raw_numbers(self, design: Design) -> Design:
        """Return a design of receive SNRs in the numbers of the raw view; few antennas get the beam itself."""
        power = _power_for_0_db(self.shown) * 10 ** (np.array(design.level_db) / 10)
        few = self.shown.scenario.num_antennas <= FEW_ANTENNAS
        beam = INSIDE * self.beam(design) if few else ()
        return replace(
            design,
            level_db=tuple(_in_dbm(each) for each in power),
            antennas=tuple((to_digits(weight.real), to_digits(weight.imag)) for weight in beam),
        )


def _in_order(instance: Instance, order: np.ndarray) -> Instance:
    """Return an instance with its agents in another order."""
    of_agents = ("channel_bs", "gain_eve", "inference_time_s", "compute_power_w", "accuracy")
    return instance.replace(
        gain_agents=instance.gain_agents[np.ix_(order, order)],
        position_m=None if instance.position_m is None else instance.position_m[order],
        **{name: getattr(instance, name)[order] for name in of_agents},
    )


def _power_for_0_db(instance: Instance) -> np.ndarray:
    """Return the power (N,) with which each agent is received at an SNR of 0 dB, W."""
    return instance.scenario.noise_power_w / np.maximum(instance.bs_gain, 1e-300)


def _rounded(value: float) -> float:
    return round(value, 2) + 0.0  # no negative zero


def _in_dbm(power_w: float) -> float:
    return floor(float(np.clip(to_dbm(power_w), *RANGE_DB)))


def floor(value: float) -> float:
    """Return a number rounded down to two decimals, which keeps upper limits."""
    return float(np.floor(value * 100 + 1e-6) / 100)


def watts(dbm: float) -> float:
    """Return a power in W."""
    return float(10 ** ((dbm - 30) / 10))


def decibels(ratio: Any) -> Any:
    """Return a ratio of powers in dB, −300 at the least."""
    return 10 * np.log10(np.maximum(ratio, 1e-30))


def to_dbm(power_w: Any) -> Any:
    """Return a power in dBm."""
    return decibels(power_w) + 30
