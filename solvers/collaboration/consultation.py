"""A small exchange: an agent answers a question with its partners' help, at one of the levels of collaboration.

Whatever passes between them is a message of :mod:`solvers.collaboration.levels`; nothing else is known to the other
side. A request is sent once and heard by all partners, each reply is sent by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from secagent_env.questions import Question
from solvers.collaboration.levels import (
    Information,
    Inquiries,
    Intent,
    Level,
    Message,
    Opinion,
    Pointers,
    check_level,
    coarse,
    decode,
    encode,
)
from solvers.collaboration.student import Student, inquiry_of
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.lookup import group_of, query
from solvers.knowledge.store.passages import Passage
from solvers.reasoning.answer import Answer
from solvers.reasoning.votes import vote

CONCEPTS = 8
"""Of an intent, at most."""
REASON = 120
"""Length of a reason, in characters, at most."""
_WORD = re.compile(r"\w{2,}")


class Shared:
    """A knowledge base that both sides have, with the vocabulary of their intents: all its words, in their order.

    Parameters
    ----------
    base
        What was sent beforehand; ``base.size_bits`` is what that took.
    """

    def __init__(self, base: KnowledgeBase) -> None:
        self.base = base
        self._texts_with = Counter(word for passage in base.passages for word in _words(passage.text))
        self._words = sorted(self._texts_with)
        self._number = {word: number for number, word in enumerate(self._words)}

    def concepts(self, text: str, most: int = CONCEPTS) -> tuple[int, ...]:
        """Return the numbers of the words of a text that the fewest passages have, in ascending order."""
        known = sorted(_words(text) & self._number.keys(), key=lambda word: (self._texts_with[word], word))
        return tuple(sorted(self._number[word] for word in known[:most]))

    def text(self, concepts: Iterable[int]) -> str:
        """Return the words of concepts; numbers that none has are left out."""
        return " ".join(self._words[number] for number in concepts if number < len(self._words))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


@dataclass(frozen=True)
class Consultation:
    """What came of asking partners.

    Attributes
    ----------
    answer
        Of the agent, with their help.
    request, replies
        What was sent; empty where nothing was.
    ignored
        How many replies were no use: damaged, or not what was asked for.
    """

    answer: Answer
    request: bytes
    replies: tuple[bytes, ...]
    ignored: int

    @property
    def request_bits(self) -> int:
        """What the request took, bit."""
        return 8 * len(self.request)

    @property
    def reply_bits(self) -> int:
        """What the replies took, bit."""
        return 8 * sum(map(len, self.replies))


def consult(
    asker: Student,
    partners: Sequence[Student],
    question: Question,
    level: Level,
    rng: np.random.Generator,
    *,
    shared: Shared | None = None,
    vector: bool = False,
    reason: int = REASON,
) -> Consultation:
    """Answer a question with partners' help.

    Parameters
    ----------
    asker, partners
        Who has the question, and who is asked; none of them learns anything from it.
    question
        The question.
    level
        ``"information"``: partners send the passages nearest to the question, the agent reads the nearest of these and
        its own. ``"decision"``: partners send their options, confidences and reasons; the agent answers again with
        the reasons, then all vote, weighted by confidence. ``"intent"``: the agent sends the concepts of its question;
        the first partner predicts which passages of the shared base it needs, and points to them.
    rng
        Of everything random in the reasoners.
    shared
        For the intent level: what both have.
    vector
        Whether an intent is the coarse vector of the question instead of its concepts.
    reason
        How long reasons are, in characters, at most; 0: partners only vote.

    Raises
    ------
    ValueError
        If the level is unknown, or an intent is to be sent without a shared base.
    """
    check_level(level)
    if level == "intent" and shared is None:
        raise ValueError("an intent is understood by what both have: give the shared base")
    request = encode(_request(asker, question, level, shared, vector))
    asked = partners[:1] if level == "intent" else partners
    replies = tuple(respond(partner, request, question, level, rng, shared=shared, reason=reason) for partner in asked)
    answer, ignored = conclude(asker, question, level, replies, rng, shared=shared)
    return Consultation(answer, request if asked else b"", replies, ignored)


def _request(asker: Student, question: Question, level: Level, shared: Shared | None, vector: bool) -> Message:
    if shared is None or level != "intent":
        return Inquiries((inquiry_of(question, passage=level == "decision"),))
    if vector:
        return Intent(vector=coarse(asker.encoder.encode([query(question)])[0]))
    return Intent(concepts=shared.concepts(query(question)))


def respond(
    partner: Student,
    request: bytes,
    question: Question,
    level: Level,
    rng: np.random.Generator,
    *,
    shared: Shared | None = None,
    reason: int = REASON,
) -> bytes:
    """Return what a partner replies to a request, of which it knows nothing else.

    Parameters
    ----------
    partner
        Who replies.
    request
        As it was sent.
    question
        What a *simulated* reasoner is told beyond the request, as it needs the right answer; others do not read it.
    level, rng, shared, reason
        See :func:`consult`.

    Raises
    ------
    ValueError
        If the request is none of this level.
    """
    asked = decode(request)
    if isinstance(asked, Intent) and level == "intent" and shared is not None:
        return encode(Pointers(_predicted(partner, asked, shared)))
    if not isinstance(asked, Inquiries) or len(asked.questions) != 1 or level == "intent":
        raise ValueError(f"a request at the {level} level cannot be a message of {type(asked).__name__.lower()}")
    [inquiry] = asked.questions
    passages, _ = partner.retrieve(inquiry)
    if level == "information":
        return encode(Information(passages))
    told = replace(question, text=inquiry.text, options=inquiry.options, passage=inquiry.passage, explanation="")
    answer = partner.reasoner.answer(told, [passage.text for passage in passages], rng)
    why = answer.explanation or (passages[0].text if passages else "")
    return encode(Opinion(answer.option, answer.confidence, why[:reason]))


def _predicted(partner: Student, intent: Intent, shared: Shared) -> tuple[int, ...]:
    """Return which passages of the shared base an intent is about."""
    if intent.concepts:
        wanted = partner.encoder.encode([shared.text(intent.concepts)])
    else:
        wanted = np.array([intent.vector], np.float32)
    if wanted.shape[1] != partner.encoder.dimension or not wanted.any():
        return ()
    wanted /= np.linalg.norm(wanted)
    indices, _ = shared.base.search(wanted, partner.passages)
    return tuple(index for index in indices[0].tolist() if index >= 0)


def conclude(
    asker: Student,
    question: Question,
    level: Level,
    replies: Sequence[bytes],
    rng: np.random.Generator,
    *,
    shared: Shared | None = None,
) -> tuple[Answer, int]:
    """Return the answer of an agent that has replies, and how many of these were no use.

    The arguments are those of :func:`consult`, and the replies as they were sent.
    """
    own, _ = asker.retrieve(question)
    useful = [message for message in (_understood(reply, question, level, shared) for reply in replies) if message]
    ignored = len(replies) - len(useful)
    if level == "decision":
        opinions = [message for message in useful if isinstance(message, Opinion)]
        return _decided(asker, question, own, opinions, rng), ignored
    found = list(own)
    for message in useful:
        if isinstance(message, Information):
            found += message.passages
        elif isinstance(message, Pointers) and shared is not None:
            found += [shared.base.passages[index] for index in message.indices]
    return asker.reasoner.answer(question, _nearest(asker, question, found), rng), ignored


def _understood(reply: bytes, question: Question, level: Level, shared: Shared | None) -> Message | None:
    """Return a reply if it can be used, else None."""
    try:
        message = decode(reply)
    except ValueError:
        return None
    match message:
        case Information():
            return message if level == "information" else None
        case Opinion(option, _, _):
            return message if level == "decision" and (option is None or option < len(question.options)) else None
        case Pointers(indices):
            size = len(shared.base.passages) if shared is not None else 0
            return message if level == "intent" and all(index < size for index in indices) else None
    return None


def _nearest(asker: Student, question: Question, passages: Sequence[Passage]) -> list[str]:
    """Return the texts nearest to a question, without doubles and those of its own group."""
    group = group_of(question)
    texts = list(dict.fromkeys(passage.text for passage in passages if passage.group != group))
    scores = asker.encoder.encode(texts) @ asker.encoder.encode([query(question)])[0] if texts else np.empty(0)
    return [texts[index] for index in np.argsort(-scores, kind="stable")[: asker.passages]]


def _decided(
    asker: Student,
    question: Question,
    own: Sequence[Passage],
    opinions: Sequence[Opinion],
    rng: np.random.Generator,
) -> Answer:
    """Return the answer that the vote makes; where it is tied, the agent's own one if it is among these."""
    reasons = [opinion.reason for opinion in opinions if opinion.reason]
    answer = asker.reasoner.answer(question, [*(passage.text for passage in own), *reasons], rng)
    voters = [Opinion(answer.option, answer.confidence), *opinions]
    weights = [1.0 if voter.confidence is None else voter.confidence for voter in voters]
    tally = vote([voter.option for voter in voters], len(question.options), weights)
    if tally.option is None or answer.option in tally.tied:
        return answer
    total = sum(tally.counts)
    confidence = tally.counts[tally.option] / total if total > 0 else None
    return Answer(tally.option, confidence, "voted", "")
