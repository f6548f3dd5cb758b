"""Who writes thoughts about powers in studies, by name: random numbers, rules, or a language model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eval.sweep.answers import with_answers
from eval.sweep.cells import UNFINISHED, Cell, Row
from eval.sweep.promises import counts, flag, text
from solvers.planning.powers import RandomPowers, RulePowers

PROPOSERS = {proposer.name: proposer for proposer in (RandomPowers, RulePowers)}
LANGUAGE = "language"
"""The proposer that is a language model, or GenAINet's stand-in."""
TOLD = {"method": text, "kinds": counts, UNFINISHED: flag}
"""The columns of :func:`told`."""


@contextmanager
def proposing(cell: Cell) -> Iterator[Any]:
    """Return the proposer that a cell names; a language model is asked as its option ``model`` says.

    Raises
    ------
    ValueError, ImportError, EndpointError
        As :class:`~solvers.planning.language.LanguagePowers`.
    """
    name = cell.options["proposer"]
    if name != LANGUAGE:
        yield PROPOSERS[name]()
        return
    from solvers.planning.language import LanguagePowers, PowerThoughts

    with LanguagePowers(PowerThoughts(**with_answers(cell, cell.options["model"]))) as proposer:
        yield proposer


def told(proposer: Any) -> Row:
    """Return the proposer's name, its replies that could not be used, by kind, and whether its endpoint ended."""
    return {
        "method": proposer.name,
        "kinds": getattr(proposer, "faults", {}),
        UNFINISHED: bool(getattr(proposer, "unfinished", False)),
    }
