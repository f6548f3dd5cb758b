"""A made-up network: its facts as passages, questions that need two of them, and facts that change.

Neither fact of a question tells its answer alone. The commonest value among the options tells nothing either, by two
draws that cancel:

- Values of a site (of a cell, of a radio unit) come from Pólya's urn that begins with one ball of each value: given all
  others, a value has a probability in proportion to one plus the number of the others that have it.
- The site of a cell that is asked about is drawn in two steps: the value uniformly, then a site uniformly among those
  with that value that no other such cell has, so a site has a probability in proportion to one over their number.

So whoever lacks the cell's site sees all values equally likely, and whoever lacks the site's value too (but for values
that no free site is left with, which are rare).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.checks import integer, number
from solvers.knowledge.facts.phrasings import CHAINS, DIRECT, KINDS, NAMES, Chain
from solvers.knowledge.store.passages import Passage

OPTIONS = 4
"""The options of a question, of the six values that there are."""
Missing = Literal["first", "second"]


class Fact(NamedTuple):
    """That a thing has a value, such as a cell its site."""

    subject: str
    relation: str
    value: str

    @property
    def key(self) -> str:
        """The key of its passage: a fact that changes replaces the passage."""
        return f"{self.subject} {self.relation}"


class Asked(NamedTuple):
    """A question, and the subject and the two relations that lead to its answer."""

    question: Question
    subject: str
    chain: Chain


@dataclass(frozen=True)
class FactWorld:
    """Facts of a made-up network with the sentences that say them, and questions.

    Attributes
    ----------
    sentences
        The sentence of each fact.
    asked
        The questions.
    """

    sentences: Mapping[Fact, str]
    asked: tuple[Asked, ...]

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """A passage for each fact; the category is the relation."""
        return tuple(passage_of(fact, text) for fact, text in self.sentences.items())

    @cached_property
    def values(self) -> dict[tuple[str, str], str]:
        """The value of each subject and relation."""
        return {(fact.subject, fact.relation): fact.value for fact in self.sentences}

    def needed(self, asked: Asked) -> tuple[Fact, ...]:
        """Return the facts that lead to the answer of a question, in their order."""
        place, facts = asked.subject, []
        for relation in filter(None, asked.chain[:2]):
            facts.append(Fact(place, relation, self.values[place, relation]))
            place = facts[-1].value
        return tuple(facts)

    def without(self, asked: Asked, missing: Missing) -> FactWorld:
        """Return the world that lacks the first or the second fact of a question."""
        lost = self.needed(asked)[0 if missing == "first" else -1]
        return replace(self, sentences={fact: text for fact, text in self.sentences.items() if fact != lost})


def passage_of(fact: Fact, text: str) -> Passage:
    """Return the passage of a fact."""
    return Passage(fact.key, text, fact.relation)


def build(questions: int = 24, things: int = 120, seed: int = 0, *, joined: bool = True, direct: int = 0) -> FactWorld:
    """Draw a network.

    Parameters
    ----------
    questions
        Of each of the three chains (cell, site, operator; incident, cell, band; cell, radio unit, vendor).
    things
        The number of cells, sites, radio units and incidents, from ``questions`` to 120.
    seed
        Of all draws.
    joined
        Whether names are one word, such as Alderbridge, which no other thing has; else two, Alder Bridge, each of which
        others have too.
    direct
        Further questions, of each chain, that need its second fact alone.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    integer("things", things, 1, 120)
    integer("questions", questions, 1, things)
    integer("direct", direct, 0, things)
    rng = np.random.default_rng(seed)
    names = {kind: [_named(str(name), joined) for name in rng.permutation(own)] for kind, own in NAMES.items()}
    values: dict[tuple[str, str], str] = {}
    asked: list[Asked] = []
    for chain, plain in zip(CHAINS, DIRECT, strict=True):
        first, second = KINDS[chain.first], KINDS[chain.second]
        middles, ends = names[first.value][:things], names[second.value]
        drawn = _urn(len(middles), len(ends), rng)
        values |= {(name, chain.second): ends[value] for name, value in zip(middles, drawn, strict=True)}
        subjects = names[first.subject][:things]
        free = defaultdict(list)
        for name, value in zip(middles, drawn, strict=True):
            free[int(value)].append(name)
        for place, subject in enumerate(subjects):
            if place >= questions:
                values[subject, chain.first] = middles[rng.integers(things)]
                continue
            left = [value for value in range(len(ends)) if free[value]]
            spent = [value for value in range(len(ends)) if not free[value]]
            options = np.r_[rng.permutation(left), rng.permutation(spent)][:OPTIONS].astype(int)
            value = int(options[rng.integers(min(OPTIONS, len(left)))])
            values[subject, chain.first] = free[value].pop(rng.integers(len(free[value])))
            asked.append(_ask(chain, subject, [ends[option] for option in rng.permutation(options)], ends[value], rng))
        for name in rng.permutation(middles)[:direct].tolist():
            right = values[name, chain.second]
            wrong = rng.permutation([end for end in ends if end != right])[: OPTIONS - 1].tolist()
            asked.append(_ask(plain, name, rng.permutation([right, *wrong]).tolist(), right, rng))
    facts = [Fact(subject, relation, value) for (subject, relation), value in values.items()]
    order = rng.permutation(len(facts))
    return FactWorld({facts[place]: say(facts[place], rng) for place in order}, tuple(asked))


