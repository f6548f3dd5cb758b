"""The table of ``secagent tune``: all trials, the best first, and how to train with the values of the best."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from eval.stats.formatting import NONE, tabulated
from training.learn.run_folder import RunFolder
from training.tune.search import Trial


def markdown(trials: Sequence[Trial]) -> str:
    """Return the table of the trials, and what the best one is."""
    if not trials:
        return "No trial has ended yet.\n"
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    lines = [
        [
            "YAML file" if trial.default else str(trial.number),
            f"{trial.score:.4g}{', pruned' if trial.pruned else ''}",
            *(_shown(trial.values.get(name)) for name in names),
        ]
        for trial in trials
    ]
    best, first = trials[0], next((trial for trial in trials if trial.default), None)
    if first is None:
        return f"{tabulated(lines, ['trial', 'score', *names])}\n"
    verdict = "None is better than that of the YAML file."
    if best.score > first.score:
        verdict = (
            f"The best score is {best.score - first.score:.3g} above that of the YAML file, on the validation "
            f"instances that chose it. Train with its values: `--set-hyper {' '.join(_assigned(best))}`."
        )
    return f"{tabulated(lines, ['trial', 'score', *names])}\n\n{verdict}\n"


def _shown(value: object) -> str:
    return NONE if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _assigned(trial: Trial) -> list[str]:
    """Return hyperparameters as ``--set-hyper`` takes them; of those inside dicts, the whole dicts."""
    config = RunFolder(trial.folder).read_config()["hyperparameters"]
    names = dict.fromkeys(name.partition(".")[0] for name in trial.values)
    return [shlex.quote(f"{name}={_toml(config[name])}") for name in names]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}={_toml(item)}' for name, item in value.items())}}}"
    return json.dumps(value)
