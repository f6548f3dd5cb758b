"""Experiments whose models' answers are recorded, or taken from a recording, so that anybody computes them anew.

``NAME.recording.xz`` lies beside the other files of an experiment. Those that the documentation's numbers are computed
from are shipped with the package, with their digests.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.experiments.groups import fields_of, read_groups
from eval.experiments.protocol import Compute, Experiment, run
from eval.sweep.answers import file_of, keeping, name_of, packed, replaying
from eval.sweep.cells import UNFINISHED, Cell
from eval.sweep.grid import families
from secagent_env.support.reading import read_bytes, read_text
from secagent_env.support.secrets import public
from solvers.recordings import Recording, read_recording, unpack, write_recording
from solvers.recordings.container import MAX_BYTES, RecordedReply

logger = logging.getLogger("secagent.reproduce")

SHIPPED = Path(__file__).parents[1] / "recordings"
"""The folder of the recordings that the documentation's numbers are computed from."""
SUMS = "SHA256SUMS"
ENDING, SCORES = ".recording.xz", ".scores.xz"
"""What the names of recordings end with: of replies, and of scores of answers (:mod:`solvers.answer_scores.files`)."""
ANSWERS = "answers"
"""The folder, in the results folder, in which cells keep the answers of models."""

KINDS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("instances", "seed", "questions"), lambda value: type(value) is int),
    "correlation": lambda value: isinstance(value, (int, float)),
    "law": lambda value: isinstance(value, str),
    "agents": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "groups": lambda value: isinstance(value, list) and all(isinstance(group, dict) for group in value),
}
"""The options of `secagent reproduce` that a recording tells, so that its replay needs none, and what they are."""

EXTENDED = ("instances", "questions")
"""The options in which a run may differ from one that it extends."""
HOW_ASKED = {"base_url", "timeout_s", "retries", "concurrency", "max_calls", "max_tokens", "max_cost", "prices"}
"""The fields of its groups in which it may, since no request depends on them."""


def run_recorded(
    experiment: Experiment, args: argparse.Namespace, given: Mapping[str, Any], progress: bool | None, **how: Any
) -> str:
    """Run an experiment, with recorded answers if --replay says so, and return its text; else record its models.

    ``given`` are the options of the run that its recording tells; ``how`` and the errors are those of
    :func:`eval.experiments.protocol.run`.

    Raises
    ------
    ValueError
        If there is nothing to replay, or the recorded run was another one.
    """
    out = Path(args.out)
    if args.replay is None:
        path, fresh = out / f"{experiment.name}{ENDING}", how.get("fresh", False)
        recorder = Recorder(out / ANSWERS, fresh, {} if fresh else answered(path, given))
        text = run(experiment, out, recorder.through, progress=progress, **how)
        recorder.write(path, experiment.name, public(shlex.join(["secagent", *args.argv])), given)
        return text
    place = place_of(args)
    own = experiment.replayed(place)
    if own is not None:
        return run(own, out, progress=progress, **how)
    player = Player(find(experiment.name, place))
    text = run(experiment, out, player.through, progress=progress, **how)
    if not player.cells:
        raise ValueError(f"{experiment.name} asks no language model with these options: leave out --replay")
    return text


def answered(path: Path, given: Mapping[str, Any]) -> Mapping[str, tuple[RecordedReply, ...]]:
    """Return the cells of a recording that a run with these options extends: another one only in ``EXTENDED``."""
    if not path.exists():
        return {}
    recording = read_recording(path)

    def rest(options: Mapping[str, Any]) -> dict[str, Any]:
        asked = [{name: each[name] for name in each if name not in HOW_ASKED} for each in options.get("groups", ())]
        return {**{name: value for name, value in options.items() if name not in EXTENDED}, "groups": asked}

    return recording.cells if rest(recording.options) == rest(given) else {}


def place_of(args: argparse.Namespace) -> Path | None:
    """Return the file or folder of --replay; None for the recordings that are shipped."""
    return Path(args.replay) if args.replay else None


