"""``secagent answer-distributions``: how likely a model finds each option of the questions of data sets."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from eval.command.arguments import AddCommand

TEXT = ("all", "needed", "none")
SETS = ("arc-easy", "arc-challenge", "boolq")
QUESTIONS, OF_STUDENTS = 450, 120
VOCABULARY = "vocabulary"
KNOWLEDGE = ("explanations", VOCABULARY)


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
    parser.add_argument(
        "--student",
        action="store_true",
        help="score the letters of the questions of `reproduce genainet-table1-models`, with and without knowledge, "
        "instead; MODEL may be retrieval-reader",
    )
    parser.add_argument(
        "--knowledge",
        default=KNOWLEDGE[0],
        choices=KNOWLEDGE,
        help="of a student: the explanations of other questions, or the vocabulary of 3GPP for questions on terms "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--writer",
        type=Path,
        metavar="FILE",
        help="a TOML file of one group, as for `reproduce --groups`, whose model shortens the vocabulary: the student "
        "reads it so too, beside what rules shorten. The model's replies are kept beside FILE",
    )
    parser.add_argument(
        "--questions",
        type=int,
        metavar="Q",
        help=f"of each set (default: {QUESTIONS}; with --student {OF_STUDENTS})",
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the data sets (default: SECAGENT_DATA)")
    parser.add_argument(
        "--text",
        default="all",
        choices=TEXT,
        help="questions whose options are scored by their text too, not by the letter alone; needed: those for "
        "calibration, and the others where the text turns out to tell more than the letter (default: all)",
    )
    parser.add_argument("--threads", type=int, default=2, help="of the computation (default: 2)")


def run(args: argparse.Namespace) -> None:
    """Measure what the file lacks."""
    from eval.experiments.knowledge_transfer.vocabulary import WRITER
    from secagent_env.support.checks import integer
    from solvers.answer_scores.measuring import measure

    text = "none" if args.student else args.text
    count = integer("questions", args.questions or (OF_STUDENTS if args.student else QUESTIONS), 1)
    if args.writer is not None and not (args.student and args.knowledge == VOCABULARY):
        raise ValueError("--writer shortens the vocabulary: it goes with --student --knowledge vocabulary")
    with ExitStack() as resources:
        writer = None if args.writer is None else resources.enter_context(_writer(args.writer))
        scorer = resources.enter_context(_scorer(args))
        sets, digests = _questions(args, count, writer)
        told = {} if writer is None else {WRITER: writer.outcome()}
        number = measure(scorer, sets, digests, count, args.out, text, told)
    print(f"{args.out} holds the scores of {number} questions by {scorer.about['model']}")


def _questions(args: argparse.Namespace, count: int, writer: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the sets of questions that are asked, and their digests."""
    from eval.experiments.knowledge_transfer.student_questions import student_questions
    from eval.experiments.knowledge_transfer.vocabulary import term_questions
    from eval.experiments.question_source import digest_of, load

    if args.student and args.knowledge == VOCABULARY:
        return term_questions(count, data=args.data, writer=writer)
    if args.student:
        return student_questions(count, data=args.data)
    data = None if args.data is None else str(args.data)
    sets = {name: load(name, data) for name in args.sets}
    return sets, {name: digest_of([(q.key, len(q.options), q.answer) for q in own]) for name, own in sets.items()}


def _writer(path: Path) -> Any:
    """Return what shortens texts by the model in a file of groups; its replies are kept beside the file."""
    from eval.experiments.groups import one_model
    from solvers.knowledge.language.summaries import Summariser
    from solvers.llm import ChatOptions

    options = one_model(path, "--writer")
    return Summariser(ChatOptions(**options, transcript=path.with_suffix(".replies.jsonl")))


def _scorer(args: argparse.Namespace) -> Any:
    """Return what scores the options."""
    from eval.experiments.knowledge_transfer.student_questions import READER, ReaderScorer
    from secagent_env.support.checks import integer
    from solvers.answer_scores.endpoint import EndpointScorer
    from solvers.answer_scores.gguf import GGUFScorer

    if args.student and args.model == READER:
        return ReaderScorer()
    if args.base_url is None:
        return GGUFScorer(args.model, args.name, integer("threads", args.threads, 1, 1024))
    if args.width is None:
        raise ValueError("an endpoint does not tell the model's hidden size: give it with --width")
    return EndpointScorer(args.model, args.base_url, integer("width", args.width, 1), args.name)
