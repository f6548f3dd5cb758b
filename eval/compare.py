"""The main job: solvers × instances, in parallel, resumable, into a table, a CSV file and a picture.

Instance i is ``sample_instance(scenario, seed, batch)[i]``, and every solver's seed on it is derived from
(seed, i): results depend neither on the number of instances nor on that of workers. A results folder may be
used for any number of comparisons: rows of all of them stay in ``rows.jsonl``, and the table, ``rows.csv``
and the picture show the latest one.
"""

from __future__ import annotations

import copy
import json
import logging
import multiprocessing
import os
import re
import signal
import threading
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eval import one_blas_thread, usable_cores
from eval.agents import default_solvers, make
from eval.rows import Row, RowStore, frame_of, judged, key_of, result_of, sources_digest, write_whole
from secagent_env import Instance, Scenario, __version__, sample_instance
from secagent_env._extras import require
from secagent_env.estimation import check_error_variance, estimate_eavesdroppers, estimate_generator
from secagent_env.sampling import instance_generator
from solvers import Solver
from training.agents import TrainedAgent

logger = logging.getLogger("secagent.compare")

DEFAULT_SOLVERS = default_solvers()
ROWS, TABLE, CSV, PICTURE = "rows.jsonl", "table.md", "rows.csv", "compare.png"


def instance_at(scenario: Scenario, seed: int, index: int) -> Instance:
    """Return instance ``index`` of those that ``sample_instance(scenario, seed, batch)`` draws."""
    return sample_instance(scenario, instance_generator(seed, index))


def solver_seed(seed: int, index: int) -> int:
    """Return the seed of every solver on instance ``index``, unrelated to the instance's random numbers."""
    return int(np.random.SeedSequence((seed, index), spawn_key=(1,)).generate_state(1)[0])


