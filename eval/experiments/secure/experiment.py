"""The first paper's tables and figures again: solves on one sweep, experiments as views on them.

A solve is a scheme on an instance of a scenario, whichever experiments it occurs in: the typical case, which occurs in
all of them, is solved once. Instance i is drawn as `secagent compare` draws it.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

import solvers
import training
from eval.compare.comparison import Comparison, mark_stand_in, name_in, parse_solvers, sweep_of
from eval.compare.lineup import default_solvers, make
from eval.compare.rows import frame_of
from eval.experiments.genainet_power.experiment import EXPERIMENTS as GAMES
from eval.experiments.protocol import check_writable
from eval.experiments.questions import EXPERIMENTS as QUESTIONS
from eval.experiments.secure.printed import AS_WRITTEN, EXPERIMENTS, TRANSMISSION, TYPICAL, Experiment, chosen
from eval.experiments.secure.results import CERTIFIED, Reproduced, reproduced
from eval.sweep.cells import Cell
from eval.sweep.engine import How, Sweep, run_sweep
from secagent_env import Scenario, __version__
from secagent_env.support.errors import unknown_name
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from training.learn.run_folder import RunFolder

logger = logging.getLogger("secagent.reproduce")

SOLVE = "solve"
"""The label of all cells: what is solved is no experiment's own."""
WHOLE, CSV = "reproduce.md", "rows.csv"
SELECTING = ("exact", "asc", "law", "ga", "randas")
"""Schemes that differ in who computes: with them the trained agents are compared."""
WRITTEN_FUNCTION = "eval.experiments.secure.as_written:solve_cell"
Frames = Mapping[tuple[str, str], Any]
"""Rows (pandas DataFrames) by setting and label of who solved."""


def default_agents() -> tuple[str, ...]:
    """Return the trained agents that stand beside the paper's schemes, where they are shipped and can be run."""
    return tuple(name for name in default_solvers() if name not in solvers.names())


@dataclass(frozen=True)
class Reproduction:
    """What is reproduced, validated.

    Parameters
    ----------
    experiments
        Their names, or ``"all"``.
    instances, seed
        How many instances of each setting, from which seed.
    agents
        Names of trained agents, and paths of policies and of finished trainings, with options or without as in
        :func:`eval.compare.comparison.parse_solvers`. Trainings of one learner make one row.
    law
        Options of LAW, such as ``'model="…", base_url="…"'``; without a model rules stand in for it.

    Raises
    ------
    ValueError
        If an experiment, an agent or an option is unknown, a number out of range, or an agent does not take a scenario.
    OSError, ImportError
        If a policy cannot be read, or an extra is missing.
    """

    experiments: tuple[str, ...] = ("all",)
    instances: int = 100
    seed: int = 0
    agents: tuple[str, ...] = field(default_factory=default_agents)
    law: str = ""

    def __post_init__(self) -> None:
        for _ in (self.trained, self._comparisons):  # they raise for what is wrong
            pass

    @functools.cached_property
    def chosen(self) -> tuple[Experiment, ...]:
        """The experiments."""
        return chosen(self.experiments)

    @functools.cached_property
    def trained(self) -> dict[str, list[str]]:
        """The trained agents: the labels of their cells by what tables call them."""
        groups: dict[str, list[str]] = {}
        for label in self._agents:
            groups.setdefault(learner_of(label), []).append(label)
        seeds = {name: f"{name} ({len(own)} seed{'s' * (len(own) > 1)})" for name, own in groups.items()}
        return {name if own == [name] else seeds[name]: own for name, own in groups.items()}

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """What tables call schemes that have another name there."""
        return {"law": make("law", **self._law[1]).name, "fixedtp": "fixedtp (our reading)"}

    def schemes(self, experiment: Experiment) -> list[str]:
        """Return the schemes of an experiment in the order of its tables: proved, the paper's, trained."""
        written = [AS_WRITTEN] if experiment.metric == TRANSMISSION else []
        return [CERTIFIED, *experiment.schemes, *written, *self.trained]

    def cells(self) -> list[Cell]:
        """Return what is to be computed, instance by instance."""
        cells = [cell for comparison in self._comparisons.values() for cell in comparison.cells(SOLVE)]
        settings = {s: v for e in self.chosen if e.metric == TRANSMISSION for s, v in self._settings(e)}
        for scenario in settings.values():
            options = {"scenario": scenario.to_dict()}
            cells += [
                Cell(WRITTEN_FUNCTION, SOLVE, AS_WRITTEN, None, self.seed, index, options)
                for index in range(self.instances)
            ]
        return sorted(cells, key=lambda cell: cell.index)

    def sweep(self) -> Sweep:
        """Return the solves as a sweep."""
        return sweep_of(self.cells())

    def view(self, experiment: Experiment, frames: Frames) -> Reproduced:
        """Return an experiment's results from the rows of all solves."""
        rows = {
            value: {name: self._rows(setting_of(scenario), name, frames) for name in self.schemes(experiment)}
            for value, scenario in experiment.scenarios.items()
        }
        return reproduced(experiment, rows, self.labels)

    def gaps(self, frames: Frames) -> dict[str, np.ndarray]:
        """Return gaps to the certified bound in the typical case, (seeds, instances), of all who select.

        NaN where infeasible; of nothing if there is no trained agent.
        """
        names = [name for name in (*SELECTING, *self.trained) if self._rows(setting_of(TYPICAL), name, frames)]
        found = {}
        for name in names if self.trained else ():
            rows = self._rows(setting_of(TYPICAL), name, frames)
            found[self.labels.get(name, name)] = np.stack([own["gap"].where(own["feasible"]) for own in rows])
        return found

    def _rows(self, setting: str, scheme: str, frames: Frames) -> list[Any]:
        """Return the rows of a scheme: a DataFrame per training, one for what is not trained."""
        labels = [self._law[0]] if scheme == "law" else self.trained.get(scheme, [scheme])
        return [frames[setting, label] for label in labels if (setting, label) in frames]

    @staticmethod
    def _settings(experiment: Experiment) -> list[tuple[str, Scenario]]:
        return [(setting_of(scenario), scenario) for scenario in experiment.scenarios.values()]

    @functools.cached_property
    def _agents(self) -> dict[str, dict[str, Any]]:
        return parse_solvers(self.agents)

    @functools.cached_property
    def _law(self) -> tuple[str, dict[str, Any]]:
        """The label of LAW's cells, and its options."""
        [(label, options)] = parse_solvers([f"law({self.law})"]).items()
        return mark_stand_in(label, make("law", **options)), options

    @functools.cached_property
    def _comparisons(self) -> dict[str, Comparison]:
        """By setting, everyone who solves it in one experiment or another."""
        found: dict[str, tuple[Scenario, dict[str, Mapping[str, Any]]]] = {}
        for experiment in self.chosen:
            for setting, scenario in self._settings(experiment):
                solvers = found.setdefault(setting, (scenario, {}))[1]
                for scheme in (CERTIFIED, *experiment.schemes):
                    label, options = self._law if scheme == "law" else (scheme, {})
                    solvers[label] = options
        return {
            setting: Comparison(scenario, {**solvers, **self._agents}, self.instances, self.seed)
            for setting, (scenario, solvers) in found.items()
        }


