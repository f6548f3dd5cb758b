"""The `secagent` command: reads the command line, and turns every expected error into one sentence.

Exit status: 0 done, 2 an error of the user's input or of the system, 130 interrupted. Each command imports
what it needs, so that `secagent sample`, for one, needs no optional dependency.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import shlex
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from eval import one_blas_thread

if TYPE_CHECKING:
    from secagent_env import Scenario

logger = logging.getLogger("secagent")

EXPECTED = (ValueError, OSError, ImportError, MemoryError, OverflowError)
"""What is told in one sentence. Anything else is a fault in secagent, and its traceback is wanted."""

SWEEPS = ("compare", "reproduce")
"""Commands that resume what was interrupted, and whose tables tell of failures."""


class _Parser(argparse.ArgumentParser):
    """argparse, with its errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"secagent: error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (by default this process's) and return the exit status."""
    with one_blas_thread():  # before the first import of NumPy
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as done:  # --help, --version, or an error that has been told
        return int(done.code or 0)
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    args.argv = sys.argv[1:] if argv is None else list(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("secagent: %(message)s"))
    logger.addHandler(handler)
    verbose, args.quiet = getattr(args, "verbose", False), getattr(args, "quiet", False)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if args.quiet else logging.INFO)
    if args.command in SWEEPS and not verbose:  # their tables tell which solvers failed, and why
        handler.addFilter(lambda record: record.name != "secagent.solvers")
    try:
        args.run(args)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:  # the reader of our output has gone, as in `secagent … | head`: not worth a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"secagent: interrupted{_how_to_resume(args)}", file=sys.stderr)
        return 130
    except EXPECTED as error:
        logger.debug("the error in full", exc_info=True)
        print(f"secagent: error: {_sentence(error)}", file=sys.stderr)
        return 2
    finally:
        logger.removeHandler(handler)


def _how_to_resume(args: argparse.Namespace) -> str:
    if args.command == "serve-standin":
        return ": the stand-in no longer answers"
    if args.command == "train":
        return f"; the same command resumes the training from its last checkpoint in {args.out}"
    if args.command not in SWEEPS:
        return ""
    command = "the same command" + " without --fresh" * args.fresh
    return f"; {command} resumes the run, finished rows are kept in {args.out}"


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    return f"not enough memory: {text}" if isinstance(error, MemoryError) else text


# --- the commands -------------------------------------------------------------------------------------------


def _compare(args: argparse.Namespace) -> None:
    _plug_in(args.plugin)
    from eval.compare import CSV, DEFAULT_SOLVERS, PICTURE, TABLE, Comparison, labelled, run
    from eval.sweep import plan

    comparison = Comparison(
        scenario=_scenario(args),
        solvers=labelled(args.solvers or DEFAULT_SOLVERS),
        instances=args.instances,
        seed=args.seed,
        max_seconds=args.max_seconds,
        csi_error=args.csi_error,
    )
    where = {"workers": args.workers, "scheduler": args.scheduler}
    which = {"fresh": args.fresh, "retry_failed": args.retry_failed}
    if args.dry_run:
        print(plan(comparison.sweep(), args.out, **where, **which))
        return
    run(comparison, args.out, **where, **which, progress=False if args.quiet else None)
    print((args.out / TABLE).read_text(encoding="utf-8"), end="")
    logger.info("wrote %s, %s and %s in %s", TABLE, CSV, PICTURE, args.out)


def _reproduce(args: argparse.Namespace) -> None:
    from eval.reproduce import WHOLE, Reproduction, run
    from eval.sweep import plan

    talking, first = _of_both_papers(args.experiments)
    given = {} if args.agents is None else {"agents": tuple(args.agents)}
    checked = {"instances": args.instances, "seed": args.seed, "law": args.law, **given}
    reproduction = Reproduction(first or ("all",), **checked)
    if talking and not args.dry_run:
        from eval.genainet import reproduce

        print(reproduce(talking, args.instances, args.out))
    if not first:
        return
    where = {"workers": args.workers, "scheduler": args.scheduler}
    which = {"fresh": args.fresh, "retry_failed": args.retry_failed}
    if args.dry_run:
        print(plan(reproduction.sweep(), args.out, **where, **which))
        return
    print(run(reproduction, args.out, **where, **which, progress=False if args.quiet else None), end="")
    logger.info("wrote %s, and tables, figures and rows beside it, in %s", WHOLE, args.out)


