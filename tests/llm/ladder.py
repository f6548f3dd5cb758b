"""Each way to ask for structured output, put to a real server: what LAW gets with it.

    python tests/llm/ladder.py MODEL.gguf [--server llama-server] [--iterations 10] [--threads 1]

For each server and each rung of the ladder one line: the replies that were used, that failed for reasons of form (no
whole JSON object of the schema), whose proposals were feasible, and that improved the best example.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from secagent_env import sample_instance
from solvers import Solution
from solvers.law import LAW
from solvers.law.proposals import PROPOSALS
from solvers.llm import Malformed, parse
from solvers.llm.dialect import KNOWN, STRUCTURES, Dialect
from solvers.local_models import Load, LocalServer, find_server

SERVERS = ("llama-server", "llama_cpp.server")


@dataclass(frozen=True)
class Rung:
    """What became of the replies of one solve."""

    steps: int
    used: int
    malformed: int
    feasible: int
    improved: int
    requests: int
    adapted: str


def solve(law: LAW, scenario: str, seed: int, structure: int | None) -> Solution:
    """Solve a network with a way of asking, an index of ``STRUCTURES``; with None from the top of the ladder."""
    KNOWN.forget()
    if structure is not None:
        KNOWN.learn(law.base_url, law.model, Dialect(structure=structure))
    try:
        return law.solve(sample_instance(scenario, seed=seed), seed=0)
    finally:
        KNOWN.forget()


def rung_of(solution: Solution) -> Rung:
    """Return what became of the replies of a solve with one proposal in each step."""
    steps = solution.history
    return Rung(
        steps=len(steps),
        used=sum(step["verdict"] != "unusable" for step in steps),
        malformed=sum(is_malformed(step) for step in steps),
        feasible=sum(step["feasible"] for step in steps),
        improved=sum(step["verdict"] == "improved" for step in steps),
        requests=solution.usage["requests"],
        adapted="; ".join(solution.usage["adapted"]),
    )


def is_malformed(step: dict[str, Any]) -> bool:
    """Whether a step's reply is none for a reason of form: a fault, or no answer of the schema."""
    [(text, fault, _)] = step["replies"]
    if fault:
        return True
    try:
        parse(text, PROPOSALS[step["sub_problem"]])
    except Malformed:
        return True
    return False


def main() -> None:
    """Print a line for each server and rung."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, metavar="MODEL.gguf")
    parser.add_argument("--server", nargs="+", default=list(SERVERS))
    parser.add_argument("--scenario", default="small")
    parser.add_argument("--iterations", type=int, default=10, help="steps of each of the three sub-problems")
    parser.add_argument("--seed", type=int, default=7700)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--folder", type=Path, help="keep the transcripts here: an interrupted run goes on with them")
    args = parser.parse_args()
    print("| server | asked with | steps | used | malformed | feasible | improved |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in args.server:
        program = find_server(name)
        with LocalServer(program, args.path, "local", load=Load(context=8192, threads=args.threads)) as server:
            law = LAW(
                **{"model": "local", "base_url": server.base_url, "api_key": "none", "timeout_s": 1200.0},
                **{"concurrency": 1, "rounds": 1, "iterations": args.iterations},
            )
            for structure, way in enumerate(STRUCTURES):
                if args.folder is not None:
                    law = replace(law, transcript=args.folder / f"{program.name}-{args.scenario}-{structure}.jsonl")
                rung = rung_of(solve(law, args.scenario, args.seed, structure))
                way = f"{way}, sent: {rung.adapted or STRUCTURES[0]}"
                shares = (rung.steps, rung.used, rung.malformed, rung.feasible, rung.improved)
                print(f"| {program.name} | {way} | {' | '.join(map(str, shares))} |", flush=True)


if __name__ == "__main__":
    main()
