"""Tuning: Optuna proposes hyperparameters, short trainings try them, and validation instances judge them.

The first trial has the values of the YAML file, which all others have to beat. Trials whose score, after as many
evaluations, is below the median of those before are pruned. Each trial trains in a folder of its own, named after its
values: one that was interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from secagent_env.support import checks
from secagent_env.support.errors import unknown_name
from secagent_env.support.extras import require
from secagent_env.support.files import held
from secagent_env.support.reading import MAX_TOML_BYTES, read_text
from training.learn.learner import Task, learner_class
from training.learn.run_folder import RunFolder, describe
from training.learn.seeds import train_seed
from training.learn.settings import FOLDER, Settings, numbers
from training.learn.train import train

SEARCH = FOLDER / "search.yml"
JOURNAL = "trials.journal"
STARTUP = 5
"""Trials before any is pruned, and before the sampler learns from them."""


@dataclass(frozen=True)
class Trial:
    """A finished or pruned trial: its values by name, its best score, its folder, and whether it is the YAML file's."""

    number: int
    values: Mapping[str, Any]
    score: float
    pruned: bool
    folder: Path
    default: bool


def space_of(algo: str, path: Path = SEARCH) -> dict[str, Any]:
    """Return where to look for the hyperparameters of an algorithm: Optuna's distributions by name.

    Raises
    ------
    ValueError
        If the file has no such algorithm, or is broken.
    ImportError
        If Optuna or PyYAML is not installed.
    """
    distributions: Any = require("optuna", "tune").distributions
    yaml: Any = require("yaml", "rl")
    try:
        sections = numbers(yaml.safe_load(read_text(path, MAX_TOML_BYTES)))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(sections, dict) or algo not in sections:
        raise unknown_name(f"algorithm in {path.name}", algo, sorted(sections or ()))
    space = {}
    for name, entry in sections[algo].items():
        try:
            if isinstance(entry, list):
                space[name] = distributions.CategoricalDistribution(entry)
                continue
            whole = all(isinstance(entry[end], int) for end in ("low", "high"))
            kind = distributions.IntDistribution if whole else distributions.FloatDistribution
            space[name] = kind(**entry)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(
                f"{path}: {name} of {algo} must be a list of choices, or a range such as {{low: 1.0e-4, high: 1.0e-2, "
                f"log: true}}, got {entry!r} ({error})"
            ) from None
    return space


def tune(
    make_task: Callable[[Mapping[str, Any]], Task],
    out: str | Path,
    *,
    trials: int,
    seconds: float | None = None,
    space: Mapping[str, Any] | None = None,
    fixed: Collection[str] = (),
    seed: int = 0,
    progress: bool | None = None,
) -> list[Trial]:
    """Try hyperparameters, or go on trying them, and return all trials, the best first.

    Parameters
    ----------
    make_task
        Returns the training with some hyperparameters in the place of the YAML file's.
    out
        The folder of all trials.
    trials
        How many there are in the end, those of earlier runs included.
    seconds
        No trial begins later than this after the start; None: no limit.
    space
        Where to look; None: as :func:`space_of` has it for the algorithm. What has no value to begin with is left out,
        such as an option of another environment.
    fixed
        Names of hyperparameters that are not searched.
    seed
        Of the sampler.
    progress
        Whether to show a progress bar; None: on a terminal only.

    Raises
    ------
    ValueError
        If a number is out of range, another process uses the folder, it holds another search, or there is nothing to
        search.
    OSError
        If a file cannot be written.
    """
    checks.integer("trials", trials, 1)
    if seconds is not None:
        checks.number("seconds", seconds, above=0)
    default = make_task({})
    train_seed(default.seed, 0)
    space = space_of(default.algo) if space is None else space
    first = {
        name: value
        for name in space
        if name.partition(".")[0] not in fixed and (value := value_of(default, name)) is not None
    }
    if not first:
        raise ValueError(f"nothing of {default.algo} is left to search: give fewer hyperparameters yourself")
    space = {name: space[name] for name in first}
    for name, value in first.items():
        if not _holds(space[name], value):
            raise ValueError(
                f"{name} is {value} to begin with, which is not where the search looks ({space[name]}): "
                f"set it with --set-hyper, so that it stays, or change {SEARCH.name}"
            )
    make_task(nested(default.settings, first))  # for its errors
    Path(out).mkdir(parents=True, exist_ok=True)
    with held(Path(out)) as alone:
        if not alone:
            raise ValueError(f"another process tunes in {out}; wait for it, or name another folder with --out")
        return _tuned(make_task, default, Path(out), trials, seconds, space, first, seed, progress)


