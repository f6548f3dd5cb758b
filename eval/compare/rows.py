"""Rows: the results of solves, as plain values and as a pandas DataFrame."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from eval.sweep.cells import UNFINISHED, Row
from eval.sweep.promises import Promise, columns, count, counts, finite, flag, optional, text
from secagent_env import Instance, Outcome, evaluate
from solvers import Solution
from solvers.certificate.bounds import lower_bound
from solvers.llm.structured import faults_of


def plain(value: Any) -> Any:
    """Return NumPy's scalars, and dicts of them, as JSON has them; None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def result_of(solution: Solution) -> Row:
    """Return the row of a solution; of a failed one a decision that happens to be feasible does not count."""
    outcome = solution.outcome
    unearned = bool(outcome.feasible) and solution.status == "failed"
    of_outcome = {name: getattr(outcome, name) for name in ("feasible", *NUMBERS[:4])}
    of_solution = {name: getattr(solution, name) for name in NUMBERS[4:-1]}
    nothing = {**dict.fromkeys(UNEARNED), "feasible": False} if unearned else {}
    return {
        "status": solution.status,
        "message": solution.message,
        **plain({**of_outcome, **of_solution, **nothing, "seconds": solution.wall_time_s}),
        **_repaired(solution),
        **_usage(solution),
    }


def _usage(solution: Solution) -> Row:
    """Return the calls, tokens and cost of a solver's language model; a stand-in for one costs nothing."""
    usage = solution.usage
    if not usage:
        return {}
    tokens = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    cost = 0.0 if NO_LLM in solution.solver else usage.get("cost")
    faults = faults_of(usage)
    counted = {FAULTS: json.dumps(faults)} if faults else {}
    own = {OWN: usage["improved"] / usage["steps"]} if usage.get("steps") else {}
    ended = {UNFINISHED: True} if usage.get("unfinished") else {}
    return plain(dict(zip(LLM, (usage.get("calls", 0), tokens, cost), strict=True))) | own | counted | ended


def _repaired(solution: Solution) -> Row:
    """Return, for a trained agent, whether its own decision had to be repaired."""
    steps = [record.get("sub_problem") for record in solution.history]
    return {REPAIRED: "repair" in steps} if "forward pass" in steps else {}


NUMBERS = (
    "energy_j",
    "execution_energy_j",
    "transmission_energy_j",
    "latency_s",
    "lower_bound_j",
    "gap",
    "transmission_gap",
    "evaluations",
    "seconds",
)
"""Columns of numbers, in the order of ``result_of``."""

UNEARNED = (*NUMBERS[:4], "gap", "transmission_gap")
"""Columns of the decision: without a value where it is feasible by no merit of the solver's."""

REPAIRED = "repaired"
"""Column of rows of trained agents."""

LLM = ("calls", "tokens", "cost")
"""Columns of rows of solvers that ask a language model: requests, tokens both ways, cost in the prices' currency.

Solvers with a stand-in, whose names say so, count the calls and tokens that a model would have had."""

OWN = "own_improvements"
"""Column of rows of LAW: the share of its steps in which the model's own proposal was better than the best example.

The rest of what was found is the expert search's: a row with few of them says little of its model."""

FAULTS = "faults"
"""Column of rows with replies of a language model that could not be used: their numbers by kind, JSON."""

NO_LLM = "(no LLM)"
"""In the name of a solver in which rules stand in for the language model."""

BELIEFS = ("believed_feasible", "secrecy_outage")
"""Columns of rows whose decisions were made on estimated channels."""


def result_on_true_channels(solution: Solution, truth: Instance) -> Row:
    """Return the row of a solution that was found on estimated channels, evaluated on the true instance.

    All numbers but the effort are those of the true channels, the lower bound too; the status is the solver's own.
    A *secrecy outage* is a decision that is feasible on the estimate and not on the true channels: there the downlink
    or the uplink of a selected agent has no secrecy rate, or so low a one that the deadline is missed. Nothing else can
    be violated, since no other constraint depends on the eavesdroppers.
    """
    outcome = evaluate(truth, solution.decision)
    believed = bool(solution.outcome.feasible) and solution.status != "failed"
    outage = believed and not outcome.feasible
    message = f"but only on the estimate; on the true channels {_failure(outcome)}" if outage else solution.message
    true = dataclasses.replace(solution, outcome=outcome, lower_bound_j=lower_bound(truth).energy_j, message=message)
    return {**result_of(true), **plain(dict(zip(BELIEFS, (believed, outage), strict=True)))}


def _failure(outcome: Outcome) -> str:
    if not outcome.downlink_secrecy > 0:
        return "the downlink is not secret"
    if not math.isfinite(outcome.uplink_time_s):
        return "the uplink is not secret"
    return f"{', '.join(name for name, beyond in outcome.violated.items() if beyond)} is violated"


def _check(row: Mapping[str, Any]) -> str | None:
    """Return what a feasible decision lacks; None if nothing."""
    return columns(**dict.fromkeys(NUMBERS[:4], count)).fault(row) if row["feasible"] else None


RESULT = Promise(
    {
        "status": text,
        "message": optional(text),
        "feasible": flag,
        **dict.fromkeys((*NUMBERS, *LLM, OWN), optional(finite)),
        **dict.fromkeys((REPAIRED, *BELIEFS), optional(flag)),
        FAULTS: optional(counts),
    },
    _check,
)
"""What the rows of :func:`result_of` and :func:`result_on_true_channels` are like."""


def frame_of(swept: Any, *, believed: bool = False) -> Any:
    """Return the rows of a comparison from those of its sweep (pandas DataFrames): a row per solver and instance.

    A failed cell gives a row with the status "failed" and the error as its message. ``believed``: whether decisions
    were made on estimated channels.
    """
    frame = swept.rename(columns={"index": "instance", "scheme": "solver"})
    special = [*BELIEFS * believed, *(name for name in (REPAIRED, *LLM, OWN, FAULTS) if name in frame)]
    frame = frame.reindex(columns=["instance", "solver", "status", "message", "feasible", *special, *NUMBERS, "error"])
    failed = frame["error"].notna()
    frame["status"] = frame["status"].where(~failed, "failed")
    frame["message"] = frame["message"].where(~failed, frame["error"])
    flags = ["feasible", *BELIEFS * believed]
    frame[flags] = frame[flags].where(~failed, False).astype(bool)
    numbers = [*NUMBERS, *(name for name in (*LLM, OWN) if name in special)]
    return frame.drop(columns="error").astype(dict.fromkeys(numbers, float))
