"""Instances in files: ``secagent sample`` draws one, ``secagent import`` makes them of channels that others wrote.

``secagent dataset`` writes whole episodes.
"""

from __future__ import annotations

import argparse
import logging
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eval.command.arguments import AddCommand, add_scenario, progress_of, scenario_names, scenario_of
from secagent_env.support.units import plural

if TYPE_CHECKING:
    from secagent_env import Instance

logger = logging.getLogger("secagent")

FORMATS = ("sionna", "deepmimo", "mat", "npz", "hdf5")
CHOSEN = ("frequency_hz", "subcarrier", "time", "tx", "rx_antenna", "total_subcarriers")


class Sample:
    """``secagent sample``: a random instance in a file."""

    @staticmethod
    def add_parser(command: AddCommand) -> None:
        """Add the parser."""
        parser = command("sample", "Draw a random instance and write it to a file.")
        add_scenario(parser)
        parser.add_argument("--seed", type=int, default=0, help="default: 0")
        parser.add_argument(
            "--index",
            type=int,
            default=0,
            metavar="I",
            help="which instance of that seed, as `compare` counts them (default: 0)",
        )
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .npz file")

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        """Draw the instance and write it."""
        from eval.compare.solving import instance_at
        from secagent_env.support.checks import integer
        from secagent_env.support.files import check_target

        for name in ("seed", "index"):
            integer(name, getattr(args, name))
        scenario = scenario_of(args)
        check_target(args.out)
        instance_at(scenario, args.seed, args.index).save(args.out)
        logger.info("wrote %s", args.out)


class Import:
    """``secagent import``: channels that others wrote, as instances."""

    @staticmethod
    def add_parser(command: AddCommand) -> None:
        """Add the parser."""
        parser = command("import", "Make instances of channels from Sionna, DeepMIMO, MATLAB or other files.")
        parser.add_argument("file", type=Path, metavar="FILE", help="a .npz, .mat (version 5 or 7.3) or HDF5 file")
        parser.add_argument(
            "--as",
            dest="kind",
            choices=FORMATS,
            required=True,
            help="whose axes the arrays have: Sionna's (h, or a and tau), DeepMIMO's (channel, rx_pos, tx_pos), or "
            "your own (mat, npz, hdf5), as --axes says",
        )
        add_scenario(parser)
        parser.add_argument(
            "--array",
            nargs="+",
            action="extend",
            default=[],
            metavar="NAME=VARIABLE",
            help="how the file calls an array, as in --array channel_bs=H channel_eve=G (default: by its own name)",
        )
        parser.add_argument(
            "--axes",
            nargs="+",
            action="extend",
            default=[],
            metavar="NAME=LETTERS",
            help="axes of channel_bs and channel_eve of your own: b instances, n receivers, l antennas, r receive "
            "antennas, t times, f carriers, as in --axes channel_bs=lnb",
        )
        parser.add_argument(
            "--convention", choices=["Hw", "hHw"], help="of your own channels: the received signal is H w, or hᴴ w"
        )
        parser.add_argument(
            "--gains", choices=["power", "amplitude", "dB"], help="what gain_agents and gain_eve of your own are"
        )
        parser.add_argument(
            "--draw",
            type=int,
            metavar="K",
            help="draw K groups of agents and eavesdroppers among the receivers (default: one, the first of them)",
        )
        parser.add_argument("--frequency-hz", type=float, metavar="F", help="of path coefficients: beside the carrier")
        parser.add_argument("--subcarrier", type=int, metavar="I", help="which frequency, where there are several")
        parser.add_argument("--time", type=int, metavar="I", help="which time sample, where there are several")
        parser.add_argument("--tx", type=int, metavar="I", help="which transmitter, where there are several")
        parser.add_argument("--rx-antenna", type=int, metavar="I", help="which antenna of receivers that have several")
        parser.add_argument("--total-subcarriers", type=int, metavar="K", help="of DeepMIMO: OFDM subcarriers in all")
        parser.add_argument(
            "--scale-db",
            type=float,
            default=0.0,
            metavar="DB",
            help="mean path gain of normalised ones (default: 0)",
        )
        parser.add_argument(
            "--complete",
            choices=["scenario"],
            help="where positions are missing: draw gains between devices at places of the scenario",
        )
        parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
        parser.add_argument(
            "--out",
            type=Path,
            required=True,
            metavar="OUT",
            help="a .npz file; or a folder, which is mapped into memory where it is used",
        )

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        """Import the file, and write the instances."""
        import warnings

        from secagent_env import Instance
        from secagent_env.channels.importing import Recipe, imported
        from secagent_env.support.files import check_target

        single = args.out.suffix == ".npz"
        if single:
            check_target(args.out)
        elif args.out.is_file():
            raise ValueError(f"--out must be a .npz file or a new folder, and {args.out} is a file")
        given = {name: getattr(args, name) for name in CHOSEN}
        recipe = Recipe(
            kind=args.kind,
            names=_pairs(args.array, "--array"),
            axes=_pairs(args.axes, "--axes"),
            convention=args.convention,
            gains=args.gains,
            draw=args.draw,
            chosen={name: value for name, value in given.items() if value is not None},
            scale_db=args.scale_db,
            complete=args.complete,
            seed=args.seed,
        )
        scenario = scenario_of(args)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if single:
                (whole,) = imported(args.file, scenario, recipe, part=None)
                whole.save(args.out)
            else:
                Instance.save_folder(args.out, imported(args.file, scenario, recipe))
        for sentence in dict.fromkeys(str(warning.message) for warning in caught):
            logger.warning("%s", sentence)
        _tell(Instance.load(args.out), args.out)


