"""``secagent compare``: solvers on random instances; ``secagent leaderboard``: decisions on frozen ones."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from eval.command.arguments import (
    AddCommand,
    add_instances_file,
    add_out,
    add_plugin,
    add_scenario,
    add_sweep,
    plug_in,
    progress_of,
    scenario_or_file,
    sweep_options,
)

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("compare", "Compare solvers on random instances: a table, a CSV file and a picture.")
    add_scenario(parser)
    parser.add_argument(
        "--solvers",
        nargs="+",
        metavar="NAME",
        help="names of solvers and trained agents, paths of agents, or either with options as in "
        "'asc(jamming=false, draws=9)' (default: exact, asc-plus, asc, ppo and l2o where they are there, randas)",
    )
    parser.add_argument(
        "--instances", type=int, metavar="K", help="how many instances (default: 20, or all of a smaller file)"
    )
    add_instances_file(parser, "compare on these instead of random ones")
    parser.add_argument("--seed", type=int, default=0, help="of the instances and the solvers (default: 0)")
    add_out(parser, Path("results"))
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop each solve after about this time")
    parser.add_argument(
        "--csi-error",
        type=float,
        default=0.0,
        metavar="E",
        help="decide on estimates of the eavesdroppers' channels with this error variance, 0 ≤ E < 1, and judge "
        "on the true ones (default: 0)",
    )
    add_sweep(parser)
    add_plugin(parser)


def run(args: argparse.Namespace) -> None:
    """Compare, and write the table, the rows and the picture."""
    plug_in(args.plugin)
    from eval.compare.comparison import CSV, DEFAULT_SOLVERS, PICTURE, TABLE, Comparison, parse_solvers
    from eval.compare.comparison import run as compare
    from eval.compare.instances_file import own_count
    from eval.sweep.plan import plan

    count = 20 if args.instances is None else args.instances
    if args.instances is None and args.instances_file is not None:
        count = min(count, own_count(args.instances_file))
    comparison = Comparison(
        scenario=scenario_or_file(args),
        solvers=parse_solvers(args.solvers or DEFAULT_SOLVERS),
        instances=count,
        seed=args.seed,
        max_seconds=args.max_seconds,
        csi_error=args.csi_error,
        instances_file=args.instances_file,
    )
    if args.dry_run:
        print(plan(comparison.sweep(), args.out, **sweep_options(args)))
        return
    compare(comparison, args.out, **sweep_options(args), progress=progress_of(args))
    print((args.out / TABLE).read_text(encoding="utf-8"), end="")
    logger.info("wrote %s, %s and %s in %s", TABLE, CSV, PICTURE, args.out)


class Leaderboard:
    """``secagent leaderboard``: who decides the benchmark set best."""

    @staticmethod
    def add_parser(command: AddCommand) -> None:
        """Add the parser."""
        parser = command("leaderboard", "Score decisions on the benchmark set; nothing is solved.")
        parser.add_argument(
            "entries",
            nargs="*",
            type=Path,
            metavar="ENTRY",
            help="files of entries, or folders of them, such as `secagent study benchmark-set` writes; they stand "
            "beside those that are shipped",
        )
        parser.add_argument("--alone", action="store_true", help="leave out those that are shipped")
        parser.add_argument("--out", type=Path, metavar="DIR", help="write the table, its rows and a picture there")

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        """Read the entries, score them, and print the table."""
        from eval.benchmark_set import leaderboard
        from eval.benchmark_set.entries import entry_paths, load_entry
        from eval.experiments.protocol import Report

        if args.alone and not args.entries:
            raise ValueError("--alone leaves nothing to score: name files of entries, or folders of them")
        places = [*([] if args.alone else [leaderboard.SHIPPED]), *args.entries]
        board = leaderboard.Leaderboard([load_entry(path) for path in entry_paths(places)])
        print(board.markdown(), end="")
        if args.out is not None:
            Report(board.markdown(), board.rows(), board.draw).write(args.out, "leaderboard")
            logger.info("wrote leaderboard.md, .csv, .png and .pdf in %s", args.out)
