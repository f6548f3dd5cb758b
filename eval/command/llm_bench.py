"""``secagent llm-bench``: language models as optimisers, on frozen networks with certified bounds."""

from __future__ import annotations

import argparse
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.command.arguments import AddCommand, add_out, add_sweep, progress_of, sweep_options
from secagent_env.support.secrets import public

if TYPE_CHECKING:
    from eval.studies.llm_bench.bench import LLMBench
    from eval.studies.llm_bench.recording import Book

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser, which adds the options of the benchmark when it is named."""
    parser = command("llm-bench", "Compare language models as optimisers, on frozen networks with certified bounds.")
    parser.prepare = _prepare


def _prepare(parser: argparse.ArgumentParser, _: Any) -> None:
    from eval.studies.llm_bench.bench import LLMBench
    from eval.studies.llm_bench.recording import REPLY_TOKENS
    from solvers.llm.options import ChatOptions

    parser.prepare = None  # type: ignore[attr-defined]
    model = parser.add_argument_group("the model")
    model.add_argument("--model", metavar="NAME", help="a model to record (default: none, show what is recorded)")
    model.add_argument("--base-url", metavar="URL", help="of its endpoint (default: that of OPENAI_BASE_URL)")
    for name, kind, default, text in (
        ("temperature", float, ChatOptions.temperature, "of the sampling"),
        ("reply-tokens", int, REPLY_TOKENS, "the most tokens of a reply"),
        ("timeout", float, 600.0, "the longest wait for a reply, s"),
        ("slots", int, 1, "the solves at a time"),
        ("tokens-per-second", float, None, "that the model reads, for the estimate; else a first call measures it"),
    ):
        told = text if default is None else f"{text} (default: {default:g})"
        model.add_argument(f"--{name}", type=kind, default=default, metavar="X", help=told)
    LLMBench.add_arguments(parser)
    add_out(parser, Path("results", "llm-bench"))
    add_sweep(parser)


def run(args: argparse.Namespace) -> None:
    """Record what is missing of a model, and report on all that are recorded."""
    from eval.experiments import protocol
    from eval.experiments.options import options_of
    from eval.studies.llm_bench.bench import LLMBench
    from eval.studies.llm_bench.recording import Asked, Book

    bench = LLMBench(**options_of(LLMBench, args))
    if args.model is not None:
        if bench.replay is not None:
            raise ValueError("--model asks a model, and --replay none: give one of them")
        asked = Asked(args.model, bench.protocol, args.temperature, args.reply_tokens)
        _record(args, bench, Book(args.out, asked, args.fresh))
    if args.dry_run:
        return
    text = protocol.run(bench.beside(args.out), args.out, **sweep_options(args), progress=progress_of(args))
    print(text, end="")
    logger.info("wrote %s.md, and its rows and pictures beside it, in %s", bench.name, args.out)


def _record(args: argparse.Namespace, bench: LLMBench, book: Book) -> None:
    from eval.compare.comparison import sweep_of
    from eval.studies.llm_bench.estimate import estimate
    from eval.sweep.cells import UNFINISHED
    from eval.sweep.engine import run_sweep

    book.check()
    endpoint = {"base_url": args.base_url, "timeout_s": args.timeout}
    tasks = bench.tasks()
    if not args.dry_run:
        book.open(tasks)
    print(estimate(book, tasks, endpoint, args.tokens_per_second, args.slots, ask=not args.dry_run), flush=True)
    if args.dry_run:
        return
    how = {"workers": args.slots, "fresh": args.fresh, "retry_failed": True, "progress": progress_of(args)}
    try:
        frame = run_sweep(sweep_of(book.cells(tasks, endpoint)), args.out, **how)
    finally:
        book.pack(public(shlex.join(["secagent", *args.argv])))
    lacking = frame["error"].notna() | (frame[UNFINISHED].eq(True) if UNFINISHED in frame else False)
    if lacking.any():
        first = frame[lacking].iloc[0]
        told = first["message"] if first["error"] is None else first["error"]
        logger.warning(
            "%d of %d solves did not end, the first with: %s; the same command goes on", lacking.sum(), len(frame), told
        )
