"""``secagent llm-bench``: models, recorded once, and the controls beside them, judged by the exact solver's bound."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.recorded import ENDING, find, sums
from eval.studies.law.variants import CONTROLS, STAND_IN
from eval.studies.llm_bench.cells import EXACT, FUNCTION
from eval.studies.llm_bench.ladder import (
    FIRST_SEED,
    FORMS,
    MOST_NETWORKS,
    PROTOCOLS,
    STEPS,
    USUAL_STEPS,
    Task,
    law_options,
)
from eval.studies.llm_bench.picture import draw
from eval.studies.llm_bench.recording import NAME, recordings_in, replayed, tasks_in
from eval.studies.llm_bench.results import results_of
from eval.studies.llm_bench.tables import numbers, text
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.support.errors import check_name
from solvers.law.proposals import VIEWS

CONTROL_SEEDS = 5
"""The solves of a control on each network; the first begins as the model's."""

CONTROL_ROUNDS = 2
"""How many times the rounds of a model a control may take, so that its evaluations reach as far."""


@dataclass(frozen=True)
class LLMBench(Experiment):
    """The controls on the tasks of the options, and the models that are recorded, on theirs."""

    name: ClassVar[str] = NAME
    unit: ClassVar[str] = "solves"

    steps: Sequence[str] = option(USUAL_STEPS, f"of difficulty, of {', '.join(STEPS)} (default: %(default)s)", "STEP")
    instances: int = option(5, "networks of each step (default: %(default)s)", "K")
    views: Sequence[str] = option(VIEWS, "of the problem in the prompts (default: %(default)s)", "VIEW")
    unstructured: Sequence[str] = option((), "steps that are solved without structured output too", "STEP")
    protocol: str = option("short", "short: 9 calls a solve, or full: 90 (default: %(default)s)")
    replay: Sequence[Path] | None = option(
        None,
        "recompute recordings alone, no model is asked (without FILE: those that the documentation's numbers are of)",
        "FILE",
        nargs="*",
    )
    recordings: Sequence[Path] = ()

    def __post_init__(self) -> None:
        for step in (*self.steps, *self.unstructured):
            check_name("step", step, STEPS)
        for view in self.views:
            check_name("view", view, VIEWS)
        number_of("instances", self.instances, most=MOST_NETWORKS)
        check_name("protocol", self.protocol, PROTOCOLS)

    def beside(self, folder: Path) -> LLMBench:
        """Return the benchmark with the recordings to replay, or else those in a results folder."""
        if self.replay is None:
            return dataclasses.replace(self, recordings=tuple(recordings_in(folder, self.protocol)))
        return self.replayed(None) if not self.replay else dataclasses.replace(self, recordings=tuple(self.replay))

    def replayed(self, place: Path | None) -> LLMBench:
        """Return the benchmark of recordings alone: a file, those in a folder, or None: those that are shipped."""
        if place is None:
            paths = shipped(self.protocol)
        else:
            paths = recordings_in(place, self.protocol) if place.is_dir() else [place]
        if not paths:
            raise ValueError(f"no recording of {NAME} is {f'in {place}' if place else 'shipped'}: record a model first")
        return dataclasses.replace(self, replay=(), recordings=tuple(paths))

    def tasks(self) -> list[Task]:
        """Return the tasks of a model, network by network, so that a run that was stopped early compares all steps."""
        return [
            Task(step, FIRST_SEED + number, view, form)
            for number in range(self.instances)
            for form, steps in zip(FORMS, (self.steps, self.unstructured), strict=True)
            for step in steps
            for view in self.views
        ]

    def cells(self) -> Sequence[Cell]:
        """Return the cells of the controls, of the exact solver and of the recordings."""
        asked = self.tasks() if self.replay is None else []
        tasks = {*asked, *(task for path in self.recordings for task in tasks_in(path))}
        controlled = sorted({dataclasses.replace(task, form=FORMS[0]) for task in tasks})
        return [
            *self._certificates(controlled),
            *self._controls(controlled),
            *(cell for path in self.recordings for cell in replayed(path)),
        ]

    def _certificates(self, tasks: Sequence[Task]) -> Iterator[Cell]:
        for step, seed in sorted({(task.step, task.seed) for task in tasks}):
            yield Cell(EXACT, NAME, "exact", f"{step}/{seed}", seed, options={"step": step})

    def _controls(self, tasks: Sequence[Task]) -> Iterator[Cell]:
        protocol = PROTOCOLS[self.protocol]
        longer = dataclasses.replace(protocol, rounds=CONTROL_ROUNDS * protocol.rounds)
        for task in tasks:
            for label, control in {STAND_IN: {}, **CONTROLS}.items():
                law = {**law_options(task, longer), **control}
                options = {"step": task.step, "seeds": list(range(CONTROL_SEEDS)), "law": law}
                yield Cell(FUNCTION, NAME, label, task.name, task.seed, options=options)

    def report(self, compute: Compute) -> Report:
        """Return the tables, the sentences and the pictures."""
        frame = compute(self.cells())
        results = results_of(frame, PROTOCOLS[self.protocol].calls)
        pictures = {
            f"{self.name}-{axis}": Report(draw=lambda path, axis=axis: draw(results, axis, path))  # type: ignore[misc]
            for axis in ("calls", "tokens")
        }
        return Report(text(results), numbers(results), lambda path: draw(results, "evaluations", path), parts=pictures)


class LawModels(LLMBench):
    """The figures of models in the documentation: the benchmark of the recordings that are shipped."""

    name: ClassVar[str] = "law-models"

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> LawModels:
        """Return the experiment; it has no options but ``--replay``, and asks no model without."""
        return cls(replay=(), recordings=tuple(shipped(cls.protocol)))

    def report(self, compute: Compute) -> Report:
        """Return the report of the recordings."""
        if not self.recordings:
            return Report(f"No recording of {NAME} is shipped: secagent {NAME} --model records one.\n")
        return super().report(compute)


def shipped(protocol: str) -> list[Path]:
    """Return the recordings by a protocol that are shipped; raise ValueError if one is damaged."""
    names = [name for name in sums() if name.startswith(f"{NAME}-{protocol}-")]
    return [find(name.removesuffix(ENDING), None) for name in sorted(names)]
