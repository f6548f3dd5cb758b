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
from typing import TYPE_CHECKING, Any

from eval import one_blas_thread
from eval.command.arguments import make_parser

if TYPE_CHECKING:
    from secagent_env import Scenario

logger = logging.getLogger("secagent")

EXPECTED = (ValueError, OSError, ImportError, MemoryError, OverflowError)
"""What is told in one sentence. Anything else is a fault in secagent, and its traceback is wanted."""

SWEEPS = ("compare", "reproduce")
"""Commands that resume what was interrupted, and whose tables tell of failures."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (by default this process's) and return the exit status."""
    with one_blas_thread():  # before the first import of NumPy
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    parser = make_parser()
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
    level = logger.level  # as it was, for whoever calls this from a program
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if args.quiet else logging.INFO)
    if args.command in SWEEPS and not verbose:  # their tables tell which solvers failed, and why
        handler.addFilter(lambda record: record.name != "secagent.solvers")
    try:
        COMMANDS[args.command](args)
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
        logger.setLevel(level)


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
    from eval.compare.comparison import CSV, DEFAULT_SOLVERS, PICTURE, TABLE, Comparison, parse_solvers, run
    from eval.sweep.engine import plan

    comparison = Comparison(
        scenario=_scenario(args),
        solvers=parse_solvers(args.solvers or DEFAULT_SOLVERS),
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
    from eval.experiments.catalogue import reproduce

    how = {name: getattr(args, name) for name in ("workers", "scheduler", "fresh", "retry_failed")}
    reproduce(args, progress=False if args.quiet else None, **how)


def _report(args: argparse.Namespace) -> None:
    _plug_in(args.plugin)
    from eval.report import write_report

    path = write_report(args.folder, args.out, args.runs)
    logger.info("wrote %s, and figures for papers in %s", path, path.parent / "figures")


def _solve(args: argparse.Namespace) -> None:
    _plug_in(args.plugin)
    from eval.compare.lineup import make
    from eval.compare.solution_summary import summary
    from secagent_env import Instance

    if args.plot is not None:
        from eval.compare.convergence import NothingToDraw, check_picture, save_convergence

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
        from eval.compare.conversation import dry_run

        print(dry_run(solver, instance, args.seed))
        return
    solution = solver.solve(instance, seed=args.seed, max_seconds=args.max_seconds)
    print(summary(solution))
    if args.transcript:
        from eval.compare.conversation import conversation

        print(conversation(solution))
    if args.out is not None:
        from eval.compare.decisions import save_decision

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
    from training.learn.learner import Task, learner_class
    from training.learn.settings import load_settings

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
    from training.learn.train import train

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
    from eval.compare.solving import instance_at

    for name in ("seed", "index"):
        if getattr(args, name) < 0:
            raise ValueError(f"{name} must be an integer ≥ 0, got {getattr(args, name)}")
    scenario = _scenario(args)
    _check_writable(args.out)
    instance_at(scenario, args.seed, args.index).save(args.out)
    logger.info("wrote %s", args.out)


def _bench(args: argparse.Namespace) -> None:
    from eval.bench.benchmark import measure, report

    if args.out is not None:
        _check_writable(args.out)
    results = measure(quick=args.quick, progress=logger.info)
    print(report(results))
    if args.out is not None:
        import json

        from secagent_env.support.files import write_text

        write_text(args.out, json.dumps(results, indent=2) + "\n")
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


COMMANDS = {
    "compare": _compare,
    "reproduce": _reproduce,
    "report": _report,
    "solve": _solve,
    "serve-standin": _serve_standin,
    "train": _train,
    "sample": _sample,
    "bench": _bench,
}
"""What each command runs."""


if __name__ == "__main__":
    sys.exit(main())
