"""``secagent sample``: a random instance in a file."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from eval.command.arguments import AddCommand, add_scenario, scenario_of

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("sample", "Draw a random instance and write it to a file.")
    add_scenario(parser)
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--index",
        type=int,
        default=0,
        metavar="I",
        help="which instance of that seed, as `compare` counts them (default: 0)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .npz file")


def run(args: argparse.Namespace) -> None:
    """Draw the instance and write it."""
    from eval.compare.solving import instance_at
    from secagent_env.support.checks import integer
    from secagent_env.support.files import check_target

    for name in ("seed", "index"):
        integer(name, getattr(args, name))
    scenario = scenario_of(args)
    check_target(args.out)
    instance_at(scenario, args.seed, args.index).save(args.out)
    logger.info("wrote %s", args.out)
