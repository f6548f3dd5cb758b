"""The results of the benchmark: solves by contestant and task, and paired comparisons at equal effort."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.compare.rows import FAULTS
from eval.stats.paired import TIE
from eval.stats.statistics import Interval, bootstrap_mean, excess
from eval.studies.law.variants import CONTROLS, STAND_IN
from eval.studies.llm_bench.ladder import FORMS, STEPS, Task
from solvers.law.proposals import VIEWS

UNUSABLE, IMPROVED = "unusable", "improved"


@dataclass(frozen=True)
class Solve:
    """A solve with LAW, to the steps that count.

    Attributes
    ----------
    best
        (E, 2): evaluations, and the least energy of a feasible decision after them, J.
    calls, tokens, evaluations
        (T,) those used after each step.
    verdicts, feasible
        (T,) what became of each step's proposal, and whether it was feasible.
    waited_s
        The time of all replies, s.
    faults
        Replies that could not be used, by kind, JSON; empty for none.
    """

    best: np.ndarray
    calls: np.ndarray
    tokens: np.ndarray
    evaluations: np.ndarray
    verdicts: tuple[str, ...]
    feasible: np.ndarray
    waited_s: float
    faults: str = ""

    @classmethod
    def of(cls, course: Mapping[str, Any], faults: str) -> Solve:
        """Return the solve of a course (:func:`eval.studies.llm_bench.cells.course`)."""
        arrays = {name: np.array(course[name], float) for name in ("calls", "tokens", "evaluations")}
        return cls(
            best=np.array(course["best"], float).reshape(-1, 2),
            **arrays,
            verdicts=tuple(course["verdicts"]),
            feasible=np.array(course["feasible"], bool),
            waited_s=course["waited_s"],
            faults=faults,
        )

    def until(self, calls: float) -> Solve:
        """Return the solve as it stood after so many calls."""
        steps = int((self.calls <= calls).sum())
        cut = {name: getattr(self, name)[:steps] for name in ("calls", "tokens", "evaluations", "verdicts", "feasible")}
        within = self.best[:, 0] <= (self.evaluations[steps - 1] if steps else 0)
        return dataclasses.replace(self, best=self.best[within], **cut)

    def energy_j(self, evaluations: float = math.inf) -> float:
        """Return the least energy of a feasible decision after so many evaluations, J; infinite where none is."""
        within = self.best[self.best[:, 0] <= evaluations, 1]
        return float(within[-1]) if within.size else math.inf

    @property
    def effort(self) -> dict[str, float]:
        """Calls, tokens and evaluations in all."""
        return {name: float(getattr(self, name)[-1]) for name in ("calls", "tokens", "evaluations")}

    @property
    def shares(self) -> dict[str, float]:
        """The shares of steps with a valid proposal, a feasible one, and one that improved on the best example."""
        return {
            "valid": float(np.mean([verdict != UNUSABLE for verdict in self.verdicts])),
            "feasible proposals": float(np.mean(self.feasible)),
            "own improvements": float(np.mean([verdict == IMPROVED for verdict in self.verdicts])),
        }


Solves = Mapping[Task, Sequence[Solve]]
"""By task, those of several seeds; controls have tasks of the first form alone."""


@dataclass(frozen=True)
class Results:
    """All solves.

    Attributes
    ----------
    calls
        Of the protocol.
    bounds
        The certified lower bounds by step and seed, J.
    models, controls
        The solves by contestant.
    """

    calls: int
    bounds: Mapping[tuple[str, int], float]
    models: Mapping[str, Solves]
    controls: Mapping[str, Solves]

    def bound_j(self, task: Task) -> float:
        """Return the certified lower bound of a task's network, J."""
        return self.bounds[task.step, task.seed]


def results_of(frame: Any, calls: int) -> Results:
    """Return the results in the rows of a sweep (pandas.DataFrame), by a protocol of so many calls."""
    bounds: dict[tuple[str, int], float] = {}
    solves: dict[str, dict[Task, list[Solve]]] = {}
    for row in frame.to_dict("records"):
        if row["scheme"] == "exact":
            step, _, seed = row["value"].partition("/")
            bounds[step, int(seed)] = row["lower_bound_j"]
        else:
            faults = row.get(FAULTS)
            solve = Solve.of(json.loads(row["course"]), faults if isinstance(faults, str) else "")
            solves.setdefault(row["scheme"], {}).setdefault(Task.named(row["value"], row["seed"]), []).append(solve)
    ruled = (STAND_IN, *CONTROLS)
    models = {label: own for label, own in solves.items() if label not in ruled}
    controls = {label: own for label, own in solves.items() if label in ruled}
    return Results(calls, bounds, models, controls)


@dataclass(frozen=True)
class Versus:
    """A model against a control, in pairs on the same networks, after the same effort.

    Attributes
    ----------
    better
        In which share of pairs the model's energy is lower; equal ones count half, no feasible decision is the worst.
    energy
        By which fraction it is higher, in the geometric mean of those pairs in which both found a feasible decision;
        the control's is the median of its seeds.
    """

    better: Interval
    energy: Interval

    @property
    def verdict(self) -> int:
        """1 if the model is better, −1 if it is worse, 0 if the interval leaves that open."""
        return int(self.better.low > 0.5) - int(self.better.high < 0.5)


def versus(own: Solves, control: Solves, equal: str) -> Versus:
    """Return a model against a control at equal ``"evaluations"`` or equal ``"calls"``."""
    better, ratios = [], []
    for task, solves in own.items():
        others = control[dataclasses.replace(task, form=FORMS[0])]
        for solve in solves:
            most = solve.effort[equal]
            energy = solve.energy_j()
            rivals = np.array(
                [other.energy_j(most) if equal == "evaluations" else other.until(most).energy_j() for other in others]
            )
            better.append(float(np.mean([_better(energy, rival) for rival in rivals])))
            if math.isfinite(energy) and math.isfinite(middle := float(np.median(rivals))):
                ratios.append(math.log(energy / middle))
    return Versus(bootstrap_mean(better), excess(bootstrap_mean(ratios)))


def _better(energy: float, rival: float) -> float:
    if math.isclose(energy, rival, rel_tol=TIE):  # infinite ones are equal too
        return 0.5
    return float(energy < rival)


def over_bound(results: Results, solves: Solves) -> Interval:
    """Return by which fraction energies are over the bounds: a geometric mean over networks that have feasible ones."""
    logarithms = []
    for task, own in solves.items():
        energies = np.array([solve.energy_j() for solve in own])
        if np.isfinite(energies).any():
            found = energies[np.isfinite(energies)]
            logarithms.append(max(0.0, float(np.log(found / results.bound_j(task)).mean())))
    return excess(bootstrap_mean(logarithms))


def groups(solves: Solves) -> dict[tuple[str, str, str], Solves]:
    """Return the solves by step, view and form, in the order of the ladder."""
    order = {name: place for place, name in enumerate((*STEPS, *VIEWS, *FORMS))}
    found: dict[tuple[str, str, str], dict[Task, Sequence[Solve]]] = {}
    for task in sorted(solves, key=lambda task: (order[task.step], order[task.view], order[task.form], task.seed)):
        found.setdefault((task.step, task.view, task.form), {})[task] = solves[task]
    return dict(found)
