"""Sentences that say what a scene holds, from templates with synonyms: the text that a radio encoder is trained with.

A sentence is a frame around a clause for each condition. Clauses and frames hold slots such as ``{our}``, for which a
synonym is drawn. Sentences written by hand, which share no template with these, are in ``eval/studies/perception``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from string import Formatter

import numpy as np

from secagent_env.radio_scenes.conditions import CONDITIONS, condition_set

SYNONYMS: dict[str, tuple[str, ...]] = {
    "our": ("our", "the served", "the wanted", "the desired"),
    "user": ("user", "terminal", "device", "handset", "mobile"),
    "neighbour": ("neighbouring transmitter", "neighbouring cell", "adjacent access point", "co-channel sender"),
    "static": ("fixed", "stationary", "resting", "static"),
    "part": ("part of the band", "some of the subcarriers", "a few subcarriers", "a slice of the spectrum"),
    "whole": ("the whole band", "every subcarrier", "the entire spectrum", "the full bandwidth"),
    "jammer": ("jammer", "hostile transmitter", "jamming device", "malicious sender"),
    "noise": ("noise", "barrage noise", "broadband noise", "a noise-like signal"),
    "strong": ("strong", "clear", "noticeable", "considerable"),
    "direct": ("line of sight", "direct path", "line-of-sight path", "direct ray"),
    "object": ("an obstacle", "a wall", "a building", "some object", "a body"),
    "quick": ("quickly", "rapidly", "at high speed", "fast"),
    "passing": ("passing", "moving", "driving", "fast-moving"),
    "channel": ("channel", "link", "channel response"),
    "fine": ("healthy", "undisturbed", "clean", "in good order"),
    "sees": ("detects", "observes", "measures", "sees"),
    "station": ("The base station", "The receiver", "The array", "The access point"),
}

CLAUSES: dict[str, tuple[str, ...]] = {
    "interference": (
        "a {static} {neighbour} sends on {part}",
        "{strong} co-channel interference from a {static} source occupies {part}",
        "{part} is occupied by a {static} {neighbour}",
        "a {neighbour} that stays in its place disturbs {part}",
        "there is {strong} narrowband interference from a {static} neighbour",
        "an interferer at rest collides with us on {part}",
        "inter-cell interference of a {static} sender is heard on {part}",
        "someone who does not move transmits data on {part}",
    ),
    "blockage": (
        "{object} blocks the {direct}",
        "the {direct} to {our} {user} is lost",
        "{our} {user} is in the shadow of {object}",
        "the signal of {our} {user} is weak because {object} stands in the way",
        "there is no {direct}, and {our} signal arrives by scatter alone",
        "the {direct} is obstructed and the level has dropped",
        "{our} {user} is hidden behind {object}",
        "blockage attenuates {our} {channel}",
    ),
    "moving neighbour": (
        "a {passing} {neighbour} sends on {part}",
        "interference from a {passing} source occupies {part}",
        "a {neighbour} travels past {quick} while it transmits on {part}",
        "an interferer in motion changes its direction {quick}",
        "{part} is disturbed by a {passing} neighbour",
        "a vehicle with a transmitter passes by and interferes on {part}",
        "the spatial signature of the interference on {part} changes {quick}",
        "a mobile interferer is {passing} by",
    ),
    "jamming": (
        "a {jammer} covers {whole} with {noise}",
        "{noise} from a {jammer} fills {whole}",
        "{whole} is jammed",
        "a {jammer} raises the noise floor over {whole}",
        "there is {strong} jamming on {whole}",
        "deliberate {noise} drowns {whole}",
        "an attack with {noise} hits {whole}",
        "{whole} is flooded by a {jammer}",
    ),
    "doppler": (
        "{our} {user} moves {quick}",
        "{our} {channel} changes {quick} because {our} {user} moves",
        "the Doppler shift of {our} {user} is high",
        "a high Doppler spread makes {our} {channel} age {quick}",
        "{our} {user} travels {quick}, and channel estimates are soon outdated",
        "{our} {user} sits in a fast vehicle",
        "the phase of {our} {channel} rotates {quick}",
        "the mobility of {our} {user} is high",
    ),
}
CLEAR = (
    "{our} {channel} is {fine}",
    "nothing disturbs {our} {channel}",
    "{our} {user} is received in {direct} without any disturbance",
    "there is neither interference nor jamming, and the {direct} is free",
    "the scene is clear and {our} {user} hardly moves",
    "{our} {channel} is strong and steady",
    "everything is normal on {our} {channel}",
    "no problem is found on {our} {channel}",
)
FRAMES = (
    "{clauses}.",
    "{station} {sees} that {clauses}.",
    "Report: {clauses}.",
    "In this scene {clauses}.",
    "At the moment {clauses}.",
    "Observation of the radio: {clauses}.",
)
JOINTS = (" and ", ", and ", ", while ", "; also, ", "; besides, ", ". Moreover, ")
_SLOT = re.compile(r"\{(\w+)\}")


def describe(conditions: Collection[str], rng: np.random.Generator) -> str:
    """Return a sentence that says a set of conditions; ValueError for an unknown condition."""
    wanted = condition_set(conditions)
    clauses = [_filled(_one(CLAUSES[name], rng), rng) for name in CONDITIONS if name in wanted]
    rng.shuffle(clauses)
    text = clauses[0] if clauses else _filled(_one(CLEAR, rng), rng)
    for clause in clauses[1:]:
        text += _one(JOINTS, rng) + clause
    sentence = _filled(_one(FRAMES, rng).replace("{clauses}", text.replace("{", "{{")), rng)
    return sentence[0].upper() + sentence[1:]


def descriptions(conditions: Collection[str], count: int, rng: np.random.Generator) -> list[str]:
    """Return different sentences that say a set of conditions, at most ``count``; fewer where there are no more."""
    drawn: dict[str, None] = {}
    for _ in range(4 * count):
        drawn.setdefault(describe(conditions, rng))
        if len(drawn) == count:
            break
    return list(drawn)


def is_generated(sentence: str) -> bool:
    """Whether a template gives this sentence, whatever synonyms are drawn; case does not count."""
    return _LANGUAGE.fullmatch(sentence.strip()) is not None


def _one(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[rng.integers(len(choices))]


def _filled(template: str, rng: np.random.Generator) -> str:
    slots = [name for _, name, _, _ in Formatter().parse(template) if name]
    for name in slots:
        template = template.replace(f"{{{name}}}", _one(SYNONYMS[name], rng), 1)
    return template


def _pattern(template: str) -> str:
    """Return a regular expression of all that a template gives."""
    parts = _SLOT.split(template)
    return "".join(
        f"(?:{'|'.join(map(re.escape, SYNONYMS[part]))})" if place % 2 else re.escape(part)
        for place, part in enumerate(parts)
    )


def _language() -> re.Pattern[str]:
    """Return a regular expression of all sentences: a frame around any clauses with any joints."""
    clause = f"(?:{'|'.join(_pattern(one) for clauses in (*CLAUSES.values(), CLEAR) for one in clauses)})"
    joint = f"(?:{'|'.join(map(re.escape, JOINTS))})"
    frames = (map(_pattern, frame.split("{clauses}")) for frame in FRAMES)
    several = f"{clause}(?:{joint}{clause})*"
    return re.compile("|".join(several.join(frame) for frame in frames), re.IGNORECASE)


_LANGUAGE = _language()
