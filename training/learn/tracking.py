"""Trackers: the figures of a training in Weights & Biases or MLflow too, beside TensorBoard's.

They are writers of Stable-Baselines3's logger, so that every learner is tracked alike. Where they write, and as whom,
their own variables say, such as ``WANDB_MODE``, ``WANDB_API_KEY`` and ``MLFLOW_TRACKING_URI``. A training that resumes
goes on with its run, whose id is in ``tracking.json`` of its folder.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stable_baselines3.common.logger import KVWriter

from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from secagent_env.support.reading import parse_json, read_text
from training.learn.run_folder import RunFolder

PROJECT = "secagent"
"""Where trackers put the runs, unless their variables say otherwise."""
FILE = "tracking.json"


class _Tracker(KVWriter, ABC):
    """A writer of figures that are finite numbers: trackers draw no others."""

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        figures = {
            name: float(value)
            for name, value in key_values.items()
            if isinstance(value, (int, float)) and math.isfinite(value)
        }
        if figures:
            self._log(figures, step)

    @abstractmethod
    def _log(self, figures: dict[str, float], step: int) -> None:
        """Write figures down."""


class WandB(_Tracker):
    """Weights & Biases."""

    def __init__(self, folder: RunFolder, config: Mapping[str, Any], known: str | None) -> None:
        wandb = require("wandb", extra="track")
        self.id = known or secrets.token_hex(4)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=self.id,
            name=folder.path.name,
            dir=str(folder.path),
            config=dict(config),
            resume="allow",
        )

    def _log(self, figures: dict[str, float], step: int) -> None:
        self._run.log(figures, step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


class MLflow(_Tracker):
    """MLflow."""

    def __init__(self, folder: RunFolder, config: Mapping[str, Any], known: str | None) -> None:
        self._mlflow = require("mlflow", extra="track")
        if "MLFLOW_EXPERIMENT_NAME" not in os.environ and "MLFLOW_EXPERIMENT_ID" not in os.environ:
            self._mlflow.set_experiment(PROJECT)
        run = self._mlflow.start_run(run_id=known, run_name=None if known else folder.path.name)
        self.id = str(run.info.run_id)
        if known is None:
            self._mlflow.log_params({name: str(value)[:500] for name, value in _flat(config)})

    def _log(self, figures: dict[str, float], step: int) -> None:
        self._mlflow.log_metrics(figures, step=step)

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


TRACKERS: dict[str, type[WandB] | type[MLflow]] = {"wandb": WandB, "mlflow": MLflow}
"""By name."""


def trackers(names: Iterable[str], folder: RunFolder) -> list[KVWriter]:
    """Return the trackers of these names for the training in a folder.

    Raises
    ------
    ValueError
        If there is no such tracker.
    ImportError
        If it is not installed.
    """
    wanted = [check_name("tracker", name, TRACKERS) for name in dict.fromkeys(names)]
    if not wanted:
        return []
    path = folder.path / FILE
    ids = parse_json(read_text(path)) if path.exists() else {}
    if not isinstance(ids, dict):
        raise ValueError(f"{path} holds no ids of tracked runs: remove it, and tracking begins anew")
    opened = {name: TRACKERS[name](folder, folder.read_config(), ids.get(name)) for name in wanted}
    write_text(path, json.dumps({**ids, **{name: tracker.id for name, tracker in opened.items()}}) + "\n")
    return list(opened.values())


def _flat(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the entries of nested dicts, with their names joined by dots."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
