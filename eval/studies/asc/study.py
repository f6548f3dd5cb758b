"""``secagent study asc``: what each part of ASC is worth, what each printed error costs, and how Algorithm 2 converges.

It prints the tables of ``docs/solvers.md``, and draws the convergence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from eval.compare.comparison import Comparison
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, percent, tabulated, with_unit
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean, share, spread
from eval.studies.asc.cells import FUNCTION
from eval.studies.asc.picture import draw
from eval.sweep.grid import Chain, Grid, number_of
from secagent_env import Scenario
from secagent_env.model.presets import PRESETS
from solvers.asc.printed import ERRORS

ASC, PLUS, PRINTED, STILL = "asc", "asc-plus", "asc-printed", "no Algorithm 1"
ABLATIONS: dict[str, dict[str, Any]] = {
    ASC: {},
    STILL: {"admm_iterations": 0},
    "no relaxation (28)": {"relaxation_iterations": 0},
    "no repair": {"repair": False},
    "no (41), α̂ = α": {"auxiliary": False},
    "no SDR, principal vector": {"sdr": "principal"},
    "no randomisation": {"draws": 0},
    "no SCA of the powers": {"power_iterations": 0},
    "greedy start": {"initial": "greedy"},
    "greedy start, no relaxation": {"initial": "greedy", "relaxation_iterations": 0},
    "with polished beams": {"polished": 1},
}
"""By label, the options of ``asc``."""


@dataclass(frozen=True)
class ASCParts(Experiment):
    """The ablations of ASC, and the errors of its printed form, on the same networks of each preset."""

    name: ClassVar[str] = "asc"

    presets: Sequence[str] = option(
        ("paper", "contested", "tight-latency"), "default: %(default)s", "NAME", choices=sorted(PRESETS)
    )
    instances: int = option(40, "networks of each preset (default: %(default)s)", "K")
    seed: int = option(0, "of the networks and the solvers (default: %(default)s)")

    def __post_init__(self) -> None:
        number_of("instances", self.instances)

    def cells(self) -> Chain:
        """Return the cells, preset by preset and instance by instance."""
        return Chain(self._cells(preset) for preset in dict.fromkeys(self.presets))

    def _cells(self, preset: str) -> Grid:
        variants = {f"{solver} ({label})": (label, options) for label, (solver, options) in VARIANTS.items()}
        compared = {named: options for named, (_, options) in variants.items()}
        cells = Comparison(Scenario.preset(preset), compared, self.instances, self.seed).cells(self.name, preset)
        return cells.map(lambda cell: dataclasses.replace(cell, function=FUNCTION, scheme=variants[cell.scheme][0]))

    def report(self, compute: Compute) -> Report:
        """Return the tables and the picture."""
        frame = compute(self.cells())
        results = {
            preset: dict(iter(rows.groupby("scheme", sort=False)))
            for preset, rows in frame.groupby("value", sort=False)
        }
        figures = [figure for preset, variants in results.items() for figure in figures_of(preset, variants)]
        return Report(
            "\n".join(text(preset, figures, self.instances) for preset in results),
            [figure.numbers() for figure in figures],
            lambda path: draw({preset: (own[ASC], own[STILL]) for preset, own in results.items()}, path),
        )


def _printed(*errors: str) -> dict[str, Any]:
    """Return the options of ``asc-printed`` with these errors alone."""
    return {"corrected": [error for error in ERRORS if error not in errors]}


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{label: (ASC, options) for label, options in ABLATIONS.items()},
    PLUS: (PLUS, {}),
    PRINTED: (PRINTED, {}),
    **{f"error {error} alone": (PRINTED, _printed(error)) for error in ERRORS},
}
"""By label, the solver and its options."""


@dataclass(frozen=True)
class Figures:
    """The figures of a variant on a preset; energies over those instances that it solved feasibly.

    ``over`` is the energy over the lower bound, and ``beside`` that over asc's on the instances that both solved.
    """

    preset: str
    label: str
    feasible: Interval
    over: Interval
    beside: Interval
    transmission: Interval

    def numbers(self) -> dict[str, Any]:
        """Return a row of the CSV file."""
        return {
            "preset": self.preset,
            "variant": self.label,
            "instances": self.feasible.size,
            **spread("feasible", self.feasible),
            **spread("over_bound", self.over),
            **spread("over_asc", self.beside),
            **spread("transmission_energy_j", self.transmission),
        }

    def cells(self) -> list[str]:
        """Return a row of the table."""
        beside = NONE if self.label == ASC else percent(self.beside)
        solved = f"{round(self.feasible.mean * self.feasible.size)}/{self.feasible.size}"
        return [self.label, solved, percent(self.over), beside, with_unit(self.transmission, "J", 3)]


def figures_of(preset: str, variants: Mapping[str, Any]) -> list[Figures]:
    """Return the figures of the variants, of which rows are given by label, pandas DataFrames."""
    reference = variants[ASC].set_index("index")
    figures = []
    for label, rows in variants.items():
        rows = rows.set_index("index")
        able = rows[rows["feasible"].astype(bool)]
        both = able.index.intersection(reference.index[reference["feasible"].astype(bool)])
        ratio = able.loc[both, "energy_j"].to_numpy(float) / reference.loc[both, "energy_j"].to_numpy(float)
        figures.append(
            Figures(
                preset,
                label,
                share(len(able), len(rows)),
                bootstrap_mean(able["gap"].to_numpy(float)),
                bootstrap_mean(ratio - 1),
                bootstrap_mean(able["transmission_energy_j"].to_numpy(float)),
            )
        )
    return figures


def text(preset: str, figures: Sequence[Figures], instances: int) -> str:
    """Return the tables of a preset, in Markdown."""
    own = {figure.label: figure for figure in figures if figure.preset == preset}
    headers = ["", "feasible", "energy over the bound", "over asc's", "transmission"]
    parts = [label for label in VARIANTS if label in ABLATIONS or label == PLUS]
    errors = [ASC, PRINTED, *(label for label in VARIANTS if label.startswith("error "))]
    return (
        f"## {preset}\n\n"
        f"{tabulated([own[label].cells() for label in parts], headers)}\n\n"
        f"The printed errors (`solvers/asc/printed.py`), all together and each alone:\n\n"
        f"{tabulated([own[label].cells() for label in errors], headers)}\n\n"
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over those of the {instances} networks that a variant solved "
        "feasibly; over asc's: over those that asc solved as well.\n"
    )
