"""The main job: solvers × instances, in parallel, resumable, into a table, a CSV file and a picture.

A comparison is a declaration: its cells are a sweep (:mod:`eval.sweep.engine`). Instance i is
``sample_instance(scenario, seed, batch)[i]``, and every solver's seed on it is derived from (seed, i): results depend
neither on the number of instances nor on that of workers. A results folder may be used for any number of comparisons:
the results of all of them stay in ``cells/``, and the table, ``rows.csv`` and the picture show the latest one.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from eval.compare.instances_file import FIELD, check_count, described, own_scenario
from eval.compare.lineup import default_solvers, make, module_of
from eval.compare.rows import NO_LLM, frame_of
from eval.sweep.cells import Cell
from eval.sweep.engine import How, Sweep, run_sweep
from eval.sweep.grid import Grid, number_of
from secagent_env import Scenario, __version__
from secagent_env.propagation.path_loss import PathLoss
from secagent_env.propagation.registry import register_path_loss, registered_path_losses
from secagent_env.support import checks
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from secagent_env.support.reading import parse_toml
from solvers import Solver
from solvers.interface import registry
from training.play.agents import TrainedAgent

logger = logging.getLogger("secagent.compare")

DEFAULT_SOLVERS = default_solvers()
FUNCTION, AGENT_FUNCTION = "eval.compare.solving:solve_cell", "eval.compare.solving_agents:solve_cell"
TABLE, CSV, PICTURE = "table.md", "rows.csv", "compare.png"
EARLIER = "rows.jsonl"


def parse_solvers(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return solvers as ``Comparison`` takes them, from texts such as ``asc`` and ``asc(jamming=false, draws=9)``.

    Values are TOML's. The label is the text with its options in alphabetical order and in one spelling.

    Raises
    ------
    ValueError
        If a text cannot be read, or two of them mean the same.
    """
    solvers: dict[str, dict[str, Any]] = {}
    for text in texts:
        match = re.fullmatch(r"\s*([^()]*[^()\s])\s*(?:\((.*)\)\s*)?", text)
        try:
            parsed = parse_toml(f"options = {{{match[2] or ''}}}") if match else {}
        except ValueError:
            parsed = {}
        if match is None or set(parsed) != {"options"}:
            raise ValueError(
                f"a solver is given as name or as name(option=value, …) with values as in TOML "
                f'(a number, true, false, [1, 2] or "text"), got {text!r}'
            )
        name, options = match[1], dict(sorted(parsed["options"].items()))
        shown = ", ".join(f"{option}={json.dumps(value, default=str)}" for option, value in options.items())
        label = f"{name}({shown})" if options else name
        if label in solvers:
            raise ValueError(f"the solver {label} is given twice")
        solvers[label] = options
    return solvers


