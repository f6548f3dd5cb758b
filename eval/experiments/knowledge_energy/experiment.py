"""What knowledge is worth in joules: energy, accuracy and compression, from measured knowledge to solved networks.

A curve says how accurate agents are with knowledge sent at a ratio of its full size. Each of its points becomes a
scenario (:mod:`solvers.knowledge.link`): the ratio is that of D, the accuracy is the agents' mean. Then `exact` and
`asc` say what a task costs at a required mean accuracy (15), and the frontier is what the best ratio costs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import solvers
from eval.compare.lineup import module_of
from eval.compare.rows import plain, result_of
from eval.compare.solving import instance_at, solver_seed
from eval.experiments.knowledge_energy.results import Entry
from eval.stats.formatting import NONE, percent, tabulated, with_unit
from eval.stats.paired import paired_ratio
from eval.stats.statistics import Interval, bootstrap_mean
from eval.sweep.cells import Cell, Row
from eval.sweep.engine import Sweep, completed, run_sweep
from secagent_env import Scenario, evaluate
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from solvers.knowledge.link import with_knowledge
from solvers.reasoning.vote_theory import expected_accuracy

NAME, TITLE = "knowledge-energy", "What knowledge is worth in energy"
FUNCTION = "eval.experiments.knowledge_energy.experiment:solve_cell"
TABLE, CSV = f"{NAME}.md", f"{NAME}.csv"
CERTIFIED, SCHEMES = "exact", ("exact", "asc")
OPTIONS_PER_QUESTION = 5
"""Of most questions of TeleQnA; only the voted accuracy depends on it."""
ENOUGH = 0.9
"""A mean is shown where at least this share of the networks can meet the accuracy."""


@dataclass(frozen=True)
class Curve:
    """Accuracy against compression.

    Attributes
    ----------
    name
        Whose accuracy it is.
    points
        ``(ratio, accuracy)``: what is sent, as a share of all of the knowledge, from 0 to 1; the mean accuracy with it.
    bits
        What all of it takes to send, bit; None where that is not known.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    bits: float | None = None

    def __post_init__(self) -> None:
        ratios = [ratio for ratio, _ in self.points]
        if ratios != sorted(set(ratios)) or ratios[:1] != [0.0] or ratios[-1:] != [1.0]:
            raise ValueError(f"a curve goes from the ratio 0 to 1 in ascending order, got {ratios}")

    def levels(self, count: int) -> list[float]:
        """Return accuracies to be required, of full percents: from what no knowledge gives to what all of it gives."""
        (_, none), (_, full) = self.points[0], self.points[-1]
        return sorted({round(float(level), 2) for level in np.linspace(none, full, count)})


PRINTED = Curve("LLM of the second paper", ((0.0, 0.692), (0.4552, 0.84), (1.0, 0.896)))
"""Its Table 1, row "Overall"."""


@dataclass(frozen=True)
class Network:
    """A preset that knowledge is sent in, how many accuracies are required there, and on how many instances at most."""

    levels: int
    most: int


NETWORKS = {"paper": Network(5, 1000), "tight-latency": Network(3, 20), "contested": Network(1, 5)}
"""Fewer of those that take longer: a solve of `exact` takes 15 ms, half a second and half a minute."""


@dataclass(frozen=True)
class Setting:
    """One scenario of the experiment, and what it stands for."""

    network: str
    curve: str
    ratio: float
    required: float
    scenario: Scenario


def settings(curves: Iterable[Curve]) -> list[Setting]:
    """Return the scenarios: every network at every ratio of every curve and every accuracy required."""
    return [
        Setting(name, curve.name, ratio, required, scenario.replace(min_accuracy=required))
        for name, network in NETWORKS.items()
        for curve in curves
        for ratio, scenario in linked(Scenario.preset(name), curve).items()
        for required in (curve.levels(network.levels) if network.levels > 1 else [_middle(curve)])
    ]


def linked(scenario: Scenario, curve: Curve) -> dict[float, Scenario]:
    """Return the scenario at each ratio of a curve; all of the knowledge is the scenario's own D."""
    bits = scenario.knowledge_bits
    return {ratio: with_knowledge(scenario, ratio * bits, accuracy) for ratio, accuracy in curve.points}


def _middle(curve: Curve) -> float:
    (_, none), (_, full) = curve.points[0], curve.points[-1]
    return round((none + full) / 2, 2)


