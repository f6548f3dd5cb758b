"""The folder of a training: its configuration, evaluations, logs, checkpoint and policy.

==================== =========================================================================================
``config.json``      what decides the result (algorithm, environment, scenario, hyperparameters, seed), and for
                     the record versions, the literal command and the processor time used
``evaluations.jsonl`` one line per evaluation
``tensorboard/``     logs
``checkpoint/``      from which it resumes; see :mod:`training.learn.checkpoint`
``bounds.json``      the lower bounds of the validation instances; of a mixture ``bounds-1.json``, ``bounds-2.json``, …
``policy.onnx``      the trained policy, once it is done
==================== =========================================================================================
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from secagent_env import __version__
from secagent_env.model.instance_files import stored_digest
from secagent_env.support.files import append_line, write_text
from secagent_env.support.reading import parse_json, read_bytes
from training.learn.learner import Task

logger = logging.getLogger("secagent.training")

FORMAT, FORMAT_VERSION = "secagent.training", 1
BEST = "best.pt"
"""The file of the best policy in a checkpoint."""
_LIBRARIES = ("numpy", "scipy", "gymnasium", "torch", "stable-baselines3", "sb3-contrib")


class RunFolder:
    """The files of a training in ``path``."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.evaluations = self.path / "evaluations.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoint = self.path / "checkpoint"
        self.policy = self.path / "policy.onnx"

    def bounds(self, number: int | None = None) -> Path:
        """Return the file of the bounds of the only scenario, or of number 1, 2, … of a mixture."""
        return self.path / ("bounds.json" if number is None else f"bounds-{number}.json")

    def open(self, task: Task, command: str) -> None:
        """Make the folder for a task, or check that the training in it is the same; else ValueError."""
        wanted = json.loads(json.dumps(describe(task)))
        if self.config.exists():
            config = self.read_config()
            stored = {name: config.get(name) for name in wanted}
            if config.get("versions") != versions():
                logger.warning("%s was begun with other versions or on another machine", self.path)
            if stored != wanted:
                raise ValueError(
                    f"{self.path} holds another training ({_difference(stored, wanted)}); "
                    "name another folder with --out, or the same arguments to resume it"
                )
        else:
            if self.path.is_dir() and any(self.path.iterdir()):
                raise ValueError(f"{self.path} is not empty and holds no training; name another folder with --out")
            self.path.mkdir(parents=True, exist_ok=True)
            config = {"format": FORMAT, "version": FORMAT_VERSION, **wanted, "command": command, "versions": versions()}
            self.write_config(config)

    def read_config(self) -> dict[str, Any]:
        """Return the configuration; ValueError if it is broken, foreign or newer."""
        try:
            config = parse_json(read_bytes(self.config), finite=False)
        except ValueError as error:
            raise ValueError(f"{self.config} is broken: {error}") from error
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise ValueError(f"{self.config} does not describe a training of secagent")
        if config.get("version") != FORMAT_VERSION:
            raise ValueError(
                f"{self.config} has format version {config.get('version')}, this secagent reads {FORMAT_VERSION}"
            )
        return config

    def write_config(self, config: dict[str, Any]) -> None:
        """Write the configuration."""
        write_text(self.config, json.dumps(config, indent=2) + "\n")

    def append_evaluation(self, row: dict[str, Any]) -> None:
        """Add an evaluation."""
        append_line(self.evaluations, json.dumps(row))

    def read_evaluations(self) -> list[dict[str, Any]]:
        """Return the evaluations so far."""
        if not self.evaluations.exists():
            return []
        rows = []
        for line in read_bytes(self.evaluations).splitlines():
            with contextlib.suppress(ValueError):  # the end of a line that was being written
                rows.append(parse_json(line, finite=False))
        return [row for row in rows if isinstance(row, dict) and isinstance(row.get("steps"), int)]

    def forget_evaluations_after(self, steps: int) -> None:
        """Drop the evaluations after the checkpoint's steps, which will be learnt again."""
        rows = [row for row in self.read_evaluations() if row["steps"] <= steps]
        write_text(self.evaluations, "".join(json.dumps(row) + "\n" for row in rows))


def describe(task: Task) -> dict[str, Any]:
    """Return the settings that decide a training's result, as plain data."""
    return {
        "algo": task.algo,
        "environment": task.environment_id,
        "scenario": task.scenario.to_dict(),
        "hyperparameters": task.settings.to_dict(),
        "seed": task.seed,
        "instances": None if task.instances is None else stored_digest(task.instances),
        "mixed_with": [scenario.to_dict() for scenario in task.mixed_with] or None,
        "csi_error": task.csi_error,
        "start_from": None if task.start_from is None else policy_digest(task.start_from),
    }


def policy_digest(run: str | Path) -> str:
    """Return the SHA-256, in hexadecimal, of the file of a training's best policy; ValueError if there is none."""
    path = RunFolder(run).checkpoint / BEST
    if not path.is_file():
        raise ValueError(f"{run} holds no policy of a training to start from")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _difference(stored: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return in words the first thing in which two configurations differ."""
    for name, value in wanted.items():
        old = stored.get(name)
        if old == value:
            continue
        if isinstance(value, dict) and isinstance(old, dict):
            return _difference({key: old.get(key) for key in {**old, **value}}, {**dict.fromkeys(old), **value})
        return f"{name} is {old!r:.200} there, {value!r:.200} here"
    return "its configuration differs"


def versions() -> dict[str, str]:
    """Return the versions of the libraries, of Python and of the platform."""
    installed = {"secagent": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            installed[name] = version(name)
    return installed
