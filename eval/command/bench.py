"""``secagent bench``: the speed of the parts of secagent."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from eval.command.arguments import AddCommand

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("bench", "Measure speed: ratios within one run, medians of repeats.")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller measurements")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")


def run(args: argparse.Namespace) -> None:
    """Measure, and print the figures."""
    from eval.bench.benchmark import measure, report
    from secagent_env.support.files import check_target, write_text

    if args.out is not None:
        check_target(args.out)
    results = measure(quick=args.quick, progress=logger.info)
    print(report(results))
    if args.out is not None:
        import json

        write_text(args.out, json.dumps(results, indent=2) + "\n")
        logger.info("wrote %s", args.out)
