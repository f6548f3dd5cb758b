"""The printed numbers of the first paper's Figs 4 and 5 and Tables II to IV, with what varies in each.

Of the two figures the paper prints only the numbers in its text. Values are kept as they are printed, since their last
digit says how exact they are. Parameters that the paper does not state are those of the preset ``paper``
(``docs/scenarios.md``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from eval.experiments.secure import differences
from eval.experiments.secure.differences import Reason
from secagent_env import Scenario

TYPICAL = Scenario.preset("paper")
"""The paper's typical case: N = 30, N_min = 10, Acc_min = 0.7, L = 20."""

EXECUTION, TRANSMISSION = "execution_energy_j", "transmission_energy_j"
"""Columns of rows: (19) and (18) of a decision, J."""

AS_WRITTEN = "fixedtp (as written)"
"""FixedTP to the letter, which our ``fixedtp`` is not (:mod:`eval.experiments.secure.cells`)."""


@dataclass(frozen=True)
class Printed:
    """A number as the paper prints it, such as ``"1.19e4"``."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of numbers that round to it: half a unit of its last digit to either side."""
        exponent = Decimal(self.text).as_tuple().exponent
        half = 0.5 * 10.0 ** int(exponent)
        return self.value - half, self.value + half


@dataclass(frozen=True)
class Exhibit:
    """A figure or table of the paper: ``printed`` maps schemes to the printed numbers by value, J.

    ``varies`` is the field of the scenario that varies, ``symbol`` the paper's for it; those of its ``values`` without
    a printed number only make the curve longer. The schemes are the paper's, the best first; their column ``metric``,
    J, is compared, and energy savings are relative to the ``reference``.
    """

    name: str
    title: str
    varies: str
    symbol: str
    values: tuple[float, ...]
    schemes: tuple[str, ...]
    metric: str
    reference: str
    printed: Mapping[str, Mapping[float, str]]
    reasons: tuple[Reason, ...] = field(default=(), repr=False)

    @cached_property
    def scenarios(self) -> dict[float, Scenario]:
        """The scenario of each value; the typical case itself where the value is its own."""
        typical = {"min_selected": TYPICAL.required_agents}.get(self.varies, getattr(TYPICAL, self.varies))
        return {
            value: TYPICAL if value == typical else TYPICAL.replace(**{self.varies: value}) for value in self.values
        }

    def of_paper(self, scheme: str, value: float) -> Printed | None:
        """Return the printed number of a scheme at a value; None if there is none."""
        text = self.printed.get(scheme, {}).get(value)
        return None if text is None else Printed(text)

    def saving(self, scheme: str, value: float) -> Printed | None:
        """Return the printed saving of a scheme beside the reference, in percent; None if there is none."""
        own, reference = self.of_paper(scheme, value), self.of_paper(self.reference, value)
        if own is None or reference is None or scheme == self.reference:
            return None
        return Printed(f"{100 * (1 - own.value / reference.value):.1f}")


HEADLINE = ("fig4", "asc", 50.0, Printed("59.1"))
"""The abstract's claim: by how many percent the paper's schemes need less than others, at most."""

_N = (20, 30, 40, 50)
_SELECTION = ("asc", "law", "ga", "randas")
_NANO_ORDERS = (("asc", "law"), ("asc", "de"), ("law", "de"))
_LINKS = ("asc", "law", "de", "fixedbf", "fixedtp")