def _ask(chain: Chain, subject: str, options: Sequence[str], right: str, rng: np.random.Generator) -> Asked:
    """Return a question about a subject, in one of the chain's sentences."""
    text = chain.questions[rng.integers(len(chain.questions))].format(s=subject)
    key = f"{subject} {chain.first}>{chain.second}"
    return Asked(Question(key, text, tuple(options), options.index(right), chain.second), subject, chain)


def say(fact: Fact, rng: np.random.Generator) -> str:
    """Return a sentence that says a fact, one of its relation's at random."""
    sentences = KINDS[fact.relation].sentences
    text = sentences[rng.integers(len(sentences))].format(s=fact.subject, v=fact.value)
    return text[0].upper() + text[1:]


def change(world: FactWorld, share: float, rng: np.random.Generator) -> FactWorld:
    """Return the world after a share of its facts has changed, with the answers that are right then.

    Values are drawn anew among the others that the relation has, and said in a new sentence; a question whose answer is
    none of its options any more has its right value in the place of a random wrong one.

    Raises
    ------
    ValueError
        If the share is not from 0 to 1.
    """
    number("share", share, 0, 1)
    facts = list(world.sentences)
    pool = {relation: sorted({fact.value for fact in facts if fact.relation == relation}) for relation in KINDS}
    changed = set(rng.choice(len(facts), round(share * len(facts)), replace=False).tolist())
    sentences: dict[Fact, str] = {}
    for place, fact in enumerate(facts):
        others = [value for value in pool[fact.relation] if value != fact.value]
        if place not in changed or not others:
            sentences[fact] = world.sentences[fact]
            continue
        new = fact._replace(value=others[rng.integers(len(others))])
        sentences[new] = say(new, rng)
    moved = FactWorld(sentences, world.asked)
    return replace(moved, asked=tuple(_answered(moved, each, rng) for each in world.asked))


def _answered(world: FactWorld, asked: Asked, rng: np.random.Generator) -> Asked:
    """Return the question with the answer that is right in a world."""
    options, right = list(asked.question.options), world.needed(asked)[-1].value
    if right not in options:
        options[rng.integers(len(options))] = right
    question = replace(asked.question, options=tuple(options), answer=options.index(right))
    return asked._replace(question=question)


def commonest(world: FactWorld, asked: Asked, least: bool = False) -> int:
    """Return the option that most things have (or the fewest), the first of several: a guess by base rates."""
    counts = [
        sum(fact.relation == asked.chain.second and fact.value == option for fact in world.sentences)
        for option in asked.question.options
    ]
    return int(np.argmin(counts) if least else np.argmax(counts))


def _named(name: str, joined: bool) -> str:
    first, *rest = name.split()
    return first + "".join(rest).lower() if joined else name


def _urn(draws: int, values: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws (draws,) from Pólya's urn, which begins with a ball of each value."""
    balls = list(range(values))
    for _ in range(draws):
        balls.append(balls[rng.integers(len(balls))])
    return np.array(balls[values:], int)


def union(worlds: Iterable[FactWorld]) -> dict[str, Fact]:
    """Return the fact that each sentence of some worlds says, for the exact reader."""
    return {text: fact for world in worlds for fact, text in world.sentences.items()}
