"""``secagent solve``: one instance, one solver."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.command.arguments import AddCommand, add_instances_file, add_plugin, assignments, plug_in

if TYPE_CHECKING:
    from secagent_env import Instance
    from solvers import Solution

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("solve", "Solve one instance and print a summary.")
    parser.add_argument("instance", type=Path, nargs="?", help="a file that Instance.save or `secagent sample` wrote")
    add_instances_file(parser, "the same for several instances")
    parser.add_argument("--index", type=int, metavar="I", help="which of several instances")
    parser.add_argument(
        "--solver", default="asc", metavar="NAME", help="a solver, or a trained agent's name or path (default: asc)"
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="OPTION=VALUE", help="options of the solver"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the solver (default: 0)")
    parser.add_argument(
        "--max-seconds", type=float, metavar="S", help="stop after about this time with the best so far"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the decision as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the convergence: a .png, .pdf or .svg file")
    parser.add_argument("--transcript", action="store_true", help="show the conversation with the language model")
    parser.add_argument(
        "--dry-run", action="store_true", help="show the prompts and about what they cost, and send nothing"
    )
    add_plugin(parser)


def run(args: argparse.Namespace) -> None:
    """Solve the instance, print a summary, and write what is asked for; after an interrupt of the best so far."""
    plug_in(args.plugin)
    from eval.compare.lineup import make
    from secagent_env.support.files import check_target
    from solvers import Interrupted

    if args.plot is not None:
        from eval.compare.convergence import check_picture

        check_picture(args.plot)
    for path in (args.out, args.plot):
        if path is not None:
            check_target(path)
    options = assignments(args.set)
    solver = make(args.solver, **options)
    if args.transcript or args.dry_run:
        from solvers.llm import ChatOptions

        if not isinstance(solver, ChatOptions):
            raise ValueError(f"{args.solver} asks no language model: there is no conversation to show or to rehearse")
    instance = _instance(args)
    if args.dry_run:
        from eval.compare.conversation import dry_run

        print(dry_run(solver, instance, args.seed))
        return
    try:
        _tell(args, options, solver.solve(instance, seed=args.seed, max_seconds=args.max_seconds))
    except Interrupted as interrupt:
        _tell(args, options, interrupt.solution())
        raise


def _instance(args: argparse.Namespace) -> Instance:
    """Return the instance that the arguments name."""
    from secagent_env import Instance
    from secagent_env.gym_bases.own_instances import InstanceSet
    from secagent_env.support.checks import integer

    if (args.instance is None) == (args.instances_file is None):
        raise ValueError("solve needs a file: either INSTANCE, or --instances-file with --index")
    path = args.instances_file if args.instance is None else args.instance
    loaded = Instance.load(path)
    if not loaded.batch_shape and args.index is None:
        return loaded
    if not loaded.batch_shape:
        raise ValueError(f"{path} holds a single instance: leave --index out")
    instances = InstanceSet(loaded)
    if args.index is None:
        raise ValueError(f"{path} holds {len(instances)} instances: choose one with --index")
    return instances.one(integer("--index", args.index, 0, len(instances) - 1))


def _tell(args: argparse.Namespace, options: dict[str, Any], solution: Solution) -> None:
    """Print a solution, and write what is asked for."""
    from eval.compare.solution_summary import summary

    print(summary(solution))
    if args.transcript:
        from eval.compare.conversation import conversation

        print(conversation(solution))
    if args.out is not None:
        from eval.compare.decisions import save_decision

        save_decision(args.out, solution, options=options)
        logger.info("wrote %s", args.out)
    if args.plot is not None:
        from eval.compare.convergence import NothingToDraw, save_convergence

        try:
            save_convergence(solution, args.plot)
            logger.info("wrote %s", args.plot)
        except NothingToDraw as reason:
            logger.warning("%s, so %s is not written", reason, args.plot)
