"""Proposals of a model in each sub-problem, in units that a language model can read, and the decisions they stand for.

A *design* holds all numbers of a decision in these units: ranks and indices of agents, dBm, dB and degrees, to two
decimals. A *proposal* is the part of a design that one sub-problem changes, as JSON. Designs and proposals convert into
each other without loss, and one function converts designs into decisions: a prompt shows exactly the evaluated numbers.

The docstrings and descriptions of the proposals are a part of the schema that a model is shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from secagent_env import Decision, Instance
from secagent_env.model.beams import DIRECTIONS, beam_directions
from solvers.llm.structured import SENTENCE

GIVEN = "given"
"""The name of the direction of the user's start beam."""


def _rounded(value: float) -> float:
    return round(value, 2) + 0.0  # no negative zero


class Proposal(BaseModel):
    """The part of a design that one sub-problem changes."""

    model_config = ConfigDict(allow_inf_nan=False)
    sub_problem: ClassVar[str]

    reason: str = Field(
        default="", description="one sentence: what you change and why", json_schema_extra={"maxLength": SENTENCE}
    )

    def to_json(self) -> str:
        """Return the proposal as one line of a prompt, without the reason."""
        return json.dumps(self.model_dump(exclude={"reason"}))


Agent = Annotated[int, Field(ge=0)]
Decibels = Annotated[float, Field(ge=-200, le=200)]


class SelectionProposal(Proposal):
    """Who computes."""

    sub_problem = "selection"

    selected: list[Agent] = Field(description="indices of the agents that compute, each once")


class Weight(BaseModel):
    """The weight of one beam direction."""

    model_config = ConfigDict(allow_inf_nan=False)

    direction: str
    amplitude_db: Decibels = Field(description="relative to the other directions")
    phase_deg: float = Field(ge=-720, le=720)


class BeamProposal(Proposal):
    """How the base station transmits."""

    sub_problem = "beam"

    power_dbm: Decibels = Field(description="the power of the whole beam")
    weights: list[Weight] = Field(description="the directions in use; a direction that is not listed has no weight")


class Sender(BaseModel):
    """How loud a computing agent is."""

    model_config = ConfigDict(allow_inf_nan=False)

    agent: Agent
    snr_db: Decibels = Field(description="receive SNR at the base station")


class Jammer(BaseModel):
    """How loud a jamming agent is."""

    model_config = ConfigDict(allow_inf_nan=False)

    agent: Agent
    power_dbm: Decibels


class PowersProposal(Proposal):
    """How much power everybody sends."""

    sub_problem = "powers"

    senders: list[Sender] = Field(description="every agent that computes, once")
    jammers: list[Jammer] = Field(description="agents that jam; an agent that is not listed is silent")


