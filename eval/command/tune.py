"""``secagent tune``: hyperparameters of a learner, searched by short trainings."""

from __future__ import annotations

import argparse
import functools
import json
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from eval.command.arguments import AddCommand, progress_of
from eval.command.train import add_task, out_of, task_of
from eval.stats.formatting import NONE, tabulated
from secagent_env.support.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.learn.tune import Trial

logger = logging.getLogger("secagent")

TABLE = "tune.md"


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("tune", "Search the hyperparameters of a learner; a search that was interrupted resumes.")
    parser.add_argument("algo", metavar="ALGO", help="ppo, ppo-lagrangian, l2o or rloo")
    add_task(parser)
    parser.add_argument("--trials", type=int, default=20, metavar="K", help="trainings in all (default: 20)")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="begin no training later than this (default: no limit)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder of all trials (default: tuned/ALGO-ENV-SCENARIO-SEED)"
    )


def run(args: argparse.Namespace) -> None:
    """Search, and print the trials, the best first, and the command that trains with the best values."""
    from training.learn.tune import tune

    if args.out is None:
        args.out = out_of(args, "tuned")
    trials = tune(
        functools.partial(task_of, args),
        args.out,
        trials=args.trials,
        seconds=args.seconds,
        seed=args.seed,
        progress=progress_of(args),
    )
    text = markdown(trials)
    write_text(args.out / TABLE, text)
    print(text, end="")
    logger.info("wrote %s, and the trials, in %s", TABLE, args.out)


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
    best, [first] = trials[0], [trial for trial in trials if trial.default]
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
    from training.learn.run_folder import RunFolder

    config = RunFolder(trial.folder).read_config()["hyperparameters"]
    names = dict.fromkeys(name.partition(".")[0] for name in trial.values)
    return [shlex.quote(f"{name}={_toml(config[name])}") for name in names]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}={_toml(item)}' for name, item in value.items())}}}"
    return json.dumps(value)