@dataclass(frozen=True)
class Comparison:
    """A comparison of solvers on the same random instances, validated.

    Parameters
    ----------
    scenario
        Of the instances; that of ``instances_file``, where there is one.
    solvers
        Maps labels to options. A label is the name of a solver or of a trained agent, or the path of an agent, and may
        go on in brackets: ``asc(draws=9)``.
    instances, seed
        Number of the instances, and the seed they are drawn with.
    max_seconds
        Stop each solve after about this time, s.
    csi_error
        Error variance ε, in [0, 1), of the estimates of the eavesdroppers' channels on which decisions are made
        (:mod:`secagent_env.sampling.estimation`). They are evaluated on the true channels.
    instances_file
        A file or folder of instances, the first of which are compared on; None: they are drawn.

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
    instances_file: Path | str | None = None

    def __post_init__(self) -> None:
        number_of("instances", self.instances)
        if self.instances_file is not None:
            check_count(self.instances, self.instances_file)
            object.__setattr__(self, "scenario", own_scenario(self.instances_file))
        checks.integer("seed", self.seed)
        if self.max_seconds is not None:
            checks.number("max_seconds", self.max_seconds, above=0)
        checks.number("csi_error", self.csi_error, 0, below=1)
        if not self.solvers:
            raise ValueError("a comparison needs at least one solver, got none")
        made = {label: make(name_in(label), **options) for label, options in self.solvers.items()}
        for solver in made.values():
            if isinstance(solver, TrainedAgent):
                solver.check(self.scenario)
        labels = [mark_stand_in(label, solver) for label, solver in made.items()]
        if len(set(labels)) < len(labels):
            raise ValueError(f"the solver {max(labels, key=labels.count)} is given twice")
        object.__setattr__(self, "solvers", dict(zip(labels, self.solvers.values(), strict=True)))

    def make_solvers(self) -> dict[str, Solver]:
        """Return the solvers by label."""
        return {label: make(name_in(label), **options) for label, options in self.solvers.items()}

    def cells(self, experiment: str = "compare", value: Any = None) -> Grid:
        """Return the cells, instance by instance, so that a sweep that was stopped early has comparable results.

        Parameters
        ----------
        experiment, value
            The experiment that the cells are for, and the value of the quantity that it varies.
        """
        shared = {
            "scenario": self.scenario.to_dict(),
            "max_seconds": self.max_seconds,
            "csi_error": float(self.csi_error),
        }
        if self.instances_file is not None:
            shared[FIELD] = described(self.instances_file)
        kinds: dict[str, dict[str, Any]] = {}
        for label, solver in self.make_solvers().items():
            options = {**shared, "solver": name_in(label), "solver_options": dict(self.solvers[label])}
            if isinstance(solver, TrainedAgent):
                options["policy"] = solver.digest
            kinds[label] = {
                "function": AGENT_FUNCTION if "policy" in options else FUNCTION,
                "options": options,
                "modules": (module_of(name_in(label)), *_modules_of(self.scenario)),
                "paid": not getattr(solver, "in_process", True) and getattr(solver, "replay", None) is None,
            }
        prototypes = (
            Cell(experiment=experiment, scheme=label, value=value, seed=int(self.seed), **kind)
            for label, kind in kinds.items()
        )
        return Grid(prototypes, int(self.instances))

    def sweep(self) -> Sweep:
        """Return the comparison as a sweep."""
        return sweep_of(self.cells())


def sweep_of(cells: Sequence[Cell]) -> Sweep:
    """Return a sweep of cells that solve; workers will know the solvers and path losses that the user registered."""
    own, models = registry.registered(), registered_path_losses()
    if not own and not models:
        return Sweep(cells)
    modules = {getattr(made, "__module__", "") for made in (*own.values(), *models.values())}
    return Sweep(cells, functools.partial(_restore, own, models), tuple(sorted(modules)))


def _restore(own: Mapping[str, registry.Factory], models: Mapping[str, type[PathLoss]]) -> None:
    registry.restore(own)
    for model in models.values():
        register_path_loss(model)


def _modules_of(scenario: Scenario) -> tuple[str, ...]:
    """Return the module of a path loss that the user registered: a result depends on it."""
    model = registered_path_losses().get(scenario.path_loss)
    return () if model is None else (model.__module__,)


def name_in(label: str) -> str:
    """Return the solver's name in a label such as ``asc(draws=9)``."""
    return label.partition("(")[0].strip()


def mark_stand_in(label: str, solver: Solver) -> str:
    """Return a label that says if rules stand in for the language model: ``law (no LLM, rounds=1)``."""
    if NO_LLM not in solver.name or NO_LLM[1:-1] in label:
        return label
    name, _, rest = label.partition("(")
    return f"{name.strip()} {NO_LLM[:-1]}{', ' * bool(rest)}{rest or ')'}"


def run(comparison: Comparison, out: Path | str, **how: Unpack[How]) -> Any:
    """Compute the cells that the folder ``out`` lacks; write the table, the CSV file and the picture.

    Parameters
    ----------
    comparison
        The solvers and instances.
    out, how
        See :func:`eval.sweep.engine.run_sweep`.

    Returns
    -------
    pandas.DataFrame
        A row per solver and instance. Missing numbers are those that are not finite.

    Raises
    ------
    ValueError, OSError, ImportError, KeyboardInterrupt
        See :func:`eval.sweep.engine.run_sweep`.
    """
    for module in ("pandas", "pyarrow", "joblib", "matplotlib", "tabulate", "tqdm"):
        require(module, extra="eval")
    out = Path(out)
    if (out / EARLIER).exists():
        logger.info("%s is of an earlier version of secagent, and is not read", out / EARLIER)
    swept = run_sweep(comparison.sweep(), out, **how)
    frame = frame_of(swept, believed=comparison.csi_error > 0)
    _report(comparison, frame, out)
    return frame


def _report(comparison: Comparison, frame: Any, out: Path) -> None:
    from eval.compare.plots import save_comparison
    from eval.compare.table import markdown

    title = describe(comparison)
    write_text(out / TABLE, f"{title}\n\n{markdown(frame)}")
    write_text(out / CSV, frame.to_csv(index=False))
    save_comparison(frame, out / PICTURE, title=title)


def changes(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of a scenario that are not those of the preset ``paper``."""
    default = Scenario().to_dict()
    return {name: value for name, value in scenario.to_dict().items() if value != default[name]}


def describe(comparison: Comparison) -> str:
    """Return a comparison's instances and scenario in one line."""
    changed = changes(comparison.scenario).items()
    scenario = ", ".join(["the paper's scenario", *(f"{name} = {value}" for name, value in changed)])
    limit = "" if comparison.max_seconds is None else f", at most {comparison.max_seconds:g} s per solve"
    known = f"; eavesdroppers' channels known with error variance {comparison.csi_error:g}" * (comparison.csi_error > 0)
    own = "" if comparison.instances_file is None else f" of {Path(comparison.instances_file).name}"
    which = f"{comparison.instances} instances{own}, seed {comparison.seed}"
    return f"{which}{limit}{known}; {scenario}; secagent {__version__}"
