"""The dispatch of the `secagent` command: it turns every expected error into one sentence.

Exit status: 0 done, 2 an error of the user's input or of the system, 130 interrupted. Each command imports
what it needs when it runs, so that `secagent sample`, for one, needs no optional dependency.
"""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Sequence
from typing import Any

from eval import one_blas_thread
from eval.command import (
    answer_distributions,
    bench,
    compare,
    instances,
    llm_bench,
    report,
    reproduce,
    serve_local,
    serve_standin,
    solve,
    study,
    train,
)
from eval.command.arguments import Parser, common_flags, how_to_resume
from secagent_env.support.secrets import PublicFormatter, public
from secagent_env.support.streams import every_stream, say, unwritten
from secagent_env.support.version import __version__, former_distribution

logger = logging.getLogger("secagent")

EXPECTED = (ValueError, OSError, ImportError, MemoryError, OverflowError)
"""Errors that are printed as one sentence. Any other is a fault in secagent, and its traceback is wanted."""

COMMANDS: dict[str, Any] = {
    "compare": compare,
    "leaderboard": compare.Leaderboard,
    "reproduce": reproduce,
    "study": study,
    "llm-bench": llm_bench,
    "report": report,
    "solve": solve,
    "answer-distributions": answer_distributions,
    "serve-standin": serve_standin,
    "serve-local": serve_local,
    "train": train,
    "tune": train.Tune,
    "sample": instances.Sample,
    "import": instances.Import,
    "dataset": instances.Dataset,
    "bench": bench,
}
"""By name, the module or class of a command, with its ``add_parser`` and ``run``."""
SWEEPS = ("compare", "reproduce", "study", "llm-bench")
"""Commands that resume what was interrupted, and whose tables report failures."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (by default this process's) and return the exit status."""
    with one_blas_thread(), every_stream():  # before the first import of NumPy
        status = _main(argv)
        fault = unwritten()
        return status if fault is None else _failed(fault)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; its result names the ``command``."""
    common = common_flags()
    parser = Parser(
        prog="secagent",
        description="Secure, energy-efficient wireless agentic AI networks: compare, solve, train, sample, bench.",
        parents=[common],
        allow_abbrev=False,
        epilog=study.overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"secagent {__version__}")
    commands: Any = parser.add_subparsers(dest="command", metavar="command", title="commands")

    def command(name: str, text: str) -> Parser:
        added: Parser = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        return added

    for module in COMMANDS.values():
        module.add_parser(command)
    return parser


def _main(argv: Sequence[str] | None) -> int:
    parser = make_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as done:  # --help, --version, or an error that has been printed
        return int(done.code or 0)
    except EXPECTED as error:  # a study's options cannot be read, since an extra is not installed
        return _failed(error)
    except KeyboardInterrupt:  # the options of a study are read from its modules, which takes a moment
        say("secagent: interrupted")
        return 130
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    args.argv = sys.argv[1:] if argv is None else list(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PublicFormatter("secagent: %(message)s"))
    logger.addHandler(handler)
    verbose, args.quiet = getattr(args, "verbose", False), getattr(args, "quiet", False)
    level = logger.level  # to restore it for a program that calls this
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if args.quiet else logging.INFO)
    if args.command in SWEEPS and not verbose:  # their tables say which solvers failed, and why
        handler.addFilter(lambda record: record.name != "secagent.solvers")
    if advice := former_distribution():
        logger.warning("%s", advice)
    try:
        COMMANDS[args.command].run(args)
        return 0
    except BrokenPipeError:  # the reader of our output has gone, as in `secagent … | head`: not worth a word
        return 0
    except KeyboardInterrupt:
        say(f"secagent: interrupted{_after_interrupt(args)}")
        return 130
    except EXPECTED as error:
        return _failed(unwritten() or error)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _after_interrupt(args: argparse.Namespace) -> str:
    """Return what follows from an interruption: how the command goes on."""
    if args.command == "serve-standin":
        return ": the stand-in no longer answers"
    if args.command == "answer-distributions":
        return f"; the same command goes on with {args.out}"
    if args.command == "serve-local":
        return ": the model no longer answers"
    if args.command == "tune":
        return f"; the same command resumes the search in {args.out}"
    if args.command == "train" and args.algo is not None:
        return f"; the same command resumes the training from its last checkpoint in {args.out}"
    return how_to_resume(args) if args.command in SWEEPS else ""


def _failed(error: BaseException) -> int:
    """Print an error in one sentence, and return the exit status."""
    logger.debug("the error in full", exc_info=True)
    say(f"secagent: error: {public(_sentence(error))}")
    return 2


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        # Files are written by one writer, which names them.
        if isinstance(error, FileNotFoundError) and not error.filename:
            return "the working directory is no longer there: change to another one"
        place = error.filename or ("cannot write to stdout" if error.errno == errno.ENOSPC else "")
        return f"{place}: {error.strerror}" if place else error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    return f"not enough memory: {text}" if isinstance(error, MemoryError) else text


if __name__ == "__main__":
    sys.exit(main())