def cells(curves: Iterable[Curve], instances: int, seed: int) -> list[Cell]:
    """Return what is to be solved, network by network and instance by instance."""
    if instances < 1:
        raise ValueError(f"the number of instances must be an integer ≥ 1, got {instances}")
    found = []
    for name, own in itertools.groupby(settings(curves), lambda setting: setting.network):
        of_network = list(own)
        for index in range(min(instances, NETWORKS[name].most)):
            for setting in of_network:
                told = {"network": name, "curve": setting.curve, "ratio": setting.ratio, "required": setting.required}
                options = {**told, "scenario": setting.scenario.to_dict()}
                found += [
                    Cell(FUNCTION, NAME, scheme, setting.ratio, seed, index, options, (module_of(scheme),))
                    for scheme in SCHEMES
                ]
    return found


def solve_cell(cell: Cell) -> Row:
    """Return the row of a cell: what the scheme found, and how accurate the agents are that it selects."""
    instance = instance_at(Scenario(**cell.options["scenario"]), cell.seed, cell.index)
    solution = solvers.make(cell.scheme).solve(instance, seed=solver_seed(cell.seed, cell.index))
    outcome = evaluate(instance, solution.decision)
    selected = np.asarray(instance.accuracy)[np.asarray(solution.decision.selection)]
    accurate = {
        "downlink_time_s": outcome.downlink_time_s,
        "mean_accuracy": selected.mean() if selected.size else 0.0,
        "voted_accuracy": expected_accuracy(selected, OPTIONS_PER_QUESTION) if selected.size else 0.0,
    }
    told = {name: cell.options[name] for name in ("network", "curve", "required")}
    return {**told, "ratio": cell.options["ratio"], **result_of(solution), **plain(accurate)}


def entries(frame: Any) -> list[Entry]:
    """Return the results from the rows of all cells (a pandas DataFrame)."""
    keys = ["network", "curve", "required", "scheme"]
    found = []
    for (network, curve, required, scheme), rows in frame.groupby(keys, sort=False):
        by_ratio = {ratio: own.set_index("index") for ratio, own in rows.groupby("ratio")}
        full = by_ratio[1.0]
        for ratio, own in by_ratio.items():
            solved = own["feasible"].astype(bool)
            both = solved & full["feasible"].astype(bool).reindex(own.index)
            enough = both.sum() >= ENOUGH * len(own)
            energies = (table.loc[both[both].index, "energy_j"].to_numpy(float) for table in (own, full))
            means = {
                name: bootstrap_mean(own.loc[solved, name].to_numpy(float))
                for name in ("energy_j", "downlink_time_s", "voted_accuracy", "gap")
            }
            relative = paired_ratio(*energies) if enough else None
            found.append(
                Entry(network, curve, ratio, required, scheme, int(solved.sum()), len(own), relative=relative, **means)
            )
    return found


def best(found: Sequence[Entry]) -> Entry | None:
    """Return the entry with the least energy among those that nine in ten networks can meet; None if there is none."""
    met = [entry for entry in found if entry.feasible >= ENOUGH * entry.instances]
    return min(met, key=lambda entry: (entry.energy_j.mean, entry.ratio), default=None)


def markdown(found: Sequence[Entry], curves: Sequence[Curve]) -> str:
    """Return the tables: by network and curve, the energy of `exact` at every accuracy and ratio."""
    parts = []
    for (network, curve), own in _grouped(found, "network", "curve"):
        exact = [entry for entry in own if entry.scheme == CERTIFIED]
        ratios = sorted({entry.ratio for entry in exact}, reverse=True)
        accuracy = {ratio: right for each in curves if each.name == curve for ratio, right in each.points}
        headers = ["required", *(f"{ratio:.0%} sent, mean {accuracy[ratio]:.1%}" for ratio in ratios), "best"]
        lines = []
        for (required,), row in _grouped(exact, "required"):
            by_ratio = {entry.ratio: entry for entry in row}
            winner = best(row)
            shown = "nobody can" if winner is None else f"{winner.ratio:.0%}, {with_unit(winner.energy_j, 'J')}"
            lines.append([f"{required:.0%}", *(_shown(by_ratio[ratio]) for ratio in ratios), shown])
        loosest = {entry.ratio: entry for entry in exact if entry.required == exact[0].required}
        times = [with_unit(loosest[ratio].downlink_time_s, "s", digits=3) for ratio in ratios]
        lines.append(["downlink takes", *times, ""])
        table = tabulated(lines, headers)
        parts.append(f"### `{network}`, {curve}\n\n{table}\n\n{_schemes(own)}")
    return "\n\n".join(parts) + "\n"


def _shown(entry: Entry) -> str:
    if entry.feasible < ENOUGH * entry.instances:
        return f"{NONE} ({entry.feasible}/{entry.instances} feasible)"
    if entry.ratio == 1 or entry.relative is None:
        return with_unit(entry.energy_j, "J")
    return percent(entry.relative)


