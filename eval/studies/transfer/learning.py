"""The training cells of ``secagent study transfer``: a policy that learns on one scenario, or on several in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, finite, returns
from secagent_env import Scenario
from training.learn.learner import Task, learner_class
from training.learn.settings import load_settings

FUNCTION = "eval.studies.transfer.learning:learn"


def task_of(algo: str, scenarios: Sequence[Scenario], *, preset: str | None, steps: int | None, seed: int) -> Task:
    """Return the training of one policy on scenarios, with the hyperparameters of the YAML file.

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
        overrides={} if steps is None else {"steps": steps},
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

    options: dict[str, Any] = dict(cell.options)
    run, algo = options.pop("run"), options.pop("algo")
    scenarios = [Scenario(**fields) for fields in options.pop("scenarios")]
    best = train(task_of(algo, scenarios, seed=cell.seed, **options), run, progress=False)
    used = RunFolder(run).read_config()["used"]
    return {"steps": used["steps"], "cpu_seconds": used["cpu_seconds"], "score": best["score"]}
