"""The cells of ``secagent reproduce robust``: a design for what is known of an instance, tried on fresh draws."""

from __future__ import annotations

import math
import time

import numpy as np

from eval.compare.solving import instance_of, solver_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, flag, number, numbers, optional, returns, text
from secagent_env import Instance, evaluate
from secagent_env.model.prior import PRIOR
from secagent_env.sampling.estimation import estimate_generator, posterior_eavesdroppers
from solvers import Solver
from solvers.robust.belief import Belief
from solvers.robust.trial import Trial

FUNCTION = "eval.experiments.robust.cells:design"
ESTIMATE, BEFOREHAND, TRUTH = "estimate", "beforehand", "truth"
"""What a scheme is told of the eavesdroppers: estimates and what they say, what was known without them, or all."""
FRESH = 2000
"""Draws on which a design is tried, which no design has seen."""
_STREAM = 2
"""Of the generator of fresh draws, beside that of the solvers."""

DESIGN = columns(
    preset=text,
    error_variance=count,
    allowed=optional(count),
    margin_db=number,
    status=text,
    served=flag,
    outage=number,
    quantiles=numbers,
    truth=number,
    bound=number,
    selection=text,
    certified=optional(number),
    seconds=count,
)


@returns(DESIGN)
def design(cell: Cell) -> Row:
    """Return the row of a cell: how often a solver's design fails, and what it costs.

    The options of the cell are ``solver``, ``solver_options``, ``scenario``, ``error_variance`` (ε), ``outages`` (each
    δ whose quantile of the energy is wanted), ``known``, and ``margin_db``, by which the eavesdroppers count as hearing
    better. Its row repeats what it is of: ``preset``, ``error_variance``, ``margin_db``, and ``allowed``, the δ that
    the solver knows.
    """
    return row_of(solver_of(cell), cell)


def row_of(solver: Solver, cell: Cell) -> Row:
    """Return the row of a cell whose solver is made."""
    truth = instance_of(cell)
    known = posterior_eavesdroppers(truth, cell.options["error_variance"], estimate_generator(cell.seed, cell.index))
    told = told_of(truth, known, cell.options["known"], cell.options["margin_db"])
    began = time.process_time()
    solution = solver.solve(told, seed=solver_seed(cell.seed, cell.index), max_seconds=cell.options["max_seconds"])
    seconds = time.process_time() - began
    rng = np.random.default_rng(np.random.SeedSequence((cell.seed, cell.index), spawn_key=(_STREAM,)))
    trial = Trial.of(solution.decision, Belief.of(known).draws(FRESH, rng))
    outcome = evaluate(truth, solution.decision)
    return {
        **{name: cell.options[name] for name in ("preset", "error_variance", "margin_db")},
        "allowed": cell.options["solver_options"].get("outage"),
        "status": solution.status,
        "served": bool(solution.outcome.feasible or solution.certificate) and solution.status != "failed",
        "outage": trial.outage,
        "quantiles": [trial.quantile_j(outage) for outage in cell.options["outages"]],
        "truth": float(outcome.energy_j) if outcome.feasible else math.inf,
        "bound": solution.lower_bound_j,
        "selection": np.packbits(solution.decision.selection).tobytes().hex(),
        "certified": None if solution.certificate is None else solution.certificate.bound,
        "seconds": seconds,
    }


def told_of(truth: Instance, known: Instance, what: str, margin_db: float) -> Instance:
    """Return the instance that a scheme designs for, of the true one and what is known of it."""
    if what == TRUTH:
        return truth
    if what == BEFOREHAND:
        return known.replace(**{name: getattr(truth, name) for name in PRIOR})
    louder = 10 ** (margin_db / 10)
    return (
        known
        if louder == 1
        else known.replace(channel_eve=known.channel_eve * math.sqrt(louder), gain_eve=known.gain_eve * louder)
    )
