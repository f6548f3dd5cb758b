"""``secagent answer-distributions``: how likely a model finds each option of the questions of data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from eval.command.arguments import AddCommand

TEXT = ("all", "calibration", "none")
SETS = ("arc-easy", "arc-challenge", "boolq")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command(
        "answer-distributions",
        "Measure how likely a language model finds each option of questions, for `reproduce table5-models`.",
    )
    parser.add_argument("model", metavar="MODEL", help="a GGUF file, or the name of a model at --base-url")
    parser.add_argument("--base-url", metavar="URL", help="of an endpoint, which tells the letters alone")
    parser.add_argument("--width", type=int, metavar="K", help="of the model at an endpoint: its hidden size")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON lines; what is there is kept")
    parser.add_argument("--name", help="of the model in tables (default: the file's name)")
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="SET", help=f"data sets (default: {' '.join(SETS)})")
    parser.add_argument("--questions", type=int, default=450, metavar="Q", help="of each set (default: 450)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the data sets (default: SECAGENT_DATA)")
    parser.add_argument(
        "--text",
        default="all",
        choices=TEXT,
        help="questions whose options are scored by their text too, not by the letter alone (default: all)",
    )
    parser.add_argument("--threads", type=int, default=2, help="of the computation (default: 2)")


def run(args: argparse.Namespace) -> None:
    """Measure what the file lacks."""
    from eval.experiments.question_source import digest_of, load
    from secagent_env.support.checks import integer
    from solvers.answer_scores.endpoint import EndpointScorer
    from solvers.answer_scores.gguf import GGUFScorer
    from solvers.answer_scores.measuring import measure

    count, threads = integer("questions", args.questions, 1), integer("threads", args.threads, 1, 1024)
    data = None if args.data is None else str(args.data)
    sets = {name: load(name, data) for name in args.sets}
    digests = {name: digest_of([(q.key, len(q.options), q.answer) for q in asked]) for name, asked in sets.items()}
    if args.base_url is not None and args.width is None:
        raise ValueError("an endpoint does not tell the model's hidden size: give it with --width")
    with (
        GGUFScorer(args.model, args.name, threads)
        if args.base_url is None
        else EndpointScorer(args.model, args.base_url, integer("width", args.width, 1), args.name)
    ) as scorer:
        number = measure(scorer, sets, digests, count, args.out, args.text)
    print(f"{args.out} holds the scores of {number} questions by {scorer.about['model']}")