class Dataset:
    """``secagent dataset``: episodes of solvers, agents and random actions, for offline reinforcement learning."""

    @staticmethod
    def add_parser(command: AddCommand) -> None:
        """Add the parser."""
        parser = command("dataset", "Write episodes for offline reinforcement learning, in Minari's format.")
        parser.add_argument(
            "policies",
            nargs="+",
            metavar="POLICY",
            help="names of solvers and trained agents, with options in brackets, or random; a data set of each",
        )
        add_scenario(parser)
        parser.add_argument(
            "--env",
            choices=["allocation", "guided"],
            default="allocation",
            help="the environment, secagent/Allocation-v0 or secagent/AllocationGuided-v0 (default: allocation)",
        )
        parser.add_argument("--episodes", type=int, default=1000, metavar="K", help="of each data set (default: 1000)")
        parser.add_argument(
            "--seed", type=int, default=0, help="network i is that of reset(seed=SEED + i) (default: 0)"
        )
        parser.add_argument("--max-seconds", type=float, metavar="S", help="stop each decision after about this time")
        parser.add_argument(
            "--out", type=Path, metavar="DIR", help="Minari's folder (default: the one it finds itself)"
        )

    @staticmethod
    def run(args: argparse.Namespace) -> None:
        """Play, write the data sets, and say what they hold."""
        from eval.offline.episodes import record
        from eval.stats.formatting import tabulated

        [name] = scenario_names(args)
        written = record(
            args.policies,
            scenario_of(args),
            Path(name).stem,
            environment=args.env,
            episodes=args.episodes,
            seed=args.seed,
            max_seconds=args.max_seconds,
            out=args.out,
            command=shlex.join(["secagent", *args.argv]),
            progress=progress_of(args),
        )
        lines = [[one.dataset, str(one.episodes), f"{one.feasible:.1%}", f"{one.mean_reward:.4g}"] for one in written]
        print(tabulated(lines, ["data set", "episodes", "feasible", "mean reward"]))


def _tell(made: Instance, out: Path) -> None:
    """Print what was made, and which of it was not in the file."""
    count = math.prod(made.batch_shape)
    scenario = made.scenario
    print(
        f"{plural(count, 'instance')} in {out}: {plural(scenario.num_agents, 'agent')}, "
        f"{plural(scenario.num_antennas, 'antenna')}, {plural(scenario.num_eavesdroppers, 'eavesdropper')}"
    )
    said = {"given": "from the file", "derived": "derived from the positions", "drawn": "drawn from the scenario"}
    for word, text in said.items():
        names = [name for name, found in (made.origin or {}).items() if found == word]
        if names:
            print(f"{text}: {', '.join(names)}")


def _pairs(items: Sequence[str], option: str) -> dict[str, str]:
    """Return the texts by name in ``option name=text …``."""
    pairs = [item.partition("=") for item in items]
    for (name, equals, text), item in zip(pairs, items, strict=True):
        if not (name and equals and text):
            raise ValueError(f"{option} needs NAME=VALUE, got {item!r:.80}")
    return {name: text for name, _, text in pairs}
