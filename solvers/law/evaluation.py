"""The evaluation module: scores designs with the project's physics, and explains violated constraints in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance, Outcome
from secagent_env.allocation.shaping import secrecy_shortfall
from secagent_env.model.outcome import constraint_bounds
from secagent_env.model.physics import combine_eavesdroppers, downlink_sinr, uplink_sinr
from solvers.interface.base import SolverRun
from solvers.interface.ranking import TIE, relative_violations
from solvers.law.designs import Design, Translator, decibels, to_dbm

OBJECTIVES = {
    "selection": ("energy_j", "energy of the task", "J"),
    "beam": ("downlink_time_s", "downlink time", "s"),
    "powers": ("transmission_energy_j", "transmission energy", "J"),
}
"""The objective f of each sub-problem: the field of the outcome, its name and its unit.

A beam changes the energy only through the jammers, which transmit as long as the downlink lasts. Where nobody jams, the
downlink time still decides how much of the deadline is left.
"""


@dataclass(frozen=True)
class Score:
    """A design with its score for a sub-problem.

    Attributes
    ----------
    design
        The design.
    order
        The rank of a design, smaller is better: feasible ones by f, then infeasible ones by their violations.
    f
        The objective; infinite for an infeasible design.
    outcome
        The outcome of :func:`secagent_env.evaluate`.
    complaint
        The violated constraints and their excess, in one or two sentences; empty for a feasible design.
    """

    design: Design
    order: tuple[int, float]
    f: float
    outcome: Outcome
    complaint: str

    @property
    def rank(self) -> tuple[int, float]:
        """The order without its last bits, which differ between processors: of equal designs the first one is best."""
        kind, value = self.order
        mantissa, exponent = math.frexp(value)
        return kind, math.ldexp(round(mantissa, 9), exponent)

    def beats(self, other: Score) -> bool:
        """Whether it is better than another one by more than the rounding, which differs between batches."""
        kind, value = other.order
        return self.order < (kind, value * (1 - TIE))


def score(run: SolverRun, translator: Translator, sub_problem: str, designs: Sequence[Design]) -> list[Score]:
    """Return the scores of designs; each counts as an evaluation and can become the result of the run."""
    instance = run.given
    decisions = translator.decision(designs)
    outcomes = run.consider(decisions)
    # The violations (P,) of all constraints together; only comparisons have a meaning.
    violation = secrecy_shortfall(instance, decisions, outcomes)
    for name, excess in relative_violations(instance, outcomes).items():
        if name != "latency_s":  # which is a part of the shortfall
            violation = violation + excess
    scores = []
    for i, design in enumerate(designs):
        outcome, feasible = outcomes[i], bool(outcomes.feasible[i])
        f = float(getattr(outcome, OBJECTIVES[sub_problem][0])) if feasible else math.inf
        order = (0, f) if feasible else (1, float(violation[i]))
        complaint = "" if feasible else complain(instance, decisions[i], outcome, translator.numbers)
        scores.append(Score(design, order, f, outcome, complaint))
    return scores


def complain(instance: Instance, decision: Decision, outcome: Outcome, numbers: Sequence[int]) -> str:
    """Return the violated constraints of an infeasible decision and their excess, in sentences.

    ``numbers`` (N,) are those under which the agents are shown.
    """
    scenario = instance.scenario
    bounds = constraint_bounds(scenario)
    excess = {name: float(outcome.violations[name]) for name, violated in outcome.violated.items() if violated}
    count = int(decision.selection.sum())
    sentences = []
    if "selected" in excess:
        sentences.append(f"only {count} agents are selected, {scenario.required_agents} are needed.")
    if "accuracy" in excess and count:
        sentences.append(
            f"the mean accuracy of the selected agents is {float(outcome.mean_accuracy):.4f}, "
            f"{excess['accuracy']:.4f} below the limit of {scenario.min_accuracy:g}."
        )
    if "beam_power_w" in excess:
        limit = bounds["beam_power_w"]
        over = decibels((excess["beam_power_w"] + limit) / limit) if limit else math.inf
        sentences.append(f"the beam's power is {over:.2f} dB above the limit of {to_dbm(limit):.2f} dBm.")
    if "agent_power_w" in excess:
        power = np.max(decision.power_w)
        sentences.append(
            f"agent {numbers[int(np.argmax(decision.power_w))]} would transmit {to_dbm(power):.2f} dBm, "
            f"{to_dbm(power) - to_dbm(bounds['agent_power_w']):.2f} dB above the limit."
        )
    if "latency_s" in excess and count:
        sentences += _late(instance, decision, outcome, excess["latency_s"], numbers)
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _late(
    instance: Instance, decision: Decision, outcome: Outcome, excess_s: float, numbers: Sequence[int]
) -> list[str]:
    """Return the reasons for a latency above its limit: no secrecy, which makes it infinite, or long times."""
    colluding = instance.scenario.colluding
    sentences = []
    if not outcome.downlink_secrecy > 0:
        sinr, heard = downlink_sinr(instance, decision)
        weakest = float(np.min(np.where(decision.selection, sinr, np.inf)))
        eve = float(combine_eavesdroppers(heard, colluding))
        sentences.append(
            "the downlink is not secret: the weakest selected agent receives an SINR of "
            f"{decibels(weakest):.1f} dB, the eavesdropper {decibels(eve):.1f} dB."
        )
    if not math.isfinite(outcome.uplink_time_s):
        sinr, heard = uplink_sinr(instance, decision)
        lead = decibels(sinr) - decibels(combine_eavesdroppers(heard, colluding))
        open_to_all = np.flatnonzero(decision.selection & ~(outcome.uplink_secrecy > 0)).tolist()
        open_to_all.sort(key=lambda agent: numbers[agent])
        named = ", ".join(f"{numbers[agent]} (by {-lead[agent]:.1f} dB)" for agent in open_to_all[:8])
        more = f" and {len(open_to_all) - 8} more" * (len(open_to_all) > 8)
        sentences.append(f"the uplink is not secret, the eavesdropper hears these agents better: {named}{more}.")
    return sentences or [
        f"the latency is {float(outcome.latency_s):.4g} s (downlink {float(outcome.downlink_time_s):.3g} s, computing "
        f"{float(outcome.inference_time_s):.4g} s, uplink {float(outcome.uplink_time_s):.3g} s), {excess_s:.4g} s "
        f"above the limit of {instance.scenario.latency_limit_s:g} s."
    ]
