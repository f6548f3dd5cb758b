"""The evaluation module: scores designs with the project's physics, and says in words what is wrong with one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance, Outcome
from secagent_env.model.outcome import constraint_bounds
from secagent_env.model.physics import combine_eavesdroppers, downlink_sinr, uplink_sinr
from solvers.interface.base import SolverRun
from solvers.interface.ranking import secrecy_shortfall
from solvers.law.proposals import Design, Translator, decibels, to_dbm

OBJECTIVES = {
    "selection": ("energy_j", "energy of the task", "J"),
    "beam": ("downlink_time_s", "downlink time", "s"),
    "powers": ("transmission_energy_j", "transmission energy", "J"),
}
"""f of each sub-problem: the field of the outcome, its name and its unit.

A beam changes the energy through the time that jammers transmit alone; the downlink time is that, and where nobody jams
it still decides how much of the deadline is left.
"""


@dataclass(frozen=True)
class Score:
    """How good a design is for a sub-problem.

    Attributes
    ----------
    order
        By which designs are compared, smaller is better: feasible ones by f, then infeasible ones by their violations.
    f
        The objective; infinite for an infeasible design.
    outcome
        What :func:`secagent_env.evaluate` says.
    complaint
        What is violated and by how much, in one or two sentences; empty for a feasible design.
    """

    order: tuple[int, float]
    f: float
    outcome: Outcome
    complaint: str


class Evaluator:
    """Scores designs of one run; every design counts as an evaluation and can become the result."""

    def __init__(self, run: SolverRun, translator: Translator) -> None:
        self.run = run
        self.translator = translator

    def score(self, sub_problem: str, designs: Sequence[Design]) -> list[Score]:
        """Return the scores of designs."""
        instance = self.run.instance
        decisions = self.translator.decision(designs)
        outcomes = self.run.consider(decisions)
        failing = _failing(instance, decisions, outcomes)
        field = OBJECTIVES[sub_problem][0]
        scores = []
        for i in range(len(designs)):
            outcome, feasible = outcomes[i], bool(outcomes.feasible[i])
            f = float(getattr(outcome, field)) if feasible else math.inf
            order = (0, f) if feasible else (1, float(failing[i]))
            complaint = "" if feasible else complain(instance, decisions[i], outcome)
            scores.append(Score(order, f, outcome, complaint))
        return scores


def _failing(instance: Instance, decisions: Decision, outcomes: Outcome) -> np.ndarray:
    """Return by how much decisions (P,) fail, all constraints together; only comparisons have a meaning."""
    total = secrecy_shortfall(instance, decisions, outcomes)
    for name, bound in constraint_bounds(instance.scenario).items():
        if name != "latency_s":
            total = total + np.maximum(outcomes.violations[name], 0.0) / (bound or 1.0)
    return np.asarray(total)


def complain(instance: Instance, decision: Decision, outcome: Outcome) -> str:
    """Return which constraints an infeasible decision violates, and by how much."""
    scenario = instance.scenario
    bounds = constraint_bounds(scenario)
    beyond = {name: float(outcome.violations[name]) for name, violated in outcome.violated.items() if violated}
    count = int(decision.selection.sum())
    sentences = []
    if "selected" in beyond:
        sentences.append(f"only {count} agents are selected, {scenario.required_agents} are needed.")
    if "accuracy" in beyond and count:
        sentences.append(
            f"the mean accuracy of the selected agents is {float(outcome.mean_accuracy):.4f}, "
            f"{beyond['accuracy']:.4f} below the limit of {scenario.min_accuracy:g}."
        )
    if "beam_power_w" in beyond:
        limit = bounds["beam_power_w"]
        over = decibels((beyond["beam_power_w"] + limit) / limit) if limit else math.inf
        sentences.append(f"the beam's power is {over:.2f} dB above the limit of {to_dbm(limit):.2f} dBm.")
    if "agent_power_w" in beyond:
        power = np.max(decision.power_w)
        sentences.append(
            f"agent {int(np.argmax(decision.power_w))} would transmit {to_dbm(power):.2f} dBm, "
            f"{to_dbm(power) - to_dbm(bounds['agent_power_w']):.2f} dB above the limit."
        )
    if "latency_s" in beyond and count:
        sentences.append(_late(instance, decision, outcome, beyond["latency_s"]))
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _late(instance: Instance, decision: Decision, outcome: Outcome, excess_s: float) -> str:
    """Return why the latency is above its limit: infinite without secrecy, or too long."""
    colluding = instance.scenario.colluding
    told = []
    if not outcome.downlink_secrecy > 0:
        sinr, heard = downlink_sinr(instance, decision)
        weakest = float(np.min(np.where(decision.selection, sinr, np.inf)))
        eve = float(combine_eavesdroppers(heard, colluding))
        told.append(
            "the downlink is not secret: the weakest selected agent receives an SINR of "
            f"{decibels(weakest):.1f} dB, the eavesdropper {decibels(eve):.1f} dB."
        )
    if not math.isfinite(outcome.uplink_time_s):
        sinr, heard = uplink_sinr(instance, decision)
        lead = decibels(sinr) - decibels(combine_eavesdroppers(heard, colluding))
        open_to_all = np.flatnonzero(decision.selection & ~(outcome.uplink_secrecy > 0))
        named = ", ".join(f"{agent} (by {-lead[agent]:.1f} dB)" for agent in open_to_all[:8])
        more = f" and {len(open_to_all) - 8} more" * (len(open_to_all) > 8)
        told.append(f"the uplink is not secret, the eavesdropper hears these agents better: {named}{more}.")
    if told:
        return " ".join([told[0], *(sentence[0].upper() + sentence[1:] for sentence in told[1:])])
    return (
        f"the latency is {float(outcome.latency_s):.4g} s (downlink {float(outcome.downlink_time_s):.3g} s, computing "
        f"{float(outcome.inference_time_s):.4g} s, uplink {float(outcome.uplink_time_s):.3g} s), {excess_s:.4g} s "
        f"above the limit of {instance.scenario.latency_limit_s:g} s."
    )
