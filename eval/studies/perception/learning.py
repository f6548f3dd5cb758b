"""The trainings of ``secagent study perception``, as cells."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, returns, text
from solvers.knowledge.store.encoder import default_encoder
from training.perception.contrastive import Recipe, export, train
from training.perception.material import Material

FUNCTION = "eval.studies.perception.learning:learn"


@functools.cache
def material(recipe: Recipe) -> Material:
    """Return the scenes of a recipe, once in a process: all kinds of training share them."""
    return recipe.material()


@returns(columns(path=text, cpu_seconds=count, loss=count))
def learn(cell: Cell) -> Row:
    """Train one kind of encoder into a file, and return the file, the processor time and the last loss."""
    options: dict[str, Any] = dict(cell.options)
    path = Path(options.pop("path"))
    recipe = Recipe(seed=cell.seed, **options)
    trained = train(recipe, material(Recipe(scenes=recipe.scenes, seed=recipe.seed)), default_encoder())
    path.parent.mkdir(parents=True, exist_ok=True)
    export(trained.network, path, path.stem, default_encoder())
    loss = float(np.mean(trained.losses[-50:])) if trained.losses else 0.0
    return {"path": str(path), "cpu_seconds": trained.cpu_seconds, "loss": max(loss, 0.0)}
