"""How schemes look: each has one colour, marker, dash and place, in every picture and in the report.

Colours are Okabe and Ito's, and a few of Tol's, which readers with colour-blindness can tell apart; markers repeat the
distinction. A colour has a value on white, which pictures use, and one on black; the report's page picks between them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
LIGHT = {name: light for name, (light, _) in PALETTE.items()}
"""By name: on a light ground."""

CATALOGUE: dict[str, tuple[str, ...]] = {
    "exact": ("ink", "x"),
    "asc-plus": ("blue", "diamond-tall", "dash"),
    "asc": ("blue", "circle"),
    "best-first": ("sky", "star-diamond"),
    "asc-printed": ("blue", "octagon", "dot"),
    "robust": ("green", "star-triangle-up"),
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
"""By the first word of a label, in the order of tables and legends: colour, marker, and dash unless it is solid."""

_OTHERS = (("brown", "star-diamond"), ("pink", "octagon"), ("green", "star-triangle-up"), ("grey", "star-square"))
_VARIANTS = ("diamond", "triangle-up", "square", "circle")
"""Symbols of further variants of a scheme, after its own, each filled and open."""
_DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": "--",
    "dot": ":",
    "dashdot": "-.",
    "longdash": (0, (9, 3)),
    "longdashdot": (0, (9, 3, 2, 3)),
}
"""Plotly's names of dashes, in the order in which variants of a scheme take them, and what matplotlib calls them."""
_MARKERS: dict[str, Any] = {
    "x": "X",
    "circle": "o",
    "triangle-up": "^",
    "triangle-down": "v",
    "square": "s",
    "diamond": "D",
    "diamond-tall": "d",
    "hexagon": "h",
    "hexagon2": "H",
    "pentagon": "p",
    "octagon": "8",
    "cross": "P",
    "star": "*",
    "star-triangle-up": (3, 1, 0),
    "star-diamond": (4, 1, 0),
    "star-square": (4, 1, 45),
    "hexagram": (6, 1, 0),
    "bowtie": ((-1, -1), (-1, 1), (1, -1), (1, 1), (-1, -1)),
    "hourglass": ((-1, -1), (1, -1), (-1, 1), (1, 1), (-1, -1)),
}
"""Plotly's names of markers, and what matplotlib calls them."""

LONGEST = 72
"""Labels of more characters are cut in pictures."""


@dataclass(frozen=True)
class Look:
    """How a scheme is drawn.

    Attributes
    ----------
    colour
        A name in ``PALETTE``.
    symbol, dash
        As plotly names them; ``marker`` and ``line`` are matplotlib's.
    """

    colour: str
    symbol: str
    dash: str = "solid"

    @property
    def light(self) -> str:
        """The colour on a light ground."""
        return LIGHT[self.colour]

    @property
    def marker(self) -> Any:
        """The marker, always a filled one, as matplotlib takes it."""
        return _MARKERS[self.symbol.removesuffix("-open")]

    @property
    def face(self) -> str:
        """The colour inside of the marker, for pictures in which no dash tells variants apart."""
        return "white" if self.symbol.endswith("-open") else self.light

    @property
    def line(self) -> Any:
        """The dash as matplotlib takes it."""
        return _DASHES[self.dash]

    @property
    def css(self) -> str:
        """The colour as the report's page names it."""
        return f"var(--s-{self.colour})"

    @property
    def band(self) -> str:
        """The colour of an interval around the line."""
        return f"var(--s-{self.colour}-band)"


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """Return how schemes look, in the order in which they are shown.

    Variants of one, such as ``asc`` and ``asc(draws=9)``, share a colour and differ in dash and marker.
    """
    catalogue, dashes = list(CATALOGUE), list(_DASHES)
    given = list(dict.fromkeys(labels))
    names = {label: base_name(label) for label in given}
    unknown = [name for name in dict.fromkeys(names.values()) if name not in CATALOGUE]

    def place(label: str) -> tuple[int, bool, int]:
        name = names[label]
        rank = catalogue.index(name) if name in CATALOGUE else len(catalogue)
        return rank, label.lower() != name, given.index(label)

    shown: dict[str, Look] = {}
    variants: Counter[str] = Counter()
    for label in sorted(given, key=place):
        name = names[label]
        colour, symbol, *dash = CATALOGUE.get(name) or _OTHERS[unknown.index(name) % len(_OTHERS)]
        first = dashes.index(dash[0]) if dash else 0
        variant = variants[name]
        variants[name] += 1
        symbols = [symbol, *(other for other in _VARIANTS if other != symbol)]
        symbol = symbols[variant // 2 % len(symbols)] + "-open" * (variant % 2)
        shown[label] = Look(colour, symbol, dashes[(first + variant) % len(dashes)])
    return shown


def base_name(label: str) -> str:
    """Return the scheme in a label such as ``law (no LLM)``, ``asc(draws=9)`` or ``ppo-mlp``."""
    word = re.split(r"[\s(,]", label.strip().lower(), maxsplit=1)[0]
    return word if word in CATALOGUE else re.split("[_-]", word, maxsplit=1)[0]


def drawn(label: str) -> str:
    """Return a label as matplotlib shows it: short, without formulas and characters that its font has not."""
    text = "".join(c if c.isprintable() and ord(c) < 0x2600 else "?" for c in label)
    text = f"{text[:LONGEST]}…" if len(text) > LONGEST else text
    return text.replace("$", r"\$")


def css_colours(dark: bool) -> str:
    """Return the palette as declarations of CSS variables."""
    declarations = []
    for name, values in PALETTE.items():
        value = values[dark]
        red, green, blue = (int(value[i : i + 2], 16) for i in (1, 3, 5))
        declarations.append(f"--s-{name}: {value}; --s-{name}-band: rgba({red}, {green}, {blue}, 0.14);")
    return " ".join(declarations)
