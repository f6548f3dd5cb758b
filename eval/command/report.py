"""``secagent report``: a results folder as one HTML file."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from eval.command.arguments import AddCommand, add_instances_file, add_plugin, plug_in

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("report", "Write a results folder as one HTML file, and its figures as PDF files.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what compare and reproduce wrote to with --out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the HTML file (default: report.html in the folder)")
    parser.add_argument(
        "--runs",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="DIR",
        help="folders of trainings, or folders of such folders, for the learning curves",
    )
    parser.add_argument(
        "--trust-paths",
        action="store_true",
        help="follow links out of the folder, and open, write and contact what its solvers' options name; only for "
        "folders of your own",
    )
    add_instances_file(parser, "where the instances of a comparison are, for its pictures")
    add_plugin(parser)


def run(args: argparse.Namespace) -> None:
    """Write the page and its figures."""
    plug_in(args.plugin)
    from eval.report import write_report

    path = write_report(
        args.folder, args.out, args.runs, trust_paths=args.trust_paths, instances_file=args.instances_file
    )
    logger.info("wrote %s, and figures for papers in %s", path, path.parent / "figures")
