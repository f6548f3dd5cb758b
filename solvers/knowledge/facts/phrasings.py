"""Names and sentences of the made-up network.

The sentences were written by hand for this corpus, and not after the rules of
:mod:`solvers.knowledge.structure.concepts`, which reads them like any other text.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple


class Kind(NamedTuple):
    """A relation: the kinds of its two ends, whether the value is one of a few, and its sentences."""

    subject: str
    value: str
    closed: bool
    sentences: tuple[str, ...]


class Chain(NamedTuple):
    """Two relations, one after the other, and the sentences that ask for the value at the end.

    Without a ``first`` the question is about the subject of the second, and needs one fact.
    """

    first: str
    second: str
    questions: tuple[str, ...]


def _pairs(ones: str, others: str) -> tuple[str, ...]:
    return tuple(f"{one} {other}" for one, other in product(ones.split(), others.split()))


NAMES = {
    "cell": _pairs(
        "Amber Cobalt Crimson Ivory Jade Lilac Magenta Ochre Scarlet Teal Umber Violet",
        "Bittern Curlew Egret Falcon Heron Kestrel Lapwing Merlin Osprey Plover",
    ),
    "site": _pairs(
        "Alder Aspen Birch Cedar Elm Hazel Juniper Larch Maple Rowan Spruce Willow",
        "Bridge Common Court Ferry Green Hill Lane Quay Ridge Wharf",
    ),
    "radio unit": _pairs(
        "Agate Basalt Beryl Feldspar Garnet Jasper Onyx Opal Pumice Quartz Topaz Zircon",
        "Alto Bravo Corona Delta Duo Forte Lite Max Prime Solo",
    ),
    "incident": _pairs(
        "Anise Basil Borage Caraway Chervil Fennel Lovage Mint Nutmeg Sage Tarragon Thyme",
        "Comet Eclipse Equinox Meteor Nebula Nova Orbit Pulsar Quasar Zenith",
    ),
    "operator": ("Brightline", "Northwave", "Orbicom", "Quantel", "Telluna", "Vestelo"),
    "band": ("n1", "n28", "n41", "n71", "n78", "n258"),
    "vendor": ("Halvorsen", "Kestrelon", "Lumenwork", "Mikado", "Ostrava", "Tesserant"),
}
"""The names of each kind of thing: 120, or six of those that a question has as options."""

KINDS = {
    "stands": Kind(
        "cell",
        "site",
        False,
        (
            "Cell {s} stands at {v}.",
            "At {v} the planners put up cell {s}.",
            "You find the antennas of {s} on the mast of {v}.",
            "{v} hosts, among its tenants, the cell {s}.",
            "The sectors called {s} radiate from {v}.",
            "Whoever climbs the tower of {v} reaches the panels of cell {s}.",
            "After the move, {s} went on air from {v}.",
            "In the inventory, {s} appears below the address {v}.",
        ),
    ),
    "runs": Kind(
        "site",
        "operator",
        True,
        (
            "{s} is run by {v}.",
            "The keys of {s} lie with {v}.",
            "{v} pays the rent for {s}.",
            "Ever since the auction, {s} has belonged to {v}.",
            "For visits to {s}, call the control room of {v}.",
            "{v} looks after {s} and everything on it.",
            "The licence plate on the fence of {s} reads {v}.",
            "Among the grounds in the portfolio of {v} there is {s}.",
        ),
    ),
    "struck": Kind(
        "incident",
        "cell",
        False,
        (
            "Incident {s} struck cell {v}.",
            "Cell {v} went silent during incident {s}.",
            "The alarm that opened {s} came from {v}.",
            "In the report on {s}, engineers trace the outage to cell {v}.",
            "{s}: no traffic on {v} for an hour.",
            "What the night shift logged as {s} was a failure of {v}.",
            "Customers below {v} lost service; the desk filed this as {s}.",
            "The root of {s} turned out to lie in cell {v}.",
        ),
    ),
    "sends": Kind(
        "cell",
        "band",
        True,
        (
            "Cell {s} sends on {v}.",
            "The carrier of {s} sits in {v}.",
            "{v} is where {s} transmits.",
            "Phones hear {s} when they tune to {v}.",
            "For {s} the planners reserved spectrum in {v}.",
            "A scanner set to {v} picks up cell {s}.",
            "{s} was retuned, and now occupies {v}.",
            "Spectrum sheet, row {s}: {v}.",
        ),
    ),
    "carries": Kind(
        "cell",
        "radio unit",
        False,
        (
            "Cell {s} carries the radio unit {v}.",
            "Behind the panels of {s} hums a {v}.",
            "The crew bolted a {v} to cell {s}.",
            "{s} was refitted last spring; its radio unit is a {v} now.",
            "A {v} drives the antennas of cell {s}.",
            "On the parts list of {s} you read: one {v}.",
            "Power for {s} comes out of a {v}.",
            "Remote unit {v} answers when one polls {s}.",
        ),
    ),
    "makes": Kind(
        "radio unit",
        "vendor",
        True,
        (
            "The {s} is made by {v}.",
            "{v} builds the {s}.",
            "The {s} leaves the factory of {v}.",
            "Spare parts for a {s} are ordered from {v}.",
            "On the type plate of every {s} stands the name {v}.",
            "{v} put the {s} on the market.",
            "Firmware of the {s} comes from the laboratories of {v}.",
            "The catalogue of {v} lists the {s}.",
        ),
    ),
}
"""Relations by name; ``{s}`` stands for the subject, ``{v}`` for the value."""

CHAINS = (
    Chain(
        "stands",
        "runs",
        (
            "Who runs the site on which cell {s} stands?",
            "A technician must open the gate below cell {s}: which operator is in charge there?",
            "To which company does the ground under {s} belong?",
            "Cell {s} shares a mast; whom does one call about the place?",
        ),
    ),
    Chain(
        "struck",
        "sends",
        (
            "On which band does the cell of incident {s} send?",
            "Which spectrum fell silent during {s}?",
            "Incident {s} took one cell off the air: in which band was it?",
            "After {s}, where in the spectrum was a carrier missing?",
        ),
    ),
    Chain(
        "carries",
        "makes",
        (
            "Which vendor made the radio unit of cell {s}?",
            "The radio of {s} is broken: whose factory delivers a new one?",
            "From whom come the electronics behind the antennas of cell {s}?",
            "Who is the manufacturer of what is bolted to {s}?",
        ),
    ),
)

DIRECT = (
    Chain("", "runs", ("Who runs {s}?", "Which operator is in charge at {s}?")),
    Chain("", "sends", ("On which band does cell {s} send?", "Which spectrum does {s} occupy?")),
    Chain("", "makes", ("Which vendor makes the {s}?", "From whose factory comes a {s}?")),
)
"""Questions that need one fact."""