class Kinds(NamedTuple):
    """Names of experiments by what they are made of: networks that are solved, games of power control, questions."""

    solves: tuple[str, ...]
    games: tuple[str, ...]
    questions: tuple[str, ...]


def by_kind(names: Iterable[str]) -> Kinds:
    """Return the experiments named, of both papers, by kind; ``all`` are all of them.

    Raises
    ------
    ValueError
        If there is none of a name.
    """
    wanted = list(names)
    known = Kinds(tuple(EXPERIMENTS), tuple(GAMES), tuple(QUESTIONS))
    valid = ["all", *itertools.chain(*known)]
    for name in wanted:
        if name not in valid:
            raise unknown_name("experiment", name, valid)
    return Kinds(*(tuple(name for name in kind if name in wanted or "all" in wanted) for kind in known))


def setting_of(scenario: Scenario) -> str:
    """Return a scenario's fields that are not those of the typical case, as text; the same for equal ones."""
    typical = TYPICAL.to_dict()
    changed = {name: value for name, value in scenario.to_dict().items() if value != typical[name]}
    return ", ".join(f"{name} = {value}" for name, value in changed.items()) or "typical"


def learner_of(label: str) -> str:
    """Return what a trained agent's row is called: its label, and of a training's folder the learner.

    Raises
    ------
    ValueError
        If it is no trained agent, or a training that is not finished.
    """
    name = name_in(label)
    if name == label and training.is_path(name) and RunFolder(name).config.is_file():
        from eval.learners.runs import Training

        return Training.read(name).learner
    if name in solvers.names():
        raise ValueError(f"{name} is no trained agent; the paper's schemes take part anyway")
    return label


def run(reproduction: Reproduction, out: Path | str, **how: Unpack[How]) -> str:
    """Compute what is missing in the folder ``out``; write tables, rows and pictures, and return the tables.

    Parameters
    ----------
    reproduction
        What to reproduce.
    out, how
        See :func:`eval.sweep.engine.run_sweep`.

    Raises
    ------
    ValueError, OSError, ImportError, KeyboardInterrupt
        See :func:`eval.sweep.engine.run_sweep`.
    """
    for module in ("pandas", "pyarrow", "joblib", "matplotlib", "tabulate", "tqdm"):
        require(module, extra="eval")
    out = Path(out)
    if out.is_dir():
        check_writable(out)
    sweep = reproduction.sweep()
    swept = run_sweep(sweep, out, **how)
    return _report(reproduction, sweep.cells, swept, out)


def _report(reproduction: Reproduction, cells: Iterable[Cell], swept: Any, out: Path) -> str:
    from eval.experiments.secure.pictures import save_experiment, save_profiles
    from eval.experiments.secure.tables import figures, learners, markdown

    pandas = require("pandas", extra="eval")
    frame = frame_of(swept)
    frame.insert(0, "setting", [setting_of(Scenario(**cell.options["scenario"])) for cell in cells])
    frames = {key: own.reset_index(drop=True) for key, own in frame.groupby(["setting", "solver"], sort=False)}
    write_text(out / CSV, frame.to_csv(index=False))
    parts = [f"{describe(reproduction)}\n"]
    for experiment in reproduction.chosen:
        result = reproduction.view(experiment, frames)
        parts.append(markdown(result))
        write_text(out / f"{experiment.name}.md", f"{parts[0]}\n{parts[-1]}")
        write_text(out / f"{experiment.name}.csv", pandas.DataFrame(figures(result)).to_csv(index=False))
        save_experiment(result, out / experiment.name)
    gaps = reproduction.gaps(frames)
    if gaps:
        parts.append(learners(gaps))
        save_profiles(gaps, out / "profiles")
    text = "\n".join(parts)
    write_text(out / WHOLE, text)
    return text


def describe(reproduction: Reproduction) -> str:
    """Return in one line what was run."""
    names = ", ".join(experiment.name for experiment in reproduction.chosen)
    return (
        f"{names}: {reproduction.instances} instances of each setting, seed {reproduction.seed}; secagent {__version__}"
    )
