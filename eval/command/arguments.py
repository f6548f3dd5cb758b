"""The arguments that several commands share, and what is read from them."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from secagent_env.support.secrets import public

if TYPE_CHECKING:
    from secagent_env import Scenario


class Parser(argparse.ArgumentParser):
    """argparse, with its errors in one line, and with arguments that ``prepare`` adds when they are needed."""

    prepare: Callable[[Parser, Sequence[str]], None] | None = None

    def error(self, message: str) -> NoReturn:
        """Print the error in one line, and exit with status 2."""
        self.exit(2, f"secagent: error: {public(message)} (see {self.prog} --help)\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments, after they have been prepared for."""
        if self.prepare is not None:
            self.prepare(self, list(sys.argv[1:] if args is None else args))
        return super().parse_known_args(args, namespace)


AddCommand = Callable[[str, str], Parser]
"""Adds the parser of a command, of which it is given the name and the help in one sentence."""


def common_flags() -> argparse.ArgumentParser:
    """Return the parent of every parser: the flags that go before or after a command."""
    common = argparse.ArgumentParser(add_help=False)
    for flags, text in (
        (("-v", "--verbose"), "say more: a debug log on stderr"),
        (("-q", "--quiet"), "say less"),
    ):
        # SUPPRESS: so that the flag given before the command survives the command's own defaults.
        common.add_argument(*flags, action="store_true", default=argparse.SUPPRESS, help=text)
    return common


def add_scenario(parser: argparse.ArgumentParser, repeated: str = "") -> None:
    """Add the options that :func:`scenario_of` reads; those of several scenarios where ``repeated`` says what for."""
    taken: dict[str, Any] = {"action": "append"} if repeated else {"default": "paper"}
    parser.add_argument(
        "--scenario",
        **taken,
        metavar="NAME|FILE",
        help=f"a preset, or a TOML file of fields (default: paper){repeated and '; '}{repeated}",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="change fields of the scenario, as in --set num_agents=50 'area_m=[0, 50]'",
    )


def scenario_of(args: argparse.Namespace) -> Scenario:
    """Return the scenario that --scenario and --set describe: a preset, or a TOML file of fields."""
    from eval.scenarios import named_scenario

    return named_scenario(args.scenario, **assignments(args.set))


def add_instances_file(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the option of a file of instances; ``text`` says what they are for."""
    parser.add_argument(
        "--instances-file",
        type=Path,
        metavar="FILE",
        help=f"{text}: a file or folder that Instance.save or `secagent import` wrote, with its scenario",
    )


def scenario_names(args: argparse.Namespace) -> list[str]:
    """Return what was given for --scenario: one name, or several where it may be repeated."""
    return [args.scenario] if isinstance(args.scenario, str) else args.scenario or ["paper"]


def scenario_or_file(args: argparse.Namespace) -> Scenario:
    """Return the scenario of --instances-file, or the one that --scenario and --set describe."""
    return scenarios_or_file(args)[0]


def scenarios_or_file(args: argparse.Namespace) -> list[Scenario]:
    """Return the scenario of --instances-file, or those that --scenario and --set describe."""
    from eval.scenarios import named_scenario

    names = scenario_names(args)
    if args.instances_file is None:
        overrides = assignments(args.set)
        return [named_scenario(name, **overrides) for name in names]
    if names != ["paper"] or args.set:
        raise ValueError(
            "--instances-file brings its own scenario: leave --scenario and --set out, or give them to "
            "`secagent import`"
        )
    from secagent_env import Instance

    return [Instance.load(args.instances_file).scenario]


def add_out(parser: argparse.ArgumentParser, folder: Path) -> None:
    """Add the option of the folder of a sweep; ``folder`` is the default one."""
    text = f"results folder (default: {folder}); a run that was interrupted resumes"
    parser.add_argument("--out", type=Path, default=folder, metavar="DIR", help=text)


def add_sweep(parser: argparse.ArgumentParser, workers: str = "one per core") -> None:
    """Add the options of a sweep; ``workers`` is the default number in words."""
    parser.add_argument("--workers", type=int, metavar="K", help=f"processes (default: {workers})")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="compute on the workers of this Dask scheduler, as in tcp://host:8786"
    )
    parser.add_argument("--fresh", action="store_true", help="compute everything anew")
    parser.add_argument("--retry-failed", action="store_true", help="compute again what failed")
    parser.add_argument(
        "--dry-run", action="store_true", help="count what is to be computed, estimate how long it takes, and stop"
    )


def sweep_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of :func:`eval.sweep.plan.plan`, and of ``run_sweep`` but for its progress bar."""
    return {
        "workers": args.workers,
        "scheduler": args.scheduler,
        "fresh": args.fresh,
        "retry_failed": args.retry_failed,
    }


def progress_of(args: argparse.Namespace) -> bool | None:
    """Return whether a progress bar is shown: never with --quiet, else on a terminal only."""
    return False if args.quiet else None


def how_to_resume(args: argparse.Namespace) -> str:
    """Return how a sweep that was interrupted goes on."""
    command = "the same command" + " without --fresh" * args.fresh
    return f"; {command} resumes the run, finished rows are kept in {args.out}"


def add_plugin(parser: argparse.ArgumentParser) -> None:
    """Add the option whose modules :func:`plug_in` imports."""
    parser.add_argument(
        "--plugin",
        nargs="+",
        action="extend",
        default=[],
        metavar="MODULE",
        help="Python modules that register solvers or path losses of your own",
    )


def plug_in(modules: Sequence[str]) -> None:
    """Import the user's modules, which register their solvers; the working directory is searched too."""
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        if not all(part.isidentifier() for part in module.split(".")):
            raise ValueError(f"--plugin takes the name of a Python module, as in package.module, got {module!r:.80}")
        try:
            importlib.import_module(module)
        except ImportError:
            raise
        except Exception as error:
            raise ImportError(f"--plugin {module} cannot be imported ({type(error).__name__}: {error})") from error


def assignments(items: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Return the values by name in ``--set name=value …``; values are TOML's.

    Raises ValueError if an item has no name or no value, or the value is not one of TOML's.
    """
    from secagent_env.support.reading import parse_toml

    values = {}
    for item in items:
        name, equals, text = item.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(f"{option} needs name=value, got {item!r}")
        try:
            parsed = parse_toml(f"value = {text}")
        except ValueError:
            parsed = {}
        if set(parsed) != {"value"}:
            got = "" if "key" in name or "url" in name else f", got {text!r:.80}"  # they may hold a secret
            raise ValueError(
                f'{option} {name} needs a value as in TOML (a number, true, false, [low, high] or "text"){got}'
            )
        values[name] = parsed["value"]
    return values
