"""``secagent reproduce``: the papers' tables and figures beside ours."""

from __future__ import annotations

import argparse
from pathlib import Path

from eval.command.arguments import AddCommand, add_out, add_sweep, progress_of, sweep_options


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("reproduce", "Reproduce the paper's tables and figures, ours beside the printed numbers.")
    parser.add_argument(
        "experiments",
        nargs="+",
        metavar="EXPERIMENT",
        help="fig4, table2, table3, fig5, table4, table5; of the second paper genainet-table1, genainet-table2, "
        "genainet-fig7, genainet-fig8; knowledge-energy, which links the two; robust, for channels that are not known "
        "exactly; or all of these: all. With real language models: law-models, table5-models, "
        "genainet-table1-models, genainet-table2-models, genainet-thoughts-models, genainet-experience-models, "
        "genainet-convoy-models, genainet-graph-models",
    )
    parser.add_argument(
        "--instances",
        type=int,
        metavar="K",
        help="networks, or games, of each setting (default: 100; where language models play or read, "
        "as many as the documentation shows)",
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
        "--replay",
        nargs="?",
        const="",
        metavar="FILE",
        help="take the answers of language models from a recording, or from EXPERIMENT.recording.xz in a folder "
        "(default: those that the documentation's numbers are computed from); its options need not be given",
    )
    questions.add_argument(
        "--distributions",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="of `secagent answer-distributions`, one for each model, for table5-models",
    )
    questions.add_argument(
        "--students",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="of `secagent answer-distributions --student`, for genainet-table1-models",
    )
    add_out(parser, Path("results", "reproduce"))
    add_sweep(parser)
    parser.set_defaults(usual=parser.get_default)


def run(args: argparse.Namespace) -> None:
    """Reproduce experiments, and print their tables."""
    from eval.experiments.catalogue import reproduce

    reproduce(args, sweep_options(args), progress_of(args))
