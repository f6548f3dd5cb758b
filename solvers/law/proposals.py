"""Proposals of a model in each sub-problem, as JSON, in units that a language model can read.

The docstrings and descriptions of the proposals are a part of the schema that a model is shown. What the numbers stand
for is said in :mod:`solvers.law.designs`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from solvers.llm.structured import SENTENCE


class Finite(BaseModel):
    """A part of an answer whose numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class Proposal(Finite):
    """The part of a design that one sub-problem changes."""

    sub_problem: ClassVar[str]

    reason: str = Field(
        default="", description="one sentence: what you change and why", json_schema_extra={"maxLength": SENTENCE}
    )

    def to_json(self) -> str:
        """Return the proposal as one line of a prompt, without the reason."""
        return json.dumps(self.model_dump(exclude={"reason"}))


Agent = Annotated[int, Field(ge=0)]
RANGE_DB = (-200, 200)
Decibels = Annotated[float, Field(ge=RANGE_DB[0], le=RANGE_DB[1])]
Amplitude = Annotated[float, Field(ge=-1e6, le=1e6)]


class SelectionProposal(Proposal):
    """Who computes."""

    sub_problem = "selection"

    selected: list[Agent] = Field(description="indices of the agents that compute, each once")


class Weight(Finite):
    """The weight of one beam direction."""

    direction: str
    amplitude_db: Decibels = Field(description="relative to the other directions")
    phase_deg: float = Field(ge=-720, le=720)


class BeamProposal(Proposal):
    """How the base station transmits."""

    sub_problem = "beam"

    power_dbm: Decibels = Field(description="the power of the whole beam")
    weights: list[Weight] = Field(description="the directions in use; a direction that is not listed has no weight")


class ComplexWeight(Finite):
    """The complex weight of one antenna, √W."""

    re: Amplitude
    im: Amplitude


class AntennasProposal(Proposal):
    """The beam itself."""

    sub_problem = "beam"

    w: list[ComplexWeight] = Field(description="the complex weight of every antenna in its order, in sqrt(W)")

    @classmethod
    def of(cls, weights: Sequence[complex] | np.ndarray) -> Self:
        """Return the proposal of a beam (L,), √W, to five digits."""
        return cls(w=[ComplexWeight(re=to_digits(w.real), im=to_digits(w.imag)) for w in np.asarray(weights)])


class Sender(Finite):
    """How loud a computing agent is."""

    agent: Agent
    snr_db: Decibels = Field(description="receive SNR at the base station")


class Jammer(Finite):
    """How loud a jamming agent is."""

    agent: Agent
    power_dbm: Decibels


class PowersProposal(Proposal):
    """How much power everybody sends."""

    sub_problem = "powers"
    level: ClassVar[str] = "snr_db"

    senders: list[Sender] = Field(description="every agent that computes, once")
    jammers: list[Jammer] = Field(description="agents that jam; an agent that is not listed is silent")

    @classmethod
    def of(cls, levels: Mapping[int, float], jammers: Mapping[int, float]) -> Self:
        """Return the proposal in which agents send at these levels, and these jam with so many dBm."""
        return cls.model_validate(
            {
                "senders": [{"agent": agent, cls.level: level} for agent, level in levels.items()],
                "jammers": [{"agent": agent, "power_dbm": dbm} for agent, dbm in jammers.items()],
            }
        )

    @property
    def levels(self) -> dict[int, float]:
        """The level of each sender."""
        return {sender.agent: getattr(sender, self.level) for sender in self.senders}


class RawSender(Finite):
    """How loud a computing agent is."""

    agent: Agent
    power_dbm: Decibels


class RawPowersProposal(PowersProposal):
    """How much power everybody sends."""

    level = "power_dbm"

    senders: list[RawSender] = Field(description="every agent that computes, once")  # type: ignore[assignment]


PROPOSALS: dict[str, type[Proposal]] = {
    kind.sub_problem: kind for kind in (SelectionProposal, BeamProposal, PowersProposal)
}
"""The kinds of proposals by sub-problem, in the order in which they are solved."""

RAW = "raw"
"""The view of the problem in which a model gets what the equations need, and nothing that is worked out from it."""

VIEWS = ("ranked", RAW)


def kind_of(facts: Mapping[str, Any]) -> type[Proposal]:
    """Return the kind of proposal that a prompt with these facts asks for."""
    sub_problem = facts["sub_problem"]
    if facts.get("view") == RAW and sub_problem == "powers":
        return RawPowersProposal
    if sub_problem == "beam" and "directions" not in facts:
        return AntennasProposal
    return PROPOSALS[sub_problem]


INSIDE = 1 - 5e-5
"""The factor by which amplitudes are shortened so that none grows when it is rounded to five digits."""


def to_digits(value: float) -> float:
    """Return a number to five digits."""
    return float(f"{value:.5g}") + 0.0  # no negative zero
