"""``secagent reproduce robust``: outage and energy of designs, where the eavesdroppers' channels are estimates.

Each design is tried on fresh draws of what is not known. Beside the solver ``robust`` stand designs for the estimate as
it is, such with a fixed margin, chosen on other networks, one without the estimate, and one that knows the truth.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from eval.compare.comparison import name_in, parse_solvers
from eval.compare.lineup import default_agents, make, module_of
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.robust import agents, cells
from eval.experiments.robust.picture import draw
from eval.experiments.robust.tables import MARGIN, SAFE, Setting, chosen_margins, figures, markdown
from eval.learners.trained import trained_rows
from eval.scenarios import named_scenario
from eval.sweep.cells import Cell
from eval.sweep.grid import Chain, Grid, number_of
from secagent_env import Scenario
from secagent_env.support import checks
from training.play.agents import TrainedAgent

MARGINS_DB = (0.0, 3.0, 6.0, 10.0, 15.0, 20.0, 30.0)
"""Of the designs with a fixed margin."""
TUNING_SEED = 1_000_000
"""Added to the seed of the networks on which the margin is chosen."""
NO_ESTIMATE, ALL_KNOWN = "robust, no estimate", "exact, all known"


@dataclass(frozen=True)
class RobustDesigns(Experiment):
    """Designs at several error variances and outages: at the first outage all variances, at the first variance all."""

    name: ClassVar[str] = "robust"
    unit: ClassVar[str] = "designs"

    presets: tuple[str, ...] = option(
        ("uncertain", "paper", "small", "urban-micro", "line-of-sight"),
        "or TOML files (default: %(default)s)",
        "NAME",
        nargs="+",
    )
    errors: tuple[float, ...] = option((0.1, 0.01, 0.3), "error variances (default: %(default)s)", "E")
    outages: tuple[float, ...] = option((0.05, 0.01, 0.2), "that are allowed (default: %(default)s)", "P")
    nominal: tuple[str, ...] = option(
        ("asc", "asc-plus", "exact"), "designs for the estimate (default: %(default)s)", "SOLVER", nargs="+"
    )
    robust: tuple[str, ...] = option(
        ("robust",), "robust designs, with options or without (default: %(default)s)", "SOLVER", nargs="+"
    )
    agents: tuple[str, ...] = option(
        default_agents, "trained agents (default: those of `compare`)", "NAME", read=tuple, nargs="*"
    )
    instances: int = option(20, "networks of each preset (default: %(default)s)", "K")
    seed: int = option(0, "of the networks and the schemes (default: %(default)s)")
    max_seconds: float = option(60.0, "of a solve (default: %(default)s)", "S")

    def __post_init__(self) -> None:
        number_of("instances", self.instances)
        checks.integer("seed", self.seed)
        for error in self.errors:
            checks.number("errors", error, low=0, below=1)
        for outage in self.outages:
            checks.number("outages", outage, above=0, below=1)
        for _ in (self._scenarios, self._schemes, self._rows):  # they raise for what is unknown
            pass

    @functools.cached_property
    def _scenarios(self) -> dict[str, Scenario]:
        return {name: named_scenario(name) for name in self.presets}

    @functools.cached_property
    def _schemes(self) -> dict[str, dict[str, Any]]:
        """The options of the cells of each scheme but those with a margin, by label; ``safe`` ones depend on δ."""
        schemes: dict[str, dict[str, Any]] = {}
        for label, options in parse_solvers([*self.nominal, *self.agents]).items():
            schemes[label] = _scheme(label, options, cells.ESTIMATE)
        for label, options in parse_solvers(self.robust).items():
            schemes[label] = {**_scheme(label, options, cells.ESTIMATE), SAFE: True}
        schemes[NO_ESTIMATE] = {**_scheme("robust", {}, cells.BEFOREHAND), SAFE: True}
        schemes[ALL_KNOWN] = _scheme("exact", {}, cells.TRUTH)
        return schemes

    @functools.cached_property
    def _rows(self) -> dict[str, list[str]]:
        """The labels of the cells of each row of a table, by its name."""
        trained = trained_rows(parse_solvers(self.agents))
        others = [label for label in self._schemes if all(label not in labels for labels in trained.values())]
        designs = [*others[:-2], MARGIN, *others[-2:]]
        return (
            {name: [name] for name in designs[: len(self.nominal)]}
            | trained
            | {name: [name] for name in designs[len(self.nominal) :]}
        )

    @functools.cached_property
    def settings(self) -> list[Setting]:
        """The error variances and outages, by preset."""
        pairs = [(error, self.outages[0]) for error in self.errors]
        pairs += [(self.errors[0], outage) for outage in self.outages[1:]]
        return [Setting(preset, error, outage) for preset in self.presets for error, outage in pairs]

    def cells(self) -> Sequence[Cell]:
        """Return the cells that are known before margins are chosen."""
        prototypes = dict.fromkeys(self._key(setting, label) for setting in self.settings for label in self._schemes)
        return Chain([Grid([self._cell(*key) for key in prototypes], self.instances), self._tuning()])

    def _tuning(self) -> Grid:
        """Return the designs with each margin on networks of their own, half as many."""
        places = dict.fromkeys((setting.preset, setting.error_variance) for setting in self.settings)
        prototypes = [
            self._cell(preset, error, None, MARGIN, margin, self.seed + TUNING_SEED)
            for preset, error in places
            for margin in MARGINS_DB
        ]
        return Grid(prototypes, (self.instances + 1) // 2)

    def report(self, compute: Compute) -> Report:
        """Return the tables and the picture."""
        frame = compute(self.cells())
        tuning = frame[frame["seed"] == self.seed + TUNING_SEED]
        margins = chosen_margins(tuning, self.settings)
        places = dict.fromkeys((s.preset, s.error_variance, margins[s]) for s in self.settings)
        fixed = compute(Grid([self._cell(p, e, None, MARGIN, m) for p, e, m in places], self.instances))
        tested = frame[frame["seed"] == self.seed]
        numbers = figures(tested, fixed, self.settings, self.outages, margins, self._rows, ALL_KNOWN)
        return Report(markdown(numbers), numbers, functools.partial(draw, numbers, self.settings))

    def _key(self, setting: Setting, label: str) -> tuple[str, float, float | None, str]:
        return setting.preset, setting.error_variance, setting.outage if self._schemes[label].get(SAFE) else None, label

    def _cell(
        self, preset: str, error: float, outage: float | None, label: str, margin: float = 0.0, seed: int | None = None
    ) -> Cell:
        scheme = dict(self._schemes.get(label) or _scheme("asc-plus", {}, cells.ESTIMATE))
        safe = scheme.pop(SAFE, False)
        if safe:
            scheme["solver_options"] = {"outage": outage, **scheme["solver_options"]}
        options = {
            **scheme,
            "scenario": self._scenarios[preset].to_dict(),
            "error_variance": float(error),
            "outages": list(self.outages),
            "margin_db": margin,
            "max_seconds": self.max_seconds,
            "preset": preset,
        }
        return Cell(
            function=agents.FUNCTION if "policy" in scheme else cells.FUNCTION,
            experiment=self.name,
            scheme=label,
            value=f"{preset}, {error:g}" + (f", {outage:g}" if safe else "") + (f", {margin:g} dB" if margin else ""),
            seed=self.seed if seed is None else seed,
            options=options,
            modules=(module_of(scheme["solver"]),),
        )


def _scheme(label: str, options: dict[str, Any], known: str) -> dict[str, Any]:
    solver = make(name_in(label), **options)
    scheme = {"solver": name_in(label), "solver_options": dict(options), "known": known}
    return {**scheme, "policy": solver.digest} if isinstance(solver, TrainedAgent) else scheme