def options(experiment: type[Experiment], args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the recorded run that --replay repeats, but for those that are given beside it.

    Raises ValueError or OSError if there is no such recording, or it tells something else.
    """
    if args.replay is None or experiment.replayed is not Experiment.replayed:
        return {}
    path = find(experiment.name, place_of(args))
    told = read_recording(path).options
    for name, value in told.items():
        if name not in KINDS or not KINDS[name](value):
            raise ValueError(f"{path} tells of an option {name} of secagent reproduce that cannot be: {value!r:.80}")
    return {name: value for name, value in told.items() if getattr(args, name, None) == args.usual(name)}


def told(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of an experiment's run that its recording tells; of groups the fields, without their file."""
    given = {name: getattr(args, name) for name in KINDS if getattr(args, name, None) is not None}
    if "groups" in given and not isinstance(given["groups"], list):
        given["groups"] = fields_of(read_groups(given["groups"]))
    return given


def find(name: str, place: Path | None, ending: str = ENDING) -> Path:
    """Return the recording of an experiment: a file, in a folder, or without a place the one that is shipped.

    Raises
    ------
    ValueError
        If there is none, or the shipped one is damaged.
    """
    folder = SHIPPED if place is None else place
    path = folder / f"{name}{ending}" if place is None or place.is_dir() else place
    if not path.is_file():
        what = f"no recording of {name} is shipped" if place is None else f"there is no recording {path}"
        raise ValueError(f"{what}: name one with --replay FILE, or record one by a run with a model")
    if place is None and hashlib.sha256(read_bytes(path, MAX_BYTES)).hexdigest() != sums().get(path.name):
        raise ValueError(f"{path} is damaged: its digest is not that of {SUMS}; install secagent-env anew")
    return path


def sums() -> dict[str, str]:
    """Return the SHA-256 of each shipped recording, in hexadecimal, by the name of its file."""
    lines = (line.split(maxsplit=1) for line in read_text(SHIPPED / SUMS).splitlines())
    return {name: value for value, name in lines}


class Player:
    """Computes cells with the answers of a recording in the place of their models.

    Attributes
    ----------
    cells
        The number of cells with recorded answers.
    """

    def __init__(self, path: Path) -> None:
        self.cells = 0
        self._path = path
        read_recording(path)

    def through(self, compute: Compute) -> Compute:
        """Return what computes cells, and raises ValueError if one asks what was not recorded."""

        def replayed(cells: Sequence[Cell]) -> Any:
            self.cells += len(paid(cells))
            frame = compute(replaying(cells, self._path))
            for error in frame["error"].dropna():
                if error.startswith("NotRecorded: "):
                    raise ValueError(error.removeprefix("NotRecorded: "))
            return frame

        return replayed


class Recorder:
    """Lets cells keep the answers of their models in a folder, and packs them; with ``fresh`` they ask anew.

    ``known`` are cells of a recording: their answers count as kept.
    """

    def __init__(self, folder: Path, fresh: bool, known: Mapping[str, tuple[RecordedReply, ...]]) -> None:
        self._folder, self._fresh, self._known = folder, fresh, known
        self._cells: list[Cell] = []
        self._lacking = 0

    def through(self, compute: Compute) -> Compute:
        """Return what computes cells."""

        def recorded(cells: Sequence[Cell]) -> Any:
            asking = paid(cells)
            if self._fresh:
                for cell in asking:
                    file_of(cell, self._folder).unlink(missing_ok=True)
            unpack(self._known, {name_of(cell): file_of(cell, self._folder) for cell in asking})
            frame = compute(keeping(cells, self._folder))
            self._cells += asking
            own = frame[frame["scheme"].isin({cell.scheme for cell in asking})]
            ended = own[UNFINISHED].eq(True) if UNFINISHED in own else False
            self._lacking += int((own["error"].notna() | ended).sum())
            return frame

        return recorded

    def write(self, path: Path, title: str, command: str, options: Mapping[str, Any]) -> None:
        """Write the recording of the cells; what is not complete is none, and told in the log."""
        if not self._cells:
            return
        cells = packed(self._cells, self._folder)
        lacking = self._lacking or len({name_of(cell) for cell in self._cells} - set(cells))
        if lacking:
            logger.info("%s is not written: %d cells lack answers of a model", path, lacking)
            return
        write_recording(path, Recording(command, title, options, cells))
        logger.info("wrote %s: %s --replay %s computes this anew without a model", path, "secagent reproduce", path)


def paid(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that ask a model which costs more than time."""
    if not any(cell.paid for cell, _ in families(cells)):
        return []
    return [cell for cell in cells if cell.paid]
