"""The cells of ``secagent llm-bench``: a network solved by recorded replies, by a control, or exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from eval.compare.rows import RESULT, result_of
from eval.studies.llm_bench.ladder import network
from eval.sweep.answers import with_answers
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, document, optional, returns
from secagent_env import Decision, Instance, evaluate
from solvers import Solution
from solvers.exact.solver import Exact
from solvers.interface.ranking import TIE
from solvers.law.solver import LAW

FUNCTION, EXACT = "eval.studies.llm_bench.cells:solve", "eval.studies.llm_bench.cells:certify"


class Watch:
    """Follows the least energy of feasible decisions, evaluation by evaluation, as the ``express`` of a solve.

    Attributes
    ----------
    best
        Pairs: after so many evaluations, the energy in J.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance, self.evaluations = instance, 0
        self.best: list[tuple[int, float]] = []

    def __call__(self, decision: Decision) -> Decision:
        """Note what a decision, or a batch of them, is worth; return it as it is."""
        outcome = evaluate(self.instance, decision)
        for energy in np.where(outcome.feasible, outcome.energy_j, math.inf).ravel().tolist():
            self.evaluations += 1
            if energy < (self.best[-1][1] * (1 - TIE) if self.best else math.inf):
                self.best.append((self.evaluations, energy))
        return decision


@returns(RESULT | columns(solver_seed=count, course=optional(document)))
def solve(cell: Cell) -> list[Row]:
    """Return a row for each seed of LAW, with its :func:`course`.

    The options of the cell are the ``step``, the ``seeds`` of the solver, and those of ``law``.
    """
    options = cell.options
    law = LAW(**with_answers(cell, options["law"]))
    instance, rows = network(options["step"], cell.seed + cell.index), []
    for seed in options["seeds"]:
        solution, watch = watched(law, instance, seed)
        rows.append({**result_of(solution), "solver_seed": seed, "course": course(solution, watch)})
    return rows


@returns(RESULT)
def certify(cell: Cell) -> Row:
    """Return the row of the exact solver, whose lower bound is the certificate."""
    return result_of(Exact().solve(network(cell.options["step"], cell.seed + cell.index), 0))


def watched(law: LAW, instance: Instance, seed: int) -> tuple[Solution, Watch]:
    """Return the solution of LAW, and how its best energy came about."""
    watch = Watch(instance)
    return law.solve(instance, seed, express=watch), watch


def course(solution: Solution, watch: Watch) -> Mapping[str, Any]:
    """Return what a solve came to, step by step.

    ``best`` holds evaluations and energies (:class:`Watch`); ``calls``, ``tokens`` and ``evaluations`` those used after
    each step; ``verdicts`` what became of its proposal; ``feasible`` whether that was; ``waited_s`` the replies' time.
    """
    steps = {name: [record[name] for record in solution.history] for name in ("calls", "tokens", "evaluations")}
    return {
        "best": watch.best,
        **steps,
        "verdicts": [record["verdict"] for record in solution.history],
        "feasible": [record["feasible"] for record in solution.history],
        "waited_s": solution.usage["seconds"],
    }
