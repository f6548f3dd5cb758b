"""The policies of ``secagent study transfer``: one learns on a scenario, or on several in turn, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, finite, returns, text
from secagent_env import Scenario
from training.learn.learner import Task, learner_class
from training.learn.settings import load_settings

FUNCTION, UNTRAINED = (f"eval.studies.transfer.learning:{name}" for name in ("learn", "write_untrained"))


def task_of(
    algo: str,
    scenarios: Sequence[Scenario],
    *,
    preset: str | None,
    steps: int | None,
    seed: int,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Task:
    """Return the training of one policy on scenarios, with the hyperparameters of the YAML file but for those given.

    Raises
    ------
    ValueError
        If there is no such algorithm, the scenarios do not fit together, or a number is out of range.
    """
    settings = load_settings(
        algo,
        environment="allocation",
        preset=preset,
        arguments=learner_class(algo).arguments(algo),
        overrides={**(hyperparameters or {}), **({} if steps is None else {"steps": steps})},
    )
    scenario, *others = scenarios
    return Task(
        algo=algo, environment="allocation", scenario=scenario, settings=settings, seed=seed, mixed_with=tuple(others)
    )


@returns(columns(steps=count, cpu_seconds=count, score=finite))
def learn(cell: Cell) -> Row:
    """Return the score of a policy, trained into the folder ``run`` of the cell, its steps and processor time.

    The training goes on from its last checkpoint where it was interrupted, and takes no time where it is done.
    """
    from training.learn.run_folder import RunFolder
    from training.learn.train import train

    task, run = _of(cell)
    best = train(task, run, progress=False)
    used = RunFolder(run).read_config()["used"]
    return {"steps": used["steps"], "cpu_seconds": used["cpu_seconds"], "score": best["score"]}


@returns(columns(run=text))
def write_untrained(cell: Cell) -> Row:
    """Write the policy that the learner of a cell begins with, and return its folder."""
    from training.learn.train import export

    task, run = _of(cell)
    Path(run).mkdir(parents=True, exist_ok=True)
    export(learner_class(task.algo)(task, "cpu"), task, Path(run, "policy.onnx"))
    return {"run": run}


def _of(cell: Cell) -> tuple[Task, str]:
    """Return the training of a cell, and its folder."""
    options: dict[str, Any] = dict(cell.options)
    run, algo = options.pop("run"), options.pop("algo")
    scenarios = [Scenario(**fields) for fields in options.pop("scenarios")]
    return task_of(algo, scenarios, seed=cell.seed, **options), run