def _of_both_papers(experiments: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which of the experiments are the second paper's, and which are left for the first."""
    from eval.genainet import EXPERIMENTS

    second = EXPERIMENTS if "all" in experiments else [name for name in EXPERIMENTS if name in experiments]
    return tuple(second), tuple(name for name in experiments if name not in EXPERIMENTS)


def _report(args: argparse.Namespace) -> None:
    _plug_in(args.plugin)
    from eval.report import write_report

    path = write_report(args.folder, args.out, args.runs)
    logger.info("wrote %s, and figures for papers in %s", path, path.parent / "figures")


def _solve(args: argparse.Namespace) -> None:
    _plug_in(args.plugin)
    from eval.agents import make
    from eval.table import summary
    from secagent_env import Instance

    if args.plot is not None:
        from eval.convergence import NothingToDraw, check_picture, save_convergence

        check_picture(args.plot)
    for path in (args.out, args.plot):
        if path is not None:
            _check_writable(path)
    options = _assignments(args.set)
    solver = make(args.solver, **options)
    if args.transcript or args.dry_run:
        from solvers.llm import ChatOptions

        if not isinstance(solver, ChatOptions):
            raise ValueError(f"{args.solver} asks no language model: there is no conversation to show or to rehearse")
    instance = Instance.load(args.instance)
    if args.dry_run:
        from eval.conversation import dry_run

        print(dry_run(solver, instance, args.seed))
        return
    solution = solver.solve(instance, seed=args.seed, max_seconds=args.max_seconds)
    print(summary(solution))
    if args.transcript:
        from eval.conversation import conversation

        print(conversation(solution))
    if args.out is not None:
        from eval.decisions import save_decision

        save_decision(args.out, solution, options=options)
        logger.info("wrote %s", args.out)
    if args.plot is not None:
        try:
            save_convergence(solution, args.plot)
            logger.info("wrote %s", args.plot)
        except NothingToDraw as reason:
            logger.warning("%s, so %s is not written", reason, args.plot)


def _serve_standin(args: argparse.Namespace) -> None:
    from solvers import standins
    from solvers.llm.chat import STANDIN_MODEL
    from solvers.llm.server import serve

    if not 0 <= args.port < 2**16:
        raise ValueError(f"port must be from 0 to 65535, got {args.port}")
    server = serve(standins.reply, args.port, args.host)
    print(f"the stand-in, no language model, answers at {server.base_url}; Ctrl-C ends it")
    print(
        f"secagent solve FILE --solver law --set 'model=\"{STANDIN_MODEL}\"' 'base_url=\"{server.base_url}\"'",
        flush=True,
    )
    server.serve_forever()


def _train(args: argparse.Namespace) -> None:
    from training.learner import Task, learner_class
    from training.settings import load_settings

    scenario = _scenario(args)
    if args.out is None:
        args.out = Path("runs", f"{args.algo}-{args.env}-{Path(args.scenario).stem}-{args.seed}")
    given = {"steps": args.steps, "policy": args.policy}
    overrides = _assignments(args.set_hyper, "--set-hyper")
    settings = load_settings(
        args.algo,
        environment=args.env,
        preset=args.scenario,
        arguments=learner_class(args.algo).arguments(args.algo),
        overrides={**overrides, **{name: value for name, value in given.items() if value is not None}},
    )
    task = Task(algo=args.algo, environment=args.env, scenario=scenario, settings=settings, seed=args.seed)
    from training.train import train

    best = train(
        task,
        args.out,
        device=args.device,
        threads=args.threads,
        command=shlex.join(["secagent", *args.argv]),
        progress=False if args.quiet else None,
    )
    figures = ", ".join(
        f"{name} {best[name]:.4g}" for name in ("feasible", "gap", "score") if best.get(name) is not None
    )
    print(f"best after {best['steps']} steps: {figures}")
    logger.info("wrote policy.onnx in %s", args.out)


def _sample(args: argparse.Namespace) -> None:
    from eval.compare import instance_at

    for name in ("seed", "index"):
        if getattr(args, name) < 0:
            raise ValueError(f"{name} must be an integer ≥ 0, got {getattr(args, name)}")
    scenario = _scenario(args)
    _check_writable(args.out)
    instance_at(scenario, args.seed, args.index).save(args.out)
    logger.info("wrote %s", args.out)


def _bench(args: argparse.Namespace) -> None:
    from eval.bench import measure, report

    if args.out is not None:
        _check_writable(args.out)
    results = measure(quick=args.quick, progress=logger.info)
    print(report(results))
    if args.out is not None:
        import json

        from eval.rows import write_whole

        write_whole(args.out, json.dumps(results, indent=2) + "\n")
        logger.info("wrote %s", args.out)


# --- arguments ----------------------------------------------------------------------------------------------


def _scenario(args: argparse.Namespace) -> Scenario:
    """Return the scenario that --scenario and --set describe: a preset, or a TOML file of fields."""
    from secagent_env import Scenario

    overrides = _assignments(args.set)
    if args.scenario.endswith(".toml") or os.sep in args.scenario:
        return Scenario.from_toml(args.scenario).replace(**overrides)
    return Scenario.preset(args.scenario, **overrides)


def _assignments(items: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Return what ``--set name=value …`` sets; values are TOML's."""
    values = {}
    for item in items:
        name, equals, text = item.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(f"{option} needs name=value, got {item!r}")
        try:
            parsed = tomllib.loads(f"value = {text}")
        except tomllib.TOMLDecodeError:
            parsed = {}
        if set(parsed) != {"value"}:
            raise ValueError(
                f'{option} {name} needs a value as in TOML (a number, true, false, [low, high] or "text"), got {text!r}'
            )
        values[name] = parsed["value"]
    return values


def _plug_in(modules: Sequence[str]) -> None:
    """Import the user's modules, which register their solvers; the working directory is searched too."""
    import importlib

    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        importlib.import_module(module)


def _check_writable(path: Path) -> None:
    """Raise OSError for a file that could not be written, before the work is done."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


def _parser() -> argparse.ArgumentParser:
    from secagent_env._version import __version__

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

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        sub.set_defaults(run=run)
        return sub

    sub = command("compare", _compare, "Compare solvers on random instances: a table, a CSV file and a picture.")
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

    sub = command("reproduce", _reproduce, "Reproduce the paper's tables and figures, ours beside the printed numbers.")
    sub.add_argument(
        "experiments",
        nargs="+",
        metavar="EXPERIMENT",
        help="fig4, table2, table3, fig5, table4; of the second paper genainet-table2, genainet-fig7, genainet-fig8; "
        "or all of them: all",
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
    sub.add_argument(
        "--out",
        type=Path,
        default=Path("results", "reproduce"),
        metavar="DIR",
        help="results folder (default: results/reproduce); a run that was interrupted resumes",
    )
    _add_sweep(sub)

    sub = command("report", _report, "Write a results folder as one HTML file, and its figures as PDF files.")
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

    sub = command("solve", _solve, "Solve one instance and print a summary.")
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

    sub = command(
        "serve-standin", _serve_standin, "Serve the stand-in for a language model as an OpenAI-compatible endpoint."
    )
    sub.add_argument("--port", type=int, default=8000, help="0 for any that is free (default: 8000)")
    sub.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1, this machine)")

    sub = command("train", _train, "Train an agent; a training that was interrupted resumes.")
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

    sub = command("sample", _sample, "Draw a random instance and write it to a file.")
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

    sub = command("bench", _bench, "Measure speed: ratios within one run, medians of repeats.")
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


if __name__ == "__main__":
    sys.exit(main())
