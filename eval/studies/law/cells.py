"""The cells of ``secagent study law``: a variant of LAW, or a solver beside it, on one random instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eval.compare.rows import RESULT, result_of
from eval.compare.solving import instance_of, solver_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, document, optional, returns

FUNCTION = "eval.studies.law.cells:solve"
_COURSE = columns(course=optional(document))


@returns(RESULT | _COURSE)
def solve(cell: Cell) -> Row:
    """Return what a row says of the solution, and of LAW its :func:`course`."""
    solution = solver_of(cell).solve(instance_of(cell), solver_seed(cell.seed, cell.index))
    return result_of(solution) | ({"course": course(solution.history)} if solution.usage else {})


def course(history: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return f of the best example after each step, by sub-problem (``best_f``), and the calls of a step."""
    records = list(history)
    best: dict[str, list[float]] = {}
    for record in records:
        best.setdefault(record["sub_problem"], []).append(float(record["best_f"]))
    return {"calls": len(records[0]["replies"]) if records else 1, "best_f": best}
