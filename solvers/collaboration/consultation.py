"""A small exchange: an agent answers a question with its partners' help, at one of the levels of collaboration.

Agents know each other's knowledge only from messages of :mod:`solvers.collaboration.levels`. A request is
broadcast once to all partners, and each partner sends its own reply.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from secagent_env.questions import Question
from solvers.collaboration.levels import (
    AgentMessage,
    Information,
    Inquiries,
    Intent,
    Level,
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
"""The most concepts of an intent."""
REASON = 120
"""The most characters of a reason."""
_WORD = re.compile(r"\w{2,}")


class Shared:
    """A knowledge base that both sides have, and its sorted words, which are the vocabulary of intents.

    Parameters
    ----------
    base
        The base that was sent beforehand, in ``base.size_bits``.
    """

    def __init__(self, base: KnowledgeBase) -> None:
        self.base = base
        self._texts_with = Counter(word for passage in base.passages for word in _words(passage.text))
        self._words = sorted(self._texts_with)
        self._number = {word: number for number, word in enumerate(self._words)}

    def concepts(self, text: str, most: int = CONCEPTS) -> tuple[int, ...]:
        """Return the numbers of a text's words that the fewest passages hold, in ascending order."""
        known = sorted(_words(text) & self._number.keys(), key=lambda word: (self._texts_with[word], word))
        return tuple(sorted(self._number[word] for word in known[:most]))

    def text(self, concepts: Iterable[int]) -> str:
        """Return the words of concepts; unknown numbers are left out."""
        return " ".join(self._words[number] for number in concepts if number < len(self._words))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


@dataclass(frozen=True)
class Consultation:
    """The result of a consultation.

    Attributes
    ----------
    answer
        The agent's answer, with its partners' help.
    request, replies
        The messages; empty where none were sent.
    ignored
        The number of replies that could not be used: damaged, or of the wrong kind.
    """

    answer: Answer
    request: bytes
    replies: tuple[bytes, ...]
    ignored: int

    @property
    def request_bits(self) -> int:
        """The bits of the request."""
        return 8 * len(self.request)

    @property
    def reply_bits(self) -> int:
        """The bits of all replies."""
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
        The agent with the question, and its partners; their knowledge does not change.
    question
        The question.
    level
        ``"information"``: partners send the passages nearest to the question, the agent reads the nearest of these and
        its own. ``"decision"``: partners send their options, confidences and reasons; the agent answers again with
        the reasons, then all vote, weighted by confidence. ``"intent"``: the agent sends the concepts of its question;
        the first partner predicts which passages of the shared base it needs, and points to them.
    rng
        The generator of the reasoners' random numbers.
    shared
        The base that both sides have, for the intent level.
    vector
        Whether an intent is the coarse vector of the question instead of its concepts.
    reason
        The most characters of a reason; 0: partners only vote.

    Raises
    ------
    ValueError
        If the level is unknown, or an intent is to be sent without a shared base.
    """
    check_level(level)
    if level == "intent" and shared is None:
        raise ValueError("an intent refers to a base that both sides have: give the shared base")
    request = encode(_request(asker, question, level, shared, vector))
    partners = partners[:1] if level == "intent" else partners
    replies = tuple(respond(each, request, question, level, rng, shared=shared, reason=reason) for each in partners)
    answer, ignored = conclude(asker, question, level, replies, rng, shared=shared)
    return Consultation(answer, request if partners else b"", replies, ignored)


def _request(asker: Student, question: Question, level: Level, shared: Shared | None, vector: bool) -> AgentMessage:
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
    """Return a partner's reply to a request; raise ValueError if it is not one of this level.

    Only a *simulated* reasoner reads the question's right answer. See :func:`consult` for the other arguments.
    """
    message = decode(request)
    if isinstance(message, Intent) and level == "intent" and shared is not None:
        return encode(Pointers(_predicted(partner, message, shared)))
    if not isinstance(message, Inquiries) or len(message.questions) != 1 or level == "intent":
        raise ValueError(f"a request at the {level} level cannot be a message of {type(message).__name__.lower()}")
    [inquiry] = message.questions
    passages, _ = partner.retrieve(inquiry)
    if level == "information":
        return encode(Information(passages))
    received = replace(question, text=inquiry.text, options=inquiry.options, passage=inquiry.passage, explanation="")
    answer = partner.reasoner.answer(received, [passage.text for passage in passages], rng)
    explanation = answer.explanation or (passages[0].text if passages else "")
    return encode(Opinion(answer.option, answer.confidence, explanation[:reason]))


def _predicted(partner: Student, intent: Intent, shared: Shared) -> tuple[int, ...]:
    """Return the indices of the passages in the shared base nearest to an intent."""
    if intent.concepts:
        vector = partner.encoder.encode([shared.text(intent.concepts)])
    else:
        vector = np.array([intent.vector], np.float32)
    if vector.shape[1] != partner.encoder.dimension or not vector.any():
        return ()
    vector /= np.linalg.norm(vector)
    indices, _ = shared.base.search(vector, partner.passages)
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
    """Return the answer of an agent after its partners' replies, and the number of replies that it ignored.

    See :func:`consult` for the other arguments.
    """
    own, _ = asker.retrieve(question)
    useful = [message for reply in replies if (message := _usable(reply, question, level, shared))]
    ignored = len(replies) - len(useful)
    if level == "decision":
        opinions = [message for message in useful if isinstance(message, Opinion)]
        return _decided(asker, question, own, opinions, rng), ignored
    passages = list(own)
    for message in useful:
        if isinstance(message, Information):
            passages += message.passages
        elif isinstance(message, Pointers) and shared is not None:
            passages += [shared.base.passages[index] for index in message.indices]
    return asker.reasoner.answer(question, _nearest(asker, question, passages), rng), ignored


def _usable(reply: bytes, question: Question, level: Level, shared: Shared | None) -> AgentMessage | None:
    """Return the message in a reply if it can be used, else None."""
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
    """Return the texts nearest to a question, without repetitions and texts of its own group."""
    group = group_of(question)
    texts = list(dict.fromkeys(passage.text for passage in passages if passage.group != group))
    scores = asker.encoder.encode(texts) @ asker.encoder.encode([query(question)])[0] if texts else np.empty(0)
    return [texts[index] for index in np.argsort(-scores, kind="stable")[: asker.passages]]


def _decided(
    asker: Student, question: Question, own: Sequence[Passage], opinions: Sequence[Opinion], rng: np.random.Generator
) -> Answer:
    """Return the answer of the vote; of tied options the agent's own, if it is among them."""
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
