"""How schemes look in a report: colour, marker, dash and place are the same in every figure and table.

Colours are Okabe and Ito's, and a few of Tol's, which readers with colour-blindness can tell apart; markers say it
again. A colour has a value on white and one on black: charts name it, and the page picks the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

PALETTE = {
    "ink": ("#222222", "#f0f0f0"),
    "blue": ("#0072b2", "#4fa8e0"),
    "orange": ("#c67f00", "#f2b53c"),
    "green": ("#009e73", "#34c79b"),
    "purple": ("#6a4c9c", "#b195e8"),
    "sky": ("#2291cb", "#9adcff"),
    "pink": ("#c0578f", "#ee9ac6"),
    "red": ("#d55e00", "#ff8647"),
    "olive": ("#85852a", "#c8c85a"),
    "brown": ("#8b5a2b", "#cf9f6e"),
    "grey": ("#767676", "#a2a2a2"),
}
"""By name: on a light and on a dark ground."""

CATALOGUE = {
    "exact": ("ink", "x"),
    "asc": ("blue", "circle"),
    "law": ("orange", "triangle-up"),
    "l2o": ("sky", "hexagon"),
    "ppo": ("purple", "star"),
    "a2c": ("brown", "diamond-tall"),
    "sac": ("olive", "bowtie"),
    "td3": ("grey", "hexagram"),
    "tqc": ("pink", "cross"),
    "ga": ("green", "square"),
    "de": ("brown", "pentagon"),
    "ipfirst": ("grey", "hexagon2"),
    "fixedbf": ("pink", "diamond"),
    "fixedtp": ("olive", "hourglass"),
    "randas": ("red", "triangle-down"),
}
"""By the first word of a label, in the order of tables and legends."""

_OTHERS = (("brown", "star-diamond"), ("pink", "octagon"), ("green", "star-triangle-up"), ("grey", "square-cross"))
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


@dataclass(frozen=True)
class Look:
    """How a scheme is drawn.

    Attributes
    ----------
    colour
        A name in ``PALETTE``.
    symbol, dash
        As plotly names them.
    """

    colour: str
    symbol: str
    dash: str = "solid"

    @property
    def css(self) -> str:
        """The colour as the page names it."""
        return f"var(--s-{self.colour})"

    @property
    def band(self) -> str:
        """The colour of an interval around the line."""
        return f"var(--s-{self.colour}-band)"


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """Return how schemes look, in the order in which they are shown.

    Variants of one, such as ``asc`` and ``asc(draws=9)``, share a colour and differ in dash and marker.
    """
    known = list(CATALOGUE)
    given = list(dict.fromkeys(labels))
    names = {label: base_name(label) for label in given}
    rank = {name: known.index(name) if name in known else len(known) for name in names.values()}
    unknown = [name for name in dict.fromkeys(names.values()) if name not in CATALOGUE]
    found: dict[str, Look] = {}
    seen: dict[str, int] = {}
    for label in sorted(
        given, key=lambda label: (rank[names[label]], label.lower() != names[label], given.index(label))
    ):
        name = names[label]
        colour, symbol = CATALOGUE.get(name) or _OTHERS[unknown.index(name) % len(_OTHERS)]
        variant = seen[name] = seen.get(name, -1) + 1
        found[label] = Look(colour, symbol + "-open" * (variant % 2), _DASHES[variant % len(_DASHES)])
    return found


def base_name(label: str) -> str:
    """Return the scheme in a label such as ``law (no LLM)``, ``asc(draws=9)`` or ``ppo-mlp``."""
    return re.split(r"[\s(_-]", label.strip().lower(), maxsplit=1)[0]


def css_colours(dark: bool) -> str:
    """Return the palette as declarations of CSS variables."""
    declarations = []
    for name, values in PALETTE.items():
        value = values[dark]
        red, green, blue = (int(value[i : i + 2], 16) for i in (1, 3, 5))
        declarations.append(f"--s-{name}: {value}; --s-{name}-band: rgba({red}, {green}, {blue}, 0.14);")
    return " ".join(declarations)
