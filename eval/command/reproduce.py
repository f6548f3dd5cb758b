"""``secagent reproduce``: the papers' tables and figures beside ours."""

from __future__ import annotations

import argparse
import functools
import logging
from pathlib import Path

from eval.command.arguments import AddCommand, add_sweep, progress_of, sweep_options

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("reproduce", "Reproduce the paper's tables and figures, ours beside the printed numbers.")
    parser.add_argument(
        "experiments",
        nargs="+",
        metavar="EXPERIMENT",
        help="fig4, table2, table3, fig5, table4, table5; of the second paper genainet-table1, genainet-table2, "
        "genainet-fig7, genainet-fig8; knowledge-energy, which links the two; or all of them: all",
    )
    parser.add_argument(
        "--instances", type=int, default=100, metavar="K", help="networks, or games, of each setting (default: 100)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the networks and the schemes (default: 0)")
    parser.add_argument(
        "--agents",
        nargs="*",
        metavar="NAME|RUN",
        help="trained agents, and folders of trainings, whose seeds make one row (default: those of `compare`)",
    )
    parser.add_argument(
        "--law",
        default="",
        metavar="OPTIONS",
        help='options of law, as in \'model="NAME", base_url="URL"\' (default: no language model)',
    )
    questions = parser.add_argument_group("experiments with questions: table5, genainet-table1, knowledge-energy")
    questions.add_argument(
        "--questions",
        type=int,
        metavar="Q",
        help="asked in all for genainet-table1 (2000), in each network for table5 (100)",
    )
    questions.add_argument(
        "--data", type=Path, metavar="FOLDER", help="of the data sets (default: that of SECAGENT_DATA)"
    )
    questions.add_argument(
        "--correlation", type=float, metavar="RHO", help="of the errors of simulated agents, 0 to 1 (default: 0.5)"
    )
    questions.add_argument(
        "--groups",
        type=Path,
        metavar="FILE",
        help="a TOML file of agents behind endpoints, which answer table5 and genainet-table1 too",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results", "reproduce"),
        metavar="DIR",
        help="results folder (default: results/reproduce); a run that was interrupted resumes",
    )
    add_sweep(parser)


def run(args: argparse.Namespace) -> None:
    """Reproduce experiments, and print their tables."""
    from eval.compare.comparison import sweep_of
    from eval.experiments.genainet_power import experiment as genainet
    from eval.experiments.genainet_power.cells import cells
    from eval.experiments.questions import Reasoning
    from eval.experiments.secure.experiment import WHOLE, Reproduction, by_kind, run
    from eval.sweep.engine import plan

    kinds = by_kind(args.experiments)
    games = args.instances, genainet.SEED + args.seed
    given = {} if args.agents is None else {"agents": tuple(args.agents)}
    reproduction = None
    if kinds.solves:
        reproduction = Reproduction(kinds.solves, instances=args.instances, seed=args.seed, law=args.law, **given)
    reasoning = Reasoning(
        kinds.questions, args.instances, args.seed, args.questions, args.correlation, args.data, args.groups
    )
    how = sweep_options(args)
    if args.dry_run:
        everything = reasoning.cells() + ([] if reproduction is None else reproduction.cells())
        everything += cells(genainet.pairs_of(kinds.games), *games) if kinds.games else []
        print(plan(sweep_of(everything), args.out, **how))
        if kinds.questions:
            print("questions to selected agents, and networks with measured knowledge, depend on these and come on top")
        return
    how["progress"] = progress_of(args)
    texts = {}
    if kinds.games:
        texts[genainet.TABLE] = functools.partial(genainet.reproduce, kinds.games, *games, args.out, **how)
    for name in kinds.questions:
        texts[f"{name}.md"] = functools.partial(reasoning.reproduce, name, args.out, **how)
    if reproduction is not None:
        texts[WHOLE] = functools.partial(run, reproduction, args.out, **how)
    for number, text in enumerate(texts.values()):
        print("\n" * (number > 0) + text(), end="", flush=True)
    beside = "it" if len(texts) == 1 else "them"
    logger.info("wrote %s, and tables, figures and rows beside %s, in %s", ", ".join(texts), beside, args.out)
