"""``secagent study starts``: how much sooner solvers are good where they start from another's decision.

Beside each solver alone stand the same solver from the decision of a trained agent, or of another solver, whose time
counts too. The networks are test instances, which no training sees. It prints the table of ``docs/agents.md``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import training
from eval.compare.comparison import Comparison, name_in, parse_solvers
from eval.compare.lineup import make, module_of
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, percent, tabulated, with_unit
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean, excess, share, spread
from eval.studies.starts.cells import FUNCTION
from eval.sweep.cells import Cell
from eval.sweep.grid import Chain, Grid, number_of
from secagent_env import Scenario
from secagent_env.support.checks import number
from training.learn import seeds

NOTHING = "nothing"


@dataclass(frozen=True)
class Starts(Experiment):
    """Solvers from the decisions of others.

    Raises
    ------
    ValueError
        If a name is unknown, an agent does not take the networks of a preset, or a number is out of range.
    """

    name: ClassVar[str] = "starts"

    presets: Sequence[str] = option(("contested", "tight-latency"), "(default: %(default)s)", "NAME", nargs="+")
    starts: Sequence[str] = option(
        ("best-first",), "agents, shipped or folders of runs, and solvers (default: %(default)s)", "NAME", nargs="+"
    )
    solvers: Sequence[str] = option(("asc-plus", "exact"), "(default: %(default)s)", "SOLVER", nargs="+")
    instances: int = option(40, "test networks of each preset (default: %(default)s)", "K")
    max_seconds: float = option(30.0, "of a solve (default: %(default)s)", "S")
    within: float = option(0.01, "how far over the certificate is good (default: %(default)s)", "SHARE")

    def __post_init__(self) -> None:
        number_of("instances", self.instances)
        number("max_seconds", self.max_seconds, above=0)
        number("within", self.within, 0)
        for kind, given in (("preset", self.presets), ("start", self.starts)):
            if len(set(given)) < len(given):
                raise ValueError(f"each {kind} is named once, got {' '.join(given)}")
        for scenario in self.scenarios.values():
            Comparison(scenario, {**parse_solvers(self.solvers), **{name: {} for name in self.starts}})

    @property
    def scenarios(self) -> dict[str, Scenario]:
        """The scenarios by the names of the presets."""
        return {name: Scenario.preset(name) for name in self.presets}

    def cells(self) -> Chain:
        """Return the cells of each preset, network by network: each solver alone, and from each start."""
        return Chain(Grid(self._solves(*preset), self.instances) for preset in self.scenarios.items())

    def _solves(self, preset: str, scenario: Scenario) -> list[Cell]:
        cells = []
        for label, own in parse_solvers(self.solvers).items():
            for start in (None, *self.starts):
                options: dict[str, Any] = {
                    "scenario": scenario.to_dict(),
                    "solver": name_in(label),
                    "solver_options": dict(own),
                    "start": start,
                    "max_seconds": self.max_seconds,
                }
                modules = [module_of(name_in(label))]
                if start is not None:
                    modules.append(module_of(start))
                    options["policy"] = getattr(make(start), "digest", None)
                scheme = f"{label} from {start or NOTHING}"
                seed = seeds.TEST.start
                cells.append(Cell(FUNCTION, self.name, scheme, preset, seed, options=options, modules=tuple(modules)))
        return cells

    def report(self, compute: Compute) -> Report:
        """Return the table and its rows."""
        rows = list(self._figures(compute(self.cells())))
        return Report(markdown(rows), rows)

    def _figures(self, frame: Any) -> Iterator[dict[str, Any]]:
        for preset, own in frame.groupby("value", sort=False):
            certificate = own.groupby("index")["lower_bound_j"].max()
            able = own.groupby("index")["status"].agg(lambda status: "infeasible" not in set(status))
            certificate = certificate[able]
            if certificate.empty:
                continue
            for label in parse_solvers(self.solvers):
                alone = None
                for start in (NOTHING, *self.starts):
                    found = own[own["scheme"] == f"{label} from {start}"].set_index("index").loc[certificate.index]
                    rows = [json.loads(text) for text in found["improvements"]]
                    times = np.array(
                        [
                            time_to((1 + self.within) * bound, each)
                            for bound, each in zip(certificate, rows, strict=True)
                        ]
                    )
                    reached = times <= self.max_seconds
                    counted = np.minimum(times, self.max_seconds)
                    alone = counted if alone is None else alone
                    ends = [each[-1][1] / bound for bound, each in zip(certificate, rows, strict=True) if each]
                    yield {
                        "preset": preset,
                        "solver": label,
                        "start": _short(start),
                        "networks": len(certificate),
                        **spread("reached", share(int(reached.sum()), len(reached))),
                        "median": float(np.median(counted)),
                        **spread("seconds", bootstrap_mean(counted)),
                        **spread("ratio", excess(bootstrap_mean(np.log(counted / alone)))),
                        **spread("gap", excess(bootstrap_mean(np.log(np.maximum(ends, 1.0)))) if ends else None),
                    }


def time_to(energy: float, improvements: Sequence[tuple[float, float]]) -> float:
    """Return when an energy was reached; infinite if never."""
    return next((when for when, least in improvements if least <= energy), math.inf)


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table."""
    lines = []
    for row in rows:
        of = {
            name: Interval(row[name], row[f"{name}_low"], row[f"{name}_high"], row["networks"])
            for name in ("reached", "seconds", "ratio", "gap")
        }
        ratio = NONE if row["start"] == NOTHING else _times(of["ratio"])
        cells = [percent(of["reached"]), f"{row['median']:.3g} s", with_unit(of["seconds"], "s", digits=3), ratio]
        lines.append([row["preset"], row["solver"], row["start"], *cells, percent(of["gap"])])
    headers = ["networks", "solver", "from", "good in time", "median time", "mean time", "time, of that alone"]
    note = (
        "Time until a decision within the certificate's share was known, that of the start included; the limit counts "
        f"where none was. Ratios are geometric means over the same networks. Brackets are {CONFIDENCE:.0%} intervals."
    )
    return f"{tabulated(lines, [*headers, 'over the certificate at the end'])}\n\n{note}\n"


def _times(ratio: Interval) -> str:
    return f"{1 + ratio.mean:.2f} [{1 + ratio.low:.2f}, {1 + ratio.high:.2f}]"


def _short(start: str) -> str:
    """Return what the table calls a start: of a folder, the name."""
    return start.rstrip("/").rpartition("/")[2] if training.is_path(start) else start
