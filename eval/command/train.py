"""``secagent train`` and ``secagent tune``: trainings, shipping what they learnt, and searching how to train."""

from __future__ import annotations

import argparse
import functools
import logging
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.command.arguments import (
    AddCommand,
    Parser,
    add_instances_file,
    add_scenario,
    assignments,
    progress_of,
    scenario_names,
    scenarios_or_file,
)
from secagent_env.support.files import write_text

if TYPE_CHECKING:
    from training.learn.learner import Task

logger = logging.getLogger("secagent")

TABLE = "tune.md"


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("train", "Train an agent; a training that was interrupted resumes.")
    parser.add_argument(
        "algo", nargs="?", metavar="ALGO", help="ppo, ppo-lagrangian, a2c, sac, td3, tqc, l2o, rloo or imitation"
    )
    add_task(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the run's folder (default: runs/ALGO-ENV-SCENARIO-SEED, with -csiE before the seed under --csi-error, "
        "and -started under --start-from)",
    )
    parser.add_argument("--device", default="cpu", help="where torch computes, such as cuda (default: cpu)")
    parser.add_argument("--threads", type=int, default=1, metavar="K", help="threads of torch (default: 1)")
    parser.add_argument(
        "--track",
        nargs="+",
        choices=["wandb", "mlflow"],
        default=[],
        help="write the figures to Weights & Biases or MLflow too, as their own variables say (default: neither)",
    )
    parser.add_argument(
        "--ship",
        nargs="+",
        metavar=("NAME", "RUN"),
        help="train nothing, but copy the policy of the run that is best on validation, of finished runs of one "
        "learner, and its model card into training/policies, where load_agent finds it by this name",
    )


def add_task(parser: Parser) -> None:
    """Add the arguments that say what is trained on, and how."""
    add_scenario(parser, "given several times, one policy learns on all of them in turn")
    add_instances_file(parser, "train on these instead of random ones")
    parser.add_argument(
        "--env", choices=["allocation", "lifetime"], default="allocation", help="the environment (default: allocation)"
    )
    parser.add_argument(
        "--csi-error",
        type=float,
        metavar="E",
        help="train and validate on estimates of the eavesdroppers' channels with this error variance, 0 ≤ E < 1; what "
        "counts is the truth (default: the policy sees it)",
    )
    parser.add_argument(
        "--steps", type=int, metavar="K", help="environment steps in all (default: as in the YAML file)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    parser.add_argument(
        "--start-from", metavar="RUN", help="the folder of another training, whose best policy this one begins with"
    )
    parser.add_argument(
        "--policy", choices=["mlp", "equivariant", "local"], help="the network (default: as in the YAML file)"
    )
    parser.add_argument(
        "--set-hyper",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="change hyperparameters, as in --set-hyper learning_rate=1e-4 'learning_rate={start=1e-3, end=0}'",
    )


def run(args: argparse.Namespace) -> None:
    """Train an agent, or ship what was trained."""
    if args.ship is not None:
        _ship(args)
    elif args.algo is None:
        raise ValueError("train needs the algorithm ALGO, or --ship NAME RUN …")
    else:
        _train(args)


def _out_of(args: argparse.Namespace, folder: str) -> Path:
    """Return where the results go if nothing is said."""
    stems = [Path(name).stem for name in ([args.instances_file] if args.instances_file else scenario_names(args))]
    estimated = "" if args.csi_error is None else f"-csi{args.csi_error:g}"
    started = "" if args.start_from is None else "-started"
    return Path(folder, f"{args.algo}-{args.env}-{'+'.join(stems)}{estimated}{started}-{args.seed}")


def _task_of(args: argparse.Namespace, tried: Mapping[str, Any] | None = None) -> Task:
    """Return the training that the arguments describe, with some hyperparameters in the place of the YAML file's."""
    from training.learn.learner import Task, learner_class
    from training.learn.settings import load_settings

    scenario, *others = scenarios_or_file(args)
    names = scenario_names(args)
    given = {"steps": args.steps, "policy": args.policy}
    overrides = assignments(args.set_hyper, "--set-hyper")
    settings = load_settings(
        args.algo,
        environment=args.env,
        preset=None if others else names[0],
        arguments=learner_class(args.algo).arguments(args.algo),
        overrides={**(tried or {}), **overrides, **{name: value for name, value in given.items() if value is not None}},
    )
    file = None if args.instances_file is None else str(args.instances_file)
    return Task(
        algo=args.algo,
        environment=args.env,
        scenario=scenario,
        settings=settings,
        seed=args.seed,
        instances=file,
        mixed_with=tuple(others),
        csi_error=args.csi_error,
        start_from=args.start_from,
    )


def _train(args: argparse.Namespace) -> None:
    if args.out is None:
        args.out = _out_of(args, "runs")
    task = _task_of(args)
    from training.learn.train import train

    best = train(
        task,
        args.out,
        device=args.device,
        threads=args.threads,
        command=shlex.join(["secagent", *args.argv]),
        progress=progress_of(args),
        track=args.track,
    )
    figures = ", ".join(
        f"{name} {best[name]:.4g}" for name in ("feasible", "gap", "score") if best.get(name) is not None
    )
    print(f"best after {best['steps']} steps: {figures}")
    logger.info("wrote policy.onnx in %s", args.out)


def _ship(args: argparse.Namespace) -> None:
    from eval.learners.runs import Training
    from eval.learners.shipping import best_training, ship

    name, *folders = args.ship
    if args.algo is not None or not folders:
        raise ValueError("--ship needs a name and the folders of finished trainings, and no algorithm: --ship NAME RUN")
    trainings = [Training.read(folder) for folder in folders]
    print(ship(best_training(trainings, trainings[0].learner), name))


class Tune:
    """``secagent tune``: hyperparameters of a learner, searched by short trainings."""

    @staticmethod
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

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        """Search, and print the trials, the best first, and the values to train with."""
        if args.out is None:
            args.out = _out_of(args, "tuned")
        from eval.learners.tuning import markdown
        from training.tune.search import tune

        trials = tune(
            functools.partial(_task_of, args),
            args.out,
            trials=args.trials,
            seconds=args.seconds,
            fixed=assignments(args.set_hyper, "--set-hyper"),
            seed=args.seed,
            progress=progress_of(args),
        )
        text = markdown(trials)
        write_text(args.out / TABLE, text)
        print(text, end="")
        logger.info("wrote %s, and the trials, in %s", TABLE, args.out)