def _schemes(own: Sequence[Entry]) -> str:
    """Return in a sentence how far ASC is from the exact solver, where both are feasible often enough."""
    pairs: dict[tuple[float, float], dict[str, Entry]] = {}
    for entry in own:
        pairs.setdefault((entry.ratio, entry.required), {})[entry.scheme] = entry
    far = [
        pair["asc"].energy_j.mean / pair[CERTIFIED].energy_j.mean - 1
        for pair in pairs.values()
        if all(each.feasible >= ENOUGH * each.instances for each in pair.values())
    ]
    if not far:
        return "asc and exact are nowhere feasible often enough to be compared."
    gaps = [pair[CERTIFIED].gap.mean for pair in pairs.values() if pair[CERTIFIED].gap.size]
    return (
        f"exact is proved to be within {max(gaps):.1%} of the optimum, in the mean over networks, everywhere in this "
        f"table; asc needs {100 * np.mean(far):+.1g} % beside it, and {100 * max(far):+.1g} % at most."
    )


def _grouped(found: Iterable[Entry], *names: str) -> list[tuple[tuple[Any, ...], list[Entry]]]:
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in found:
        groups.setdefault(tuple(getattr(entry, name) for name in names), []).append(entry)
    return list(groups.items())


def advice(found: Sequence[Entry]) -> str:
    """Return what a network engineer should do, in sentences made of the numbers."""
    sentences = []
    for (network, curve), own in _grouped([e for e in found if e.scheme == CERTIFIED], "network", "curve"):
        for (required,), row in _grouped(own, "required"):
            winner, full = best(row), next(entry for entry in row if entry.ratio == 1)
            if winner is None:
                continue
            if winner.ratio == 1:
                what = "send all of it"
            else:
                saved = "which full knowledge cannot meet" if winner.relative is None else _saved(winner.relative)
                what = f"send {winner.ratio:.0%} of it, {saved}"
            downlink = with_unit(full.downlink_time_s, "s", digits=3)
            sentences.append(f"- `{network}`, {curve}, {required:.0%} required: {what} (all of it takes {downlink}).")
    return "\n".join(sentences)


def _saved(relative: Interval) -> str:
    better = Interval(1 - relative.mean, 1 - relative.high, 1 - relative.low, relative.size)
    return f"which saves {percent(better)} of the energy" if better.low > 0 else "which costs as much within the error"


def reproduce(curves: Sequence[Curve], instances: int, seed: int, out: Path, **how: Any) -> str:
    """Return the frontier in Markdown; write it, its numbers and its picture into a folder.

    Parameters
    ----------
    curves
        Accuracy against compression; those of the offline reader and of the paper.
    instances, seed
        How many instances of each setting, at most as in :data:`NETWORKS`, from which seed.
    out
        The folder; made if need be.
    how
        See :func:`eval.sweep.engine.run_sweep`.
    """
    from eval.experiments.knowledge_energy.picture import save_frontier

    pandas = require("pandas", extra="eval")
    frame = completed(run_sweep(Sweep(cells(curves, instances, seed)), out, **how), "solves")
    found = entries(frame)
    text = f"## {TITLE}\n\n{_setting(curves)}\n\n{markdown(found, curves)}\n### What to do\n\n{advice(found)}\n"
    write_text(out / TABLE, text)
    write_text(out / CSV, pandas.DataFrame([_flat(entry) for entry in found]).to_csv(index=False))
    save_frontier(found, out / NAME)
    return text


def _setting(curves: Sequence[Curve]) -> str:
    told = [
        f"{curve.name}: {', '.join(f'{right:.1%} with {ratio:.0%}' for ratio, right in reversed(curve.points))}"
        + (f" of {with_unit(Interval(curve.bits, np.nan, np.nan, 1), 'bit')}" if curve.bits else "")
        for curve in curves
    ]
    return (
        f"Accuracy of the agents in the mean, by the share of the knowledge that is sent. {'; '.join(told)}. All of it "
        "is the preset's own D. With less the agents are less accurate, so dearer ones must be selected to meet what "
        "is required; but less has to be sent. Energies are those of `exact`; with compressed knowledge, relative to "
        "all of it on the same networks. Brackets are intervals over networks; to them come those of the measured "
        "accuracies."
    )


def _flat(entry: Entry) -> Mapping[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in vars(entry).items():
        if isinstance(value, Interval):
            flat |= {f"{name}_{end}": getattr(value, end) for end in ("mean", "low", "high")}
        elif value is not None:
            flat[name] = value
    return flat