def _tuned(
    make_task: Callable[[Mapping[str, Any]], Task],
    default: Task,
    out: Path,
    trials: int,
    seconds: float | None,
    space: Mapping[str, Any],
    first: Mapping[str, Any],
    seed: int,
    progress: bool | None,
) -> list[Trial]:
    optuna: Any = require("optuna", "tune")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(optuna, out, seed, default, space)
    _resume(optuna, study, first)
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    disable = None if progress is None else not progress
    finished = len(study.get_trials(deepcopy=False, states=_ended(optuna)))
    with tqdm(total=trials, initial=min(finished, trials), unit="trial", disable=disable) as bar:
        while finished < trials and time.monotonic() < deadline:
            trial = study.ask(space)
            folder = out / folder_of(trial.params)
            trial.set_user_attr("folder", folder.name)
            task = make_task(nested(default.settings, trial.params))

            judge = functools.partial(_judge, optuna, trial, RunFolder(folder))
            try:
                best = train(task, folder, progress=False, judge=judge)
                study.tell(trial, best["score"])
            except optuna.TrialPruned:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)  # with the best score reported
            finished += 1
            bar.update()
            bar.set_postfix(best=f"{study.best_value:.4g}", refresh=False)
    return _trials_of(optuna, study, out, first)


def _judge(optuna: Any, trial: Any, folder: RunFolder, _: Mapping[str, Any]) -> None:
    """Tell a trial its evaluations so far, those before an interruption too, by their number; prune it if it lags."""
    scores = [row["score"] for row in folder.read_evaluations()]
    known = trial.study.trials[trial.number].intermediate_values
    for count in range(len(known), len(scores)):
        trial.report(max(scores[: count + 1]), count)
    if trial.should_prune():
        raise optuna.TrialPruned


def _study(optuna: Any, out: Path, seed: int, default: Task, space: Mapping[str, Any]) -> Any:
    """Return the study in a folder, a new one or that of an earlier run; ValueError if that was of another search."""
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(out / JOURNAL)))
    study = optuna.create_study(storage=storage, study_name="secagent", direction="maximize", load_if_exists=True)
    wanted = json.loads(json.dumps([describe(default), {name: str(kind) for name, kind in space.items()}]))
    if study.user_attrs.setdefault("search", wanted) != wanted:
        raise ValueError(f"{out} holds another search; name another folder with --out, or the same arguments")
    study.set_user_attr("search", wanted)
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed + len(study.trials))
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP)
    return study


def _resume(optuna: Any, study: Any, first: Mapping[str, Any]) -> None:
    """Have the default tried first, and what was interrupted tried again."""
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params or trial.system_attrs.get("fixed_params", {}))
    waiting = (trial.system_attrs.get("fixed_params") for trial in study.get_trials(deepcopy=False))
    if dict(first) not in [*waiting, *(trial.params for trial in study.get_trials(deepcopy=False))]:
        study.enqueue_trial(dict(first))


def _ended(optuna: Any) -> tuple[Any, Any]:
    return optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED


def _trials_of(optuna: Any, study: Any, out: Path, first: Mapping[str, Any]) -> list[Trial]:
    """Return the trials that have ended, the best first."""
    found = [
        Trial(
            trial.number,
            trial.params,
            trial.value,
            trial.state == optuna.trial.TrialState.PRUNED,
            out / trial.user_attrs["folder"],
            trial.params == dict(first),
        )
        for trial in study.get_trials(deepcopy=False, states=_ended(optuna))
    ]
    return sorted(found, key=lambda trial: (trial.pruned, -trial.score))


def folder_of(values: Mapping[str, Any]) -> str:
    """Return the name of the folder of a trial with these values."""
    content = json.dumps(dict(sorted(values.items())))
    return f"trial-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _holds(kind: Any, value: Any) -> bool:
    """Whether a distribution has a value."""
    try:
        return bool(kind._contains(kind.to_internal_repr(value)))
    except ValueError:
        return False


def value_of(task: Task, name: str) -> Any:
    """Return the value that a hyperparameter has by default; None where it has none to begin with."""
    value: Any = {**getattr(learner_class(task.algo), "defaults", {}), **task.settings.to_dict()}
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return None if isinstance(value, Mapping) else value


def nested(settings: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters by their own names: those with dots inside a copy of the dict that they lead into."""
    found: dict[str, Any] = {}
    present = settings.to_dict()
    for name, value in values.items():
        own, _, inside = name.partition(".")
        if inside:
            found.setdefault(own, dict(present.get(own) or {}))[inside] = value
        else:
            found[own] = value
    return found