def labelled(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return solvers as ``Comparison`` takes them, from texts such as ``asc`` and ``asc(jamming=false, draws=9)``.

    Values are TOML's. The label is the text with its options in alphabetical order and in one spelling.

    Raises
    ------
    ValueError
        If a text cannot be read, or two of them mean the same.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        match = re.fullmatch(r"\s*([^()]*[^()\s])\s*(?:\((.*)\)\s*)?", text)
        try:
            parsed = tomllib.loads(f"options = {{{match[2] or ''}}}") if match else {}
        except tomllib.TOMLDecodeError:
            parsed = {}
        if match is None or set(parsed) != {"options"}:
            raise ValueError(
                f"a solver is given as name or as name(option=value, …) with values as in TOML "
                f'(a number, true, false, [1, 2] or "text"), got {text!r}'
            )
        name, options = match[1], dict(sorted(parsed["options"].items()))
        shown = ", ".join(f"{option}={json.dumps(value, default=str)}" for option, value in options.items())
        label = f"{name}({shown})" if options else name
        if label in found:
            raise ValueError(f"the solver {label} is given twice")
        found[label] = options
    return found


@dataclass(frozen=True)
class Comparison:
    """What is compared with what, validated.

    Parameters
    ----------
    scenario
        Of the instances.
    solvers
        Maps labels to options. A label is the solver's or trained agent's name, or the path of an agent, or begins
        with it: ``name(what sets it apart)``.
    instances, seed
        How many instances, from which seed.
    max_seconds
        Stop each solve after about this time, s.
    csi_error
        Error variance ε, in [0, 1), of the estimates of the eavesdroppers' channels on which decisions are made
        (:mod:`secagent_env.estimation`). They are judged on the true channels.

    Raises
    ------
    ValueError
        If a solver or an option is unknown, a number out of range, or an agent does not take this scenario.
    ImportError
        If a solver needs an extra that is not installed.
    """

    scenario: Scenario = field(default_factory=Scenario)
    solvers: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {name: {} for name in DEFAULT_SOLVERS})
    instances: int = 20
    seed: int = 0
    max_seconds: float | None = None
    csi_error: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("instances", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < low:
                raise ValueError(f"{name} must be an integer ≥ {low}, got {value!r}")
        if self.max_seconds is not None and not 0 < self.max_seconds < float("inf"):
            raise ValueError(f"max_seconds must be a finite number > 0, got {self.max_seconds!r}")
        check_error_variance("csi_error", self.csi_error)
        if not self.solvers:
            raise ValueError("a comparison needs at least one solver, got none")
        for solver in self.make_solvers().values():
            if isinstance(solver, TrainedAgent):
                solver.check(self.scenario)

    def make_solvers(self) -> dict[str, Solver]:
        """Return the solvers by label."""
        return {label: make(label.partition("(")[0], **options) for label, options in self.solvers.items()}

    def cells(self) -> list[Row]:
        """Return what each row is keyed by, instance by instance: what is left by an early stop compares."""
        shared = {
            "version": __version__,
            "scenario": self.scenario.to_dict(),
            "seed": int(self.seed),
            "max_seconds": self.max_seconds,
            "csi_error": float(self.csi_error),
        }
        code = {label: _code(solver) for label, solver in self.make_solvers().items()}
        cells = [
            {**shared, **code[label], "instance": i, "solver": label, "options": dict(options)}
            for i in range(self.instances)
            for label, options in self.solvers.items()
        ]
        return [{"key": key_of(cell), **cell} for cell in cells]


def _code(solver: Solver) -> Row:
    """Return what tells the solver's code, and a trained agent's weights, from earlier ones."""
    if isinstance(solver, TrainedAgent):
        return {"sources": sources_digest(trained=True), "policy": solver.digest}
    return {"sources": sources_digest()}


def run(
    comparison: Comparison,
    out: Path | str,
    *,
    workers: int | None = None,
    fresh: bool = False,
    progress: bool | None = None,
) -> Any:
    """Compute the rows that are missing in the folder ``out``; write the table, the CSV file and the picture.

    Parameters
    ----------
    comparison
        What to compare.
    out
        The results folder; made if need be.
    workers
        How many processes, each with one BLAS thread; by default as many as there are cores.
    fresh
        Whether to compute this comparison's rows anew.
    progress
        Whether to show a progress bar on stderr; by default on a terminal only.

    Returns
    -------
    pandas.DataFrame
        A row per solver and instance. Missing numbers are those that are not finite.

    Raises
    ------
    ValueError
        If ``workers`` is out of range or the folder's rows cannot be read.
    OSError
        If the folder cannot be written, or a worker dies.
    KeyboardInterrupt
        If interrupted; the rows so far are kept, and the next run resumes.
    """
    for module in ("pandas", "matplotlib", "tabulate"):
        require(module, extra="eval")
    tqdm = require("tqdm", extra="eval").tqdm
    workers = usable_cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers must be an integer ≥ 1, got {workers!r}")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    cells = comparison.cells()
    with RowStore(out / ROWS) as store:
        if fresh:
            store.discard(cell["key"] for cell in cells)
        missing = [cell for cell in cells if cell["key"] not in store.rows]
        if len(missing) < len(cells):
            logger.info("%d of %d rows are taken from %s", len(cells) - len(missing), len(cells), store.path)
        hidden = None if progress is None else not progress
        with tqdm(total=len(cells), initial=len(cells) - len(missing), unit="row", disable=hidden) as bar:
            for row in _solve_all(comparison, missing, min(workers, len(missing))):
                store.append(row)
                bar.update()
        rows = [store.rows[cell["key"]] for cell in cells]
    frame = frame_of(rows)
    _report(comparison, frame, out)
    return frame


def _solve_all(comparison: Comparison, cells: Sequence[Row], workers: int) -> Iterator[Row]:
    """Yield the rows of the cells as they finish."""
    made = comparison.make_solvers()
    tasks = ((made[cell["solver"]], comparison.scenario, cell) for cell in cells)
    if workers <= 1:
        yield from (_solve(copy.deepcopy(solver), scenario, cell) for solver, scenario, cell in tasks)
        return
    # Workers are started afresh, not forked: threads of the parent (BLAS, torch) do not survive a fork.
    # Solvers travel as objects: the workers need not know by name those that the user registered.
    earlier = set(multiprocessing.active_children())
    level = logging.DEBUG if logger.isEnabledFor(logging.DEBUG) else logging.ERROR  # rows tell of failures
    context = multiprocessing.get_context("spawn")
    with one_blas_thread():
        pool = ProcessPoolExecutor(workers, context, _start_worker, (level,))
        try:
            for future in as_completed([pool.submit(_solve, *task) for task in tasks]):
                yield future.result()
        except BrokenProcessPool:
            raise ChildProcessError(
                "a worker process died (out of memory?); the same command resumes the run, "
                "--workers 1 needs least memory"
            ) from None
        except BaseException:  # interrupted, or closed: what is being computed is given up
            for process in set(multiprocessing.active_children()) - earlier:
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker(level: int) -> None:
    """Prepare a worker: an interrupt is the parent's business, and it does not outlive the parent."""
    logging.basicConfig(level=level, format="secagent: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def _solve(solver: Solver, scenario: Scenario, cell: Row) -> Row:
    """Return the finished row of a cell."""
    seed, index, error_variance = cell["seed"], cell["instance"], cell["csi_error"]
    truth = instance_at(scenario, seed, index)
    known = estimate_eavesdroppers(truth, error_variance, estimate_generator(seed, index))
    try:
        solution = solver.solve(known, seed=solver_seed(seed, index), max_seconds=cell["max_seconds"])
    except ImportError:
        raise  # no other instance would fare better, and the user can help it
    except Exception as error:  # a fault of one solver on one instance does not end the comparison
        logger.debug("%s raised on instance %d", cell["solver"], cell["instance"], exc_info=True)
        failed = {"status": "failed", "message": f"{type(error).__name__}: {error}", "feasible": False}
        return {**cell, **failed, **({"believed_feasible": False, "secrecy_outage": False} if error_variance else {})}
    return {**cell, **(judged(solution, truth) if error_variance else result_of(solution))}


def _report(comparison: Comparison, frame: Any, out: Path) -> None:
    from eval.plots import save_comparison
    from eval.table import markdown

    title = describe(comparison)
    write_whole(out / TABLE, f"{title}\n\n{markdown(frame)}")
    write_whole(out / CSV, frame.to_csv(index=False))
    save_comparison(frame, out / PICTURE, title=title)


def describe(comparison: Comparison) -> str:
    """Return in one line what a comparison compares on what."""
    default = Scenario().to_dict()
    changed = {name: value for name, value in comparison.scenario.to_dict().items() if value != default[name]}
    scenario = ", ".join(["the paper's scenario", *(f"{name} = {value}" for name, value in changed.items())])
    limit = "" if comparison.max_seconds is None else f", at most {comparison.max_seconds:g} s per solve"
    known = f"; eavesdroppers' channels known with error variance {comparison.csi_error:g}" * (comparison.csi_error > 0)
    return f"{comparison.instances} instances, seed {comparison.seed}{limit}{known}; {scenario}; secagent {__version__}"
