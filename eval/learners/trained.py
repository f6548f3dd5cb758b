"""Trained agents in tables: trainings of one learner make one row."""

from __future__ import annotations

from collections.abc import Iterable

import solvers
import training
from eval.compare.comparison import name_in
from eval.learners.runs import Training
from training.learn.run_folder import RunFolder


def trained_rows(labels: Iterable[str]) -> dict[str, list[str]]:
    """Return the labels of trained agents by the names of their rows: ``ppo (3 seeds)`` of a learner's trainings.

    Raises ValueError if one is no trained agent, or a training that is not finished.
    """
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(learner_of(label), []).append(label)
    seeds = {name: f"{name} ({len(own)} seed{'s' * (len(own) > 1)})" for name, own in groups.items()}
    return {name if own == [name] else seeds[name]: own for name, own in groups.items()}


def training_of(label: str) -> Training | None:
    """Return the training whose folder a label is; None of other agents and solvers.

    Raises ValueError if it is not finished.
    """
    name = name_in(label)
    there = name == label and training.is_path(name) and RunFolder(name).config.is_file()
    return Training.read(name) if there else None


def learner_of(label: str) -> str:
    """Return the name of a trained agent's row: its label, or the learner of a training's folder.

    Raises ValueError if it is no trained agent, or a training that is not finished.
    """
    if (own := training_of(label)) is not None:
        return own.learner
    if (name := name_in(label)) in solvers.names():
        raise ValueError(f"{name} is no trained agent; the paper's schemes take part anyway")
    return label