EXHIBITS: dict[str, Exhibit] = {
    exhibit.name: exhibit
    for exhibit in (
        Exhibit(
            name="fig4",
            title="Fig. 4: execution energy against the number of agents",
            varies="num_agents",
            symbol="N",
            values=_N,
            schemes=_SELECTION,
            metric=EXECUTION,
            reference="randas",
            printed={
                "asc": {30: "1.19e4", 50: "1.87e4"},
                "law": {30: "1.37e4", 50: "2.79e4"},
                "randas": {30: "2.34e4", 50: "4.57e4"},
            },
            reasons=(
                Reason(differences.FITTED, schemes=("asc", "randas"), values=(30,)),
                Reason(differences.OPTIMUM, schemes=("asc",), sign=-1),
                Reason(differences.STANDIN, schemes=("law",)),
                Reason(differences.MORE_AGENTS, values=(50,)),
            ),
        ),
        Exhibit(
            name="table2",
            title="Table II: execution energy against the least number of computing agents",
            varies="min_selected",
            symbol="N_min",
            values=(10, 15, 20),
            schemes=_SELECTION,
            metric=EXECUTION,
            reference="randas",
            printed={
                "asc": {10: "11868", 15: "26673", 20: "34996"},
                "law": {10: "13693", 15: "28436", 20: "36113"},
                "ga": {10: "15019", 15: "29983", 20: "38402"},
                "randas": {10: "23417", 15: "41107", 20: "48999"},
            },
            reasons=(
                Reason(differences.FITTED, schemes=("asc", "randas"), values=(10,)),
                Reason(differences.OPTIMUM, schemes=("asc",), sign=-1),
                Reason(differences.GA, schemes=("ga",), sign=-1),
                Reason(differences.GA_ORDER, orders=(("asc", "ga"), ("law", "ga"))),
                Reason(differences.STANDIN, schemes=("law",)),
                Reason(differences.COUNT, schemes=("asc", "law", "ga"), values=(15, 20), sign=-1),
                Reason(differences.RANDOM_COUNT, schemes=("randas",), values=(15, 20)),
            ),
        ),
        Exhibit(
            name="table3",
            title="Table III: execution energy against the mean accuracy required",
            varies="min_accuracy",
            symbol="Acc_min",
            values=(0.6, 0.7, 0.8),
            schemes=_SELECTION,
            metric=EXECUTION,
            reference="randas",
            printed={
                "asc": {0.6: "10423", 0.7: "11868", 0.8: "12966"},
                "law": {0.6: "12022", 0.7: "14242", 0.8: "14959"},
                "ga": {0.6: "13120", 0.7: "15219", 0.8: "16189"},
                "randas": {0.6: "21222", 0.7: "23417", 0.8: "27520"},
            },
            reasons=(
                Reason(differences.FITTED, schemes=("asc", "randas"), values=(0.7,)),
                Reason(differences.OPTIMUM, schemes=("asc",), sign=-1),
                Reason(differences.GA, schemes=("ga",), sign=-1),
                Reason(differences.GA_ORDER, orders=(("asc", "ga"), ("law", "ga"))),
                Reason(differences.STANDIN, schemes=("law",)),
                Reason(differences.ACCURACY, values=(0.6, 0.8)),
            ),
        ),
        Exhibit(
            name="fig5",
            title="Fig. 5: transmission energy against the number of agents",
            varies="num_agents",
            symbol="N",
            values=_N,
            schemes=_LINKS,
            metric=TRANSMISSION,
            reference="fixedtp",
            printed={
                "asc": {30: "77", 50: "140"},
                "law": {30: "105", 50: "260"},
                "fixedtp": {30: "199", 50: "1477"},
            },
            reasons=(
                Reason(differences.NANOJOULES, schemes=("asc", "law", "de"), sign=-1),
                Reason(differences.POWER, schemes=("fixedtp",)),
                Reason(differences.FLOOR, orders=_NANO_ORDERS),
            ),
        ),
        Exhibit(
            name="table4",
            title="Table IV: transmission energy against the number of antennas",
            varies="num_antennas",
            symbol="L",
            values=(10, 20, 30),
            schemes=_LINKS,
            metric=TRANSMISSION,
            reference="fixedtp",
            printed={
                "asc": {10: "109.87", 20: "77.219", 30: "49.872"},
                "law": {10: "146.01", 20: "105.21", 30: "53.785"},
                "de": {10: "155.95", 20: "139.21", 30: "54.967"},
                "fixedbf": {10: "260.27", 20: "246.01", 30: "171.85"},
                "fixedtp": {10: "310.76", 20: "299.20", 30: "225.38"},
            },
            reasons=(
                Reason(differences.NANOJOULES, schemes=("asc", "law", "de"), sign=-1),
                Reason(differences.BEAM, schemes=("fixedbf",), sign=-1),
                Reason(differences.POWER, schemes=("fixedtp",)),
                Reason(differences.FLOOR, orders=_NANO_ORDERS),
            ),
        ),
    )
}  # fmt: skip


def contradictions(exhibit: Exhibit, others: Sequence[Exhibit]) -> list[str]:
    """Return, in sentences, where the paper prints another number for the same setting in another exhibit."""
    sentences = []
    for other in others:
        if other.name == exhibit.name or other.metric != exhibit.metric:
            continue
        for value, scenario in exhibit.scenarios.items():
            twins = [twin for twin, other_scenario in other.scenarios.items() if other_scenario == scenario]
            for scheme in exhibit.printed:
                for twin in twins:
                    here, there = exhibit.of_paper(scheme, value), other.of_paper(scheme, twin)
                    if here is not None and there is not None and not _may_be_equal(here, there):
                        sentences.append(
                            f"{scheme} at {exhibit.symbol} = {value:g}: {here.value:g} J here, "
                            f"{there.value:g} J in {other.title.partition(':')[0]}"
                        )
    return sentences


def _may_be_equal(first: Printed, second: Printed) -> bool:
    return max(first.bounds[0], second.bounds[0]) <= min(first.bounds[1], second.bounds[1]) + math.ulp(first.value)
