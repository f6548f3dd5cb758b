"""``secagent serve-standin``: the stand-in for a language model behind an endpoint."""

from __future__ import annotations

import argparse
import logging

from eval.command.arguments import AddCommand

logger = logging.getLogger("secagent")


def add_parser(command: AddCommand) -> None:
    """Add the parser."""
    parser = command("serve-standin", "Serve the stand-in for a language model as an OpenAI-compatible endpoint.")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free (default: 8000)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on (default: 127.0.0.1, this machine alone; 0.0.0.0 is everywhere)",
    )


def run(args: argparse.Namespace) -> None:
    """Answer requests until interrupted."""
    from secagent_env.support.checks import integer
    from solvers import standins
    from solvers.llm.chat import STANDIN_MODEL
    from solvers.llm.server import StandinServer

    server = StandinServer(standins.reply, integer("port", args.port, 0, 2**16 - 1), args.host)
    print(f"the stand-in, no language model, answers at {server.base_url}; Ctrl-C ends it")
    print(
        f"secagent solve FILE --solver law --set 'model=\"{STANDIN_MODEL}\"' 'base_url=\"{server.base_url}\"'",
        flush=True,
    )
    if server.public:
        logger.warning("everybody who reaches this machine can ask the stand-in: --host 127.0.0.1 is for it alone")
    server.serve_forever()
