"""The numbers and words that picture and text show of a network and a decision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome, constraint_bounds
from secagent_env.model.physics import bs_power, combine_eavesdroppers, downlink_sinr, evaluate
from secagent_env.support.units import decibel, level, plural, quantity


@dataclass(frozen=True)
class Constraint:
    """One constraint: ``value`` (None before a decision) against ``limit``, in ``unit``."""

    name: str
    limit: float
    unit: str
    at_least: bool
    value: float | None = None
    violated: bool = False

    @property
    def ratio(self) -> float:
        """Value relative to the limit, ≥ 0; 0 before a decision, infinite beyond a limit of 0."""
        value = abs(self.value or 0.0)
        if self.limit == 0:
            return math.inf if value > 0 else 1.0
        return value / self.limit

    def __str__(self) -> str:
        limit = f"{'min' if self.at_least else 'max'} {quantity(self.limit, self.unit)}"
        return limit if self.value is None else f"{quantity(self.value, self.unit)} / {limit}"


@dataclass(frozen=True)
class View:
    """A single instance, decision and outcome (NumPy arrays), and what their display needs.

    Attributes
    ----------
    computing, jamming, silent
        Indices of the agents in each role; ``computing`` with the weakest downlink first.
    sinr_db, eve_db
        Downlink SINR of every agent (N,) and eavesdropper (E,), dB; −inf where nothing arrives.
    heard_db
        The eavesdroppers' SINR that counts for the secrecy rate, dB.
    power_dbm
        (N,), −inf where the power is zero or negative.
    reward
        What the decision earned; None where it earned none.
    lacking
        Why the task was not served, besides constraints of the model; empty where nothing else was lacking.
    """

    instance: Instance
    decision: Decision | None
    outcome: Outcome | None
    computing: np.ndarray
    jamming: np.ndarray
    silent: np.ndarray
    sinr_db: np.ndarray
    eve_db: np.ndarray
    heard_db: float
    power_dbm: np.ndarray
    reward: float | None = None
    lacking: str = ""

    @classmethod
    def of(
        cls,
        instance: Instance,
        decision: Decision | None,
        outcome: Outcome | None,
        reward: float | None = None,
        lacking: str = "",
    ) -> View:
        """Return the view; ``outcome`` None is computed. A batch is refused with a ValueError."""
        for name, item in (("instance", instance), ("decision", decision), ("outcome", outcome)):
            if item is not None and item.batch_shape:
                raise ValueError(f"{name} must be a single one to be shown, got a batch of {item.batch_shape}")
        instance = instance.to(np)
        agents = np.arange(instance.scenario.num_agents)
        none = agents[:0]
        if decision is None:
            nothing = np.full(agents.size, -np.inf)
            unheard = np.full(instance.scenario.num_eavesdroppers, -np.inf)
            return cls(instance, None, None, none, none, agents, nothing, unheard, -math.inf, nothing)
        decision = decision.to(np)
        outcome = evaluate(instance, decision) if outcome is None else outcome.to(np)
        sinr, sinr_eve = (np.asarray(x, np.float64) for x in downlink_sinr(instance, decision))
        sinr_db = decibel(sinr)
        computing = np.flatnonzero(decision.selection)
        emitting = decision.power_w > 0
        return cls(
            instance,
            decision,
            outcome,
            computing=computing[np.argsort(sinr_db[computing], kind="stable")],
            jamming=np.flatnonzero(~decision.selection & emitting),
            silent=np.flatnonzero(~decision.selection & ~emitting),
            sinr_db=sinr_db,
            eve_db=decibel(sinr_eve),
            heard_db=float(decibel(combine_eavesdroppers(sinr_eve, instance.scenario.colluding))),
            power_dbm=decibel(np.asarray(decision.power_w, np.float64) * 1e3),
            reward=reward,
            lacking=lacking,
        )

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The constraints (1), (13), (15), (17) and (20c)."""
        bounds = constraint_bounds(self.instance.scenario)
        rows = (
            ("beam_power_w", "beam power", "W", False),
            ("selected", "selected", "", True),
            ("accuracy", "mean accuracy", "", True),
            ("latency_s", "latency", "s", False),
            ("agent_power_w", "agent power", "W", False),
        )
        if self.decision is None or self.outcome is None:
            return tuple(Constraint(name, bounds[key], unit, at_least) for key, name, unit, at_least in rows)
        power = np.asarray(self.decision.power_w, np.float64)
        above, below = power.max() - bounds["agent_power_w"], -power.min()
        worst = power.min() if below > max(above, 0) else power.max()
        values = {
            "beam_power_w": bs_power(self.decision),
            "selected": self.computing.size,
            "accuracy": self.outcome.mean_accuracy,
            "latency_s": self.outcome.latency_s,
            "agent_power_w": worst,
        }
        violated = self.outcome.violated
        return tuple(
            Constraint(name, bounds[key], unit, at_least, float(values[key]), bool(violated[key]))
            for key, name, unit, at_least in rows
        )

    @property
    def feasible(self) -> bool:
        """Whether there is an outcome, it violates nothing, and nothing else was lacking."""
        return self.outcome is not None and bool(self.outcome.feasible) and not self.lacking

    @property
    def headline(self) -> str:
        """The verdict: energy and latency of a feasible decision, or what it violates."""
        if self.outcome is None:
            return "before a decision"
        if not self.feasible:
            names = [row.name.removeprefix("mean ") for row in self.constraints if row.violated]
            reasons = ", ".join([*names, self.lacking] if self.lacking else names)
            return f"{'not served' if self.lacking else 'infeasible'}: {reasons}"
        return f"feasible · {quantity(self.outcome.energy_j, 'J')} · {quantity(self.outcome.latency_s, 's')}"

    @property
    def size(self) -> str:
        """The numbers of agents, antennas and eavesdroppers."""
        scenario = self.instance.scenario
        eves = plural(scenario.num_eavesdroppers, "eavesdropper")
        together = " (colluding)" if scenario.colluding and scenario.num_eavesdroppers > 1 else ""
        antennas = plural(scenario.num_antennas, "antenna")
        return f"{plural(scenario.num_agents, 'agent')}, {antennas}, {eves}{together}"

    @property
    def roles(self) -> str:
        """How many agents there are in each role, and what the decision earned."""
        roles = f"{self.computing.size} computing, {self.jamming.size} jamming, {self.silent.size} silent"
        return roles if self.reward is None else f"{roles} · reward {self.reward:.4g}".replace("reward -", "reward −")

    @property
    def downlink(self) -> str:
        """The two SINRs that set the downlink's secrecy rate."""
        if not self.computing.size:
            return "nobody computes, so nothing is sent"
        weakest = self.computing[0]
        kind = "eavesdropper"
        if self.eve_db.size > 1:
            kind = f"eavesdroppers' {'sum' if self.instance.scenario.colluding else 'best'}"
        return f"weakest agent {weakest}: {level(self.sinr_db[weakest])}, {kind}: {level(self.heard_db)}"

    @property
    def times(self) -> str:
        """The three terms of the latency (17)."""
        if self.outcome is None:
            return ""
        parts = ("downlink", "inference", "uplink")
        return " + ".join(f"{part} {quantity(getattr(self.outcome, f'{part}_time_s'), 's')}" for part in parts)

    @property
    def exposed(self) -> np.ndarray:
        """Mask of ``computing``: the agents whose uplink has no secrecy."""
        if self.outcome is None:
            return np.zeros(0, bool)
        return np.asarray(self.outcome.uplink_secrecy)[self.computing] <= 0

    @property
    def secrecy(self) -> str:
        """The downlink's secrecy rate."""
        return "–" if self.outcome is None else quantity(self.outcome.downlink_secrecy, "bit/s/Hz")

    @property
    def sinr_limits(self) -> tuple[float, float]:
        """The SINRs in dB between which colours and stems tell differences; all below look alike."""
        senders = self.sinr_db[self.computing]
        levels = np.concatenate([senders, self.eve_db])
        high = max(levels[np.isfinite(levels)].max(initial=0.0), 0.0) + 12
        weakest = senders[np.isfinite(senders)].min(initial=0.0)
        return max(min(-20.0, weakest - 10), high - 160), high

    def strength(self, levels: np.ndarray) -> np.ndarray:
        """Return SINRs in dB as their place between the limits, 0 to 1, never NaN."""
        low, high = self.sinr_limits
        return (np.clip(levels, low, high) - low) / (high - low)
