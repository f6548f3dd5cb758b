"""The arguments of the `secagent` command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from secagent_env.support.version import __version__


class _Parser(argparse.ArgumentParser):
    """argparse, with its errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"secagent: error: {message} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses names its ``command``."""
    common = argparse.ArgumentParser(add_help=False)
    for flags, text in (
        (("-v", "--verbose"), "say more: a debug log on stderr"),
        (("-q", "--quiet"), "say less"),
    ):
        # SUPPRESS: so that the flag given before the command survives the command's own defaults.
        common.add_argument(*flags, action="store_true", default=argparse.SUPPRESS, help=text)
    parser = _Parser(
        prog="secagent",
        description="Secure, energy-efficient wireless agentic AI networks: compare, solve, train, sample, bench.",
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"secagent {__version__}")
    commands: Any = parser.add_subparsers(dest="command", metavar="command", title="commands")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        return sub

    sub = command("compare", "Compare solvers on random instances: a table, a CSV file and a picture.")
    _add_scenario(sub)
    sub.add_argument(
        "--solvers",
        nargs="+",
        metavar="NAME",
        help="names of solvers and trained agents, paths of agents, or either with options as in "
        "'asc(jamming=false, draws=9)' (default: exact, asc, ppo and l2o where they are there, randas)",
    )
    sub.add_argument("--instances", type=int, default=20, metavar="K", help="how many random instances (default: 20)")
    sub.add_argument("--seed", type=int, default=0, help="of the instances and the solvers (default: 0)")
    sub.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="results folder (default: results); a run that was interrupted resumes",
    )
    sub.add_argument("--max-seconds", type=float, metavar="S", help="stop each solve after about this time")
    sub.add_argument(
        "--csi-error",
        type=float,
        default=0.0,
        metavar="E",
        help="decide on estimates of the eavesdroppers' channels with this error variance, 0 ≤ E < 1, and judge "
        "on the true ones (default: 0)",
    )
    _add_sweep(sub)
    _add_plugin(sub)

    sub = command("reproduce", "Reproduce the paper's tables and figures, ours beside the printed numbers.")
    sub.add_argument(
        "experiments",
        nargs="+",
        metavar="EXPERIMENT",
        help="fig4, table2, table3, fig5, table4, table5; of the second paper genainet-table1, genainet-table2, "
        "genainet-fig7, genainet-fig8; knowledge-energy, which links the two; or all of them: all",
    )
    sub.add_argument(
        "--instances", type=int, default=100, metavar="K", help="networks, or games, of each setting (default: 100)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of the networks and the schemes (default: 0)")
    sub.add_argument(
        "--agents",
        nargs="*",
        metavar="NAME|RUN",
        help="trained agents, and folders of trainings, whose seeds make one row (default: those of `compare`)",
    )
    sub.add_argument(
        "--law",
        default="",
        metavar="OPTIONS",
        help='options of law, as in \'model="NAME", base_url="URL"\' (default: no language model)',
    )
    questions = sub.add_argument_group("experiments with questions: table5, genainet-table1, knowledge-energy")
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
    sub.add_argument(
        "--out",
        type=Path,
        default=Path("results", "reproduce"),
        metavar="DIR",
        help="results folder (default: results/reproduce); a run that was interrupted resumes",
    )
    _add_sweep(sub)

    sub = command("report", "Write a results folder as one HTML file, and its figures as PDF files.")
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="what compare and reproduce wrote to with --out")
    sub.add_argument("--out", type=Path, metavar="FILE", help="the HTML file (default: report.html in the folder)")
    sub.add_argument(
        "--runs",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="DIR",
        help="folders of trainings, or folders of such folders, for the learning curves",
    )
    _add_plugin(sub)

    sub = command("solve", "Solve one instance and print a summary.")
    sub.add_argument("instance", type=Path, help="a file that Instance.save or `secagent sample` wrote")
    sub.add_argument(
        "--solver", default="asc", metavar="NAME", help="a solver, or a trained agent's name or path (default: asc)"
    )
    sub.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="OPTION=VALUE", help="options of the solver"
    )
    sub.add_argument("--seed", type=int, default=0, help="of the solver (default: 0)")
    sub.add_argument("--max-seconds", type=float, metavar="S", help="stop after about this time with the best so far")
    sub.add_argument("--out", type=Path, metavar="FILE", help="write the decision as JSON")
    sub.add_argument("--plot", type=Path, metavar="FILE", help="draw the convergence: a .png, .pdf or .svg file")
    sub.add_argument("--transcript", action="store_true", help="show the conversation with the language model")
    sub.add_argument(
        "--dry-run", action="store_true", help="show the prompts and about what they cost, and send nothing"
    )
    _add_plugin(sub)

    sub = command("serve-standin", "Serve the stand-in for a language model as an OpenAI-compatible endpoint.")
    sub.add_argument("--port", type=int, default=8000, help="0 for any that is free (default: 8000)")
    sub.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1, this machine)")

    sub = command("train", "Train an agent; a training that was interrupted resumes.")
    sub.add_argument("algo", metavar="ALGO", help="ppo, a2c, sac, td3, tqc or l2o")
    _add_scenario(sub)
    sub.add_argument(
        "--env", choices=["allocation", "lifetime"], default="allocation", help="the environment (default: allocation)"
    )
    sub.add_argument("--steps", type=int, metavar="K", help="environment steps in all (default: as in the YAML file)")
    sub.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    sub.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: runs/ALGO-ENV-SCENARIO-SEED)")
    sub.add_argument("--policy", choices=["mlp", "equivariant"], help="the network (default: as in the YAML file)")
    sub.add_argument(
        "--set-hyper",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="change hyperparameters, as in --set-hyper learning_rate=1e-4 'learning_rate={start=1e-3, end=0}'",
    )
    sub.add_argument("--device", default="cpu", help="where torch computes, such as cuda (default: cpu)")
    sub.add_argument("--threads", type=int, default=1, metavar="K", help="threads of torch (default: 1)")

    sub = command("sample", "Draw a random instance and write it to a file.")
    _add_scenario(sub)
    sub.add_argument("--seed", type=int, default=0, help="default: 0")
    sub.add_argument(
        "--index",
        type=int,
        default=0,
        metavar="I",
        help="which instance of that seed, as `compare` counts them (default: 0)",
    )
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .npz file")

    sub = command("bench", "Measure speed: ratios within one run, medians of repeats.")
    sub.add_argument("--quick", action="store_true", help="fewer and smaller measurements")
    sub.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    return parser


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenario",
        default="paper",
        metavar="NAME|FILE",
        help="a preset, or a TOML file of fields (default: paper)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="change fields of the scenario, as in --set num_agents=50 'area_m=[0, 50]'",
    )


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, metavar="K", help="processes (default: one per core)")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="compute on the workers of this Dask scheduler, as in tcp://host:8786"
    )
    parser.add_argument("--fresh", action="store_true", help="compute everything anew")
    parser.add_argument("--retry-failed", action="store_true", help="compute again what failed")
    parser.add_argument(
        "--dry-run", action="store_true", help="count what is to be computed, estimate how long it takes, and stop"
    )


def _add_plugin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plugin",
        nargs="+",
        action="extend",
        default=[],
        metavar="MODULE",
        help="Python modules that register solvers of your own",
    )
