"""Rows: what a solve leaves, and their file: a JSON object per line, appended when it is finished.

A row is found again by its key, a hash of its whole configuration. One file may hold rows of many
configurations: a run reads those with its own keys and leaves the others alone.
"""

from __future__ import annotations

import dataclasses
import fcntl
import functools
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import secagent_env
import solvers
import training
from secagent_env import Instance, Outcome, evaluate
from secagent_env._extras import require
from secagent_env._files import whole_file
from solvers import Solution
from solvers.bounds import lower_bound

Row = dict[str, Any]

AGENT_SOURCES = ("__init__.py", "agents.py", "refine.py", "repair.py")
"""What of ``training`` runs a trained agent; the rest trains them."""


def key_of(configuration: Mapping[str, Any]) -> str:
    """Return the key of a configuration of plain values: the same for equal ones, whatever their order."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:20]


@functools.cache
def sources_digest(*, trained: bool = False) -> str:
    """Return a hash of the code that rows depend on, so that changed code does not take over old rows.

    With ``trained``, of that which runs trained agents, too.
    """
    digest = hashlib.sha256()
    for package in (secagent_env, solvers, *([training] if trained else [])):
        folder = Path(package.__path__[0])
        files = map(folder.joinpath, AGENT_SOURCES) if package is training else sorted(folder.rglob("*.py"))
        for path in files:
            if "rendering" not in path.parts:
                digest.update(path.relative_to(folder.parent).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def plain(value: Any) -> Any:
    """Return NumPy's scalars, and dicts of them, as JSON has them; None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def result_of(solution: Solution) -> Row:
    """Return what a row says of a solution."""
    outcome = solution.outcome
    numbers = (
        outcome.energy_j,
        outcome.execution_energy_j,
        outcome.transmission_energy_j,
        outcome.latency_s,
        solution.lower_bound_j,
        solution.gap,
        solution.transmission_gap,
        solution.evaluations,
        solution.wall_time_s,
    )
    feasible = {"feasible": outcome.feasible}
    told = {"status": solution.status, "message": solution.message}
    return {**told, **plain(feasible | dict(zip(NUMBERS, numbers, strict=True))), **_repaired(solution)}


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

REPAIRED = "repaired"
"""Column of rows of trained agents."""

BELIEFS = ("believed_feasible", "secrecy_outage")
"""Columns of rows whose decisions were made on estimated channels."""


def judged(solution: Solution, truth: Instance) -> Row:
    """Return what a row says of a solution that was found on an estimate, judged in the true instance.

    All numbers but the effort are those of the truth, the lower bound too; the status is what the solver believed.
    A *secrecy outage* is a decision that is feasible on the estimate and not on the true channels: there the downlink
    or the uplink of a selected agent has no secrecy rate, or so low a one that the deadline is missed. Nothing else can
    be violated, since no other constraint depends on the eavesdroppers.
    """
    outcome = evaluate(truth, solution.decision)
    believed = bool(solution.outcome.feasible)
    outage = believed and not outcome.feasible
    told = f"but only on the estimate; on the true channels {_what_fails(outcome)}" if outage else solution.message
    true = dataclasses.replace(solution, outcome=outcome, lower_bound_j=lower_bound(truth).energy_j, message=told)
    return {**result_of(true), **plain(dict(zip(BELIEFS, (believed, outage), strict=True)))}


def _what_fails(outcome: Outcome) -> str:
    if not outcome.downlink_secrecy > 0:
        return "the downlink is not secret"
    if not math.isfinite(outcome.uplink_time_s):
        return "the uplink is not secret"
    return f"{', '.join(name for name, beyond in outcome.violated.items() if beyond)} is violated"


def frame_of(rows: Sequence[Row]) -> Any:
    """Return the rows of a comparison as a pandas DataFrame, without what was solved with what."""
    pandas = require("pandas", extra="eval")
    special = [name for name in (*BELIEFS, REPAIRED) if any(name in row for row in rows)]
    columns = ["instance", "solver", "status", "message", "feasible", *special, *NUMBERS]
    return pandas.DataFrame(rows).reindex(columns=columns).astype(dict.fromkeys(NUMBERS, float))


def write_whole(path: Path, content: str) -> None:
    """Write a text file whole or not at all."""
    with whole_file(path) as file:
        file.write(content.encode())


class RowStore:
    """The rows of a results folder, open for appending; a context manager.

    Attributes
    ----------
    rows
        The rows by key; where a key was written twice, the last one.

    Raises
    ------
    OSError
        If the file cannot be opened or written.
    ValueError
        If another process writes it at the moment, or it holds something else than rows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "a+b")  # noqa: SIM115 (closed by __exit__)
        try:
            self._lock()
            self.rows = self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, row: Row) -> None:
        """Add a row, on disk when this returns as far as a killed process is concerned."""
        self._file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
        self._file.flush()
        self.rows[row["key"]] = row

    def discard(self, keys: Iterable[str]) -> None:
        """Forget the rows with these keys, on disk too."""
        dropped = set(keys)
        self.rows = {key: row for key, row in self.rows.items() if key not in dropped}
        write_whole(self.path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in self.rows.values()))
        self._file.close()
        self._file = open(self.path, "a+b")  # noqa: SIM115 (the path names a new file now)
        self._lock()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{self.path} is being written by another run; wait for it, or use another --out"
            ) from None

    def _read(self) -> dict[str, Row]:
        self._file.seek(0)
        content = self._file.read()
        # What follows the last end of line is a row whose writing was cut short: it is computed again.
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        rows = {}
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                row = json.loads(line)
                rows[row["key"]] = row
            except (ValueError, KeyError, TypeError):
                raise ValueError(
                    f"{self.path}, line {number}, is not a row of secagent; move the file away or use another --out"
                ) from None
        return rows
