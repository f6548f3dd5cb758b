"""Cells: what a sweep is made of. A cell names a function and all that its result depends on, as plain data.

The key of a cell is a hash of that, of the version of secagent and of the code that the result depends on
(:mod:`eval.sweep.sources`): changed code does not take over old results, and other code does not discard them. The
function gets the cell and returns a row, which is a dict of numbers and text, or several rows.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eval.sweep.promises import promise_of
from eval.sweep.sources import sources_digest
from secagent_env.support.secrets import public
from secagent_env.support.version import __version__

logger = logging.getLogger("secagent.sweep")

Row = dict[str, Any]

LABELS = ("experiment", "scheme", "value", "seed", "index")
"""Columns that say which cell a row is of."""
BOOKKEEPING = (
    "key", "part", *LABELS, "function", "options", "kind", "version", "sources", "error", "cell_seconds", "finished"
)  # fmt: skip
"""Columns that every row of a sweep has; a function's own rows must not use these names."""
UNFINISHED = "unfinished"
"""Column that is true where a language model stopped answering half-way: the row tells of what was answered before, and
the cell is computed again with those that failed."""


@dataclass(frozen=True)
class Cell:
    """A piece of work that depends on nothing but what is written here.

    Parameters
    ----------
    function
        What computes it, as ``"module:function"``. It is called with the cell.
    experiment, scheme
        What the result is for, and what is being tried: labels.
    value
        What is varied along the sweep: a number, text, or None.
    seed, index
        Of everything random: the seed, and which of its draws.
    options
        Whatever else the function needs: text, numbers, true and false, None, and lists and dicts of them.
    modules
        Modules that the function reaches by a name in a registry or a plugin, and not by an import.
    paid
        Whether computing it costs more than time, such as a language model's tokens. Not part of the key.
    lasting
        Whether it leaves files behind, or takes minutes, such as a training: then it is not computed to tell how long
        it takes. Not part of the key.
    answers
        Where the answers of its language model are kept, a folder, or taken from, the file of a recording
        (:mod:`eval.sweep.answers`). Not part of the key; that of a recording's answers has their digest.
    """

    function: str
    experiment: str
    scheme: str
    value: Any = None
    seed: int = 0
    index: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    paid: bool = False
    lasting: bool = False
    answers: str = ""

    @property
    def code(self) -> tuple[str, ...]:
        """The modules whose code the result depends on, with all that they can reach by import."""
        return (self.function.partition(":")[0], *self.modules)

    @property
    def group(self) -> tuple[str, str]:
        """The experiment and the scheme."""
        return self.experiment, self.scheme

    @functools.cached_property
    def kind(self) -> str:
        """What cells of about the same computing time have in common: all but the randomness and the code."""
        names = ("function", "experiment", "scheme", "value", "options")
        try:
            return key_of({name: getattr(self, name) for name in names})
        except (TypeError, ValueError) as error:
            raise ValueError(f"a cell of {self.experiment} holds something else than plain data: {error}") from None

    @functools.cached_property
    def key(self) -> str:
        """What the result is found by.

        Raises
        ------
        ValueError
            If the cell holds something else than plain data, or names a module that does not exist.
        """
        random = {"seed": self.seed, "index": self.index}
        return key_of({"kind": self.kind, **random, "version": __version__, "sources": sources_digest(self.code)})

    def at(self, index: int) -> Cell:
        """Return the cell that differs from this one in the index alone."""
        cell = replace(self, index=index)
        cell.__dict__["kind"] = self.kind  # it does not depend on the index, and takes a while
        return cell

    def load(self) -> Callable[[Cell], Any]:
        """Return the function.

        Raises
        ------
        ValueError
            If there is none of this name.
        """
        module, _, name = self.function.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(
                f"a cell of {self.experiment} needs the function {self.function!r}, which cannot be found ({error}); "
                "a function is named as module:function"
            ) from None
        return function


def key_of(configuration: Mapping[str, Any]) -> str:
    """Return the key of a configuration of plain values: the same for equal ones, whatever their order."""
    text = json.dumps(configuration, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Done:
    """What became of a cell: its rows, or the error in one sentence."""

    key: str
    rows: list[Row]
    error: str | None = None
    seconds: float = 0.0  # the wall time that it took
    finished: float = field(default_factory=time.time)  # s since 1970


def compute(cell: Cell) -> Done:
    """Compute a cell. An error of its function is told, not raised: it does not end a sweep."""
    began = time.perf_counter()
    try:
        function = cell.load()
        rows, error = _rows(function(cell)), None
        if fault := next(filter(None, map(promise_of(function).fault, rows)), None):
            raise ValueError(f"the function returned what it does not promise: {fault}")
    except (Exception, SystemExit) as fault:
        logger.debug("%s failed on %s %s %s", cell.function, cell.scheme, cell.value, cell.seed, exc_info=True)
        error = public(f"{type(fault).__name__}: {' '.join(str(fault).split())}".removesuffix(": "))
        rows = []
    return Done(cell.key, rows, error, time.perf_counter() - began)


def _rows(result: Any) -> list[Row]:
    """Return the rows that a function returned, as files can hold them."""
    rows = [result] if isinstance(result, Mapping) else result
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError(f"a cell's function returns a dict or a list of some dicts, got {result!r:.80}")
    taken = sorted({str(name) for row in rows for name in row if name in BOOKKEEPING})
    if taken:
        raise ValueError(f"a cell's function must not use the column {', '.join(taken)}: the sweep writes it")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    value = value.item() if getattr(value, "shape", None) == () else value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return json.dumps(value.tolist() if hasattr(value, "tolist") else value)
