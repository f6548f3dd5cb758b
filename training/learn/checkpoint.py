"""Checkpoints: a folder of tensors, numbers and arrays, written whole or not at all, and read without pickle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from secagent_env.support.digests import DIGEST, sealed, verified
from secagent_env.support.files import whole_file, write_text
from secagent_env.support.reading import open_arrays, parse_json, read_bytes
from training.learn.learner import State
from training.learn.run_folder import BEST

_TENSORS, _NUMBERS, _ARRAYS = "parameters.pt", "counters.json", "replay.npz"
_FILES = (_TENSORS, BEST, _ARRAYS)
_BROKEN = (ValueError, KeyError, TypeError, EOFError, RuntimeError, UnpicklingError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Checkpoint:
    """A training between two segments.

    Attributes
    ----------
    state
        Of the learner.
    best
        The tensors of the policy that was best in the evaluations so far; None before the first.
    progress
        Plain data: segments done, seconds used, the best evaluation.
    """

    state: State
    best: dict[str, Any] | None
    progress: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write the checkpoint in the place of ``folder``; one that is there stays until this one is complete."""
        new, old = _beside(folder)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        with whole_file(new / _TENSORS) as file:
            torch.save(self.state.tensors, file)
        if self.best is not None:
            with whole_file(new / BEST) as file:
                torch.save(self.best, file)
        if self.state.arrays:
            with whole_file(new / _ARRAYS) as file:
                np.savez(file, **self.state.arrays)  # type: ignore[arg-type]
        digests = {path.name: _digest(path) for path in new.iterdir()}
        numbers = {"counters": self.state.counters, "progress": self.progress, "files": digests}
        write_text(new / _NUMBERS, json.dumps(sealed(numbers), indent=2) + "\n")
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path) -> Checkpoint | None:
        """Read the checkpoint in ``folder``: None if there is none, ValueError if it is broken. It executes nothing."""
        recover(folder)
        if not folder.exists():
            return None
        try:
            numbers = _numbers(folder)
            tensors, best = (_tensors(folder / name) for name in (_TENSORS, BEST))
            arrays = {}
            if (folder / _ARRAYS).exists():
                with open_arrays(folder / _ARRAYS) as file:
                    arrays = file.read_all((folder / _ARRAYS).stat().st_size)
            return cls(State(tensors or {}, numbers["counters"], arrays), best, numbers["progress"])
        except (*_BROKEN, OSError) as error:
            raise broken(folder, error) from error

    def restore(self, learner: Any, folder: Path) -> None:
        """Load the state into a learner; ValueError if it does not fit: the checkpoint in ``folder`` is broken."""
        try:
            learner.load_state(self.state)
        except (*_BROKEN, AttributeError, IndexError) as error:
            raise broken(folder, error) from error


def recover(folder: Path) -> None:
    """Finish or undo an interrupted save."""
    new, old = _beside(folder)
    if old.exists() and not folder.exists():  # between the two renamings: the new one is complete
        (new if new.exists() else old).rename(folder)
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def broken(folder: Path, error: BaseException) -> ValueError:
    """Return the error of a checkpoint that cannot be used."""
    reason = " ".join(str(error).split())[:200]
    return ValueError(
        f"the checkpoint {folder} is broken ({type(error).__name__}: {reason}); "
        "train into another folder, or delete this one to start again"
    )


def _numbers(folder: Path) -> dict[str, Any]:
    """Return the numbers of a checkpoint, after the files beside them have been compared with their digests."""
    there = [name for name in (_NUMBERS, *_FILES) if os.path.lexists(folder / name)]
    for name in there:
        if not (folder / name).is_file():
            raise ValueError(f"{name} is no file")
    path = folder / _NUMBERS
    document = parse_json(read_bytes(path), finite=False)
    if not isinstance(document, dict):
        raise ValueError(f"{_NUMBERS} holds no numbers of a checkpoint")
    numbers = verified(document, path)
    if not all(isinstance(numbers[name], dict) for name in ("counters", "progress")):
        raise ValueError(f"{_NUMBERS} holds no numbers of a checkpoint")
    digests = numbers.get("files")
    if digests is None and DIGEST not in document:  # of an earlier version
        return numbers
    if not isinstance(digests, dict) or {_NUMBERS, *digests} != set(there):
        raise ValueError(f"the files in it are not those that {_NUMBERS} names")
    for name, digest in digests.items():
        if _digest(folder / name) != digest:
            raise ValueError(f"{name} is damaged: its content is not what its digest says")
    return numbers


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensors(path: Path) -> dict[str, Any] | None:
    if not path.exists() and path.name == BEST:
        return None
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise ValueError(f"{path.name} unpacks to more than it has")
    tensors: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return dict(tensors)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