PROPOSALS: dict[str, type[Proposal]] = {
    kind.sub_problem: kind for kind in (SelectionProposal, BeamProposal, PowersProposal)
}


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
    snr_db
        (N,) receive SNR of each agent when it computes, dB.
    jammer_dbm
        The powers of the agents that jam when they do not compute.
    """

    selected: tuple[int, ...]
    power_dbm: float
    weights: tuple[tuple[str, float, float], ...]
    snr_db: tuple[float, ...]
    jammer_dbm: tuple[tuple[int, float], ...] = ()

    def proposal(self, sub_problem: str) -> Proposal:
        """Return the part of the design that a sub-problem changes."""
        if sub_problem == "selection":
            return SelectionProposal(selected=list(self.selected))
        if sub_problem == "beam":
            weights = [Weight(direction=name, amplitude_db=db, phase_deg=deg) for name, db, deg in self.weights]
            return BeamProposal(power_dbm=self.power_dbm, weights=weights)
        jamming = [(agent, dbm) for agent, dbm in self.jammer_dbm if agent not in self.selected]
        return PowersProposal(
            senders=[Sender(agent=agent, snr_db=self.snr_db[agent]) for agent in self.selected],
            jammers=[Jammer(agent=agent, power_dbm=dbm) for agent, dbm in jamming],
        )

    def replaced(self, proposal: Proposal, directions: Sequence[str], jamming: bool = True) -> Design:
        """Return the design with the numbers of a proposal; raise Unusable if it does not fit the design."""
        if isinstance(proposal, SelectionProposal):
            self._check_agents("selected", proposal.selected)
            return replace(self, selected=tuple(sorted(proposal.selected)))
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
        level = {s.agent: _rounded(s.snr_db) for s in proposal.senders}
        common = _rounded(float(np.median(list(level.values())))) if level else 0.0
        return replace(
            self,  # agents that are selected later send at the median level
            snr_db=tuple(level.get(agent, common) for agent in range(len(self.snr_db))),
            jammer_dbm=tuple(sorted((j.agent, _rounded(j.power_dbm)) for j in proposal.jammers)),
        )

    def _check_agents(self, name: str, agents: Sequence[int]) -> None:
        highest = len(self.snr_db) - 1
        if unknown := [agent for agent in agents if agent > highest]:
            raise Unusable(f"{name} names agent {str(unknown[0])[:12]}, but agents are numbered from 0 to {highest}")
        if len(set(agents)) < len(agents):
            twice = next(agent for agent in agents if agents.count(agent) > 1)
            raise Unusable(f"{name} names agent {twice} twice")


class Translator:
    """Turns designs for one instance into decisions; a user's start beam (L,), complex, becomes one more direction."""

    def __init__(self, instance: Instance, given: np.ndarray | None = None) -> None:
        self.instance = instance
        self._given = given if given is not None and np.any(given) else None
        self.directions = (*DIRECTIONS, GIVEN) if self._given is not None else DIRECTIONS
        self._of_selection: dict[tuple[int, ...], np.ndarray] = {}

    def vectors(self, selected: tuple[int, ...]) -> np.ndarray:
        """Return the directions (·, L) for a selection, complex, each of length 1 or 0."""
        if selected not in self._of_selection:
            size = (len(DIRECTIONS), self.instance.scenario.num_antennas)
            vectors = beam_directions(self.instance, np.array(selected)) if selected else np.zeros(size, complex)
            if self._given is not None:
                vectors = np.concatenate([vectors, [self._given / np.linalg.norm(self._given)]])
            self._of_selection[selected] = vectors
        return self._of_selection[selected]

    def decision(self, designs: Sequence[Design]) -> Decision:
        """Return the decisions (P,) of designs."""
        scenario, count = self.instance.scenario, len(designs)
        selection = np.zeros((count, scenario.num_agents), bool)
        power = np.zeros((count, scenario.num_agents))
        beam = np.zeros((count, scenario.num_antennas), complex)
        reference = scenario.noise_power_w / np.maximum(self.instance.bs_gain, 1e-300)
        for i, design in enumerate(designs):
            chosen = list(design.selected)
            selection[i, chosen] = True
            for agent, dbm in design.jammer_dbm:
                power[i, agent] = watts(dbm)
            power[i, chosen] = (10 ** (np.array(design.snr_db) / 10) * reference)[chosen]
            beam[i] = self._beam(design)
        return Decision(selection=selection, beamformer=beam, power_w=power)

    def _beam(self, design: Design) -> np.ndarray:
        vectors = dict(zip(self.directions, self.vectors(design.selected), strict=True))
        beam = np.zeros(self.instance.scenario.num_antennas, complex)
        for name, db, deg in design.weights:
            beam += 10 ** (db / 20) * np.exp(1j * np.deg2rad(deg)) * vectors[name]
        length = float(np.linalg.norm(beam))
        return beam / length * np.sqrt(watts(design.power_dbm)) if length > 0 else beam


def watts(dbm: float) -> float:
    """Return a power in W."""
    return float(10 ** ((dbm - 30) / 10))


def decibels(ratio: Any) -> Any:
    """Return a ratio of powers in dB, −300 at the least."""
    return 10 * np.log10(np.maximum(ratio, 1e-30))


def to_dbm(power_w: Any) -> Any:
    """Return a power in dBm."""
    return decibels(power_w) + 30
