"""The distributed paradigm: agents of similar ability answer, learn from revealed answers, and share them.

Every peer has its own base and a stream of questions. After its answer to a question the right one is revealed, and the
explanation becomes knowledge for other questions. Peers send messages of :mod:`solvers.collaboration.levels`, each
counted once for each time that it is sent: all peers hear a broadcast (GenAINet, III-C).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.errors import check_name
from solvers.collaboration.levels import AgentMessage, Information, Inquiries, Pointers, decode, encode
from solvers.collaboration.student import Student, inquiry_of, warm
from solvers.knowledge.corpus import explanations
from solvers.knowledge.store.lookup import group_of
from solvers.knowledge.store.passages import Passage
from solvers.reasoning.answer import Answer

M = TypeVar("M", bound=AgentMessage)
Sharing = Literal["alone", "broadcast", "request", "gossip", "central"]
SHARING: tuple[Sharing, ...] = ("alone", "broadcast", "request", "gossip", "central")


@dataclass(frozen=True)
class PeerRound:
    """A round, in which every peer answers a question.

    Attributes
    ----------
    correct
        Whether each peer's answer was right.
    bits
        The bits of all messages.
    messages
        The number of messages.
    passages
        The number of passages that each peer has at the end.
    """

    correct: tuple[bool, ...]
    bits: int
    messages: int
    passages: tuple[int, ...]

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(np.mean(self.correct))


class Peers:
    """Agents that answer streams of questions and share knowledge.

    Parameters
    ----------
    peers
        The agents, each with its own base, which grows.
    sharing
        ``"alone"``: nothing is sent. ``"broadcast"``: a peer sends new passages to all others. ``"request"``: a peer
        that cannot answer asks all others, which send passages that are nearer to the question than its own; it answers
        again and keeps them. ``"gossip"``: after each round, every peer sends 32-bit checksums of its passages to
        another peer, drawn at random, and receives the passages that it lacks. ``"central"``: a teacher sends the
        knowledge of all peers to all before the first round, and the revealed explanations after each round.
    seed
        The seed of the reasoners, and of the partners in gossip.

    Raises
    ------
    ValueError
        If the way of sharing is unknown, or there is no peer.
    """

    def __init__(self, peers: Sequence[Student], sharing: Sharing, seed: int = 0) -> None:
        check_name("way of sharing", sharing, SHARING)
        if not peers:
            raise ValueError("peers must hold at least one agent")
        self.peers, self.sharing = tuple(peers), sharing
        self._seed, self._round = seed, 0
        self._bits = self._messages = 0

    def round(self, questions: Sequence[Question]) -> PeerRound:
        """Let every peer answer its own question, reveal the answers, and share."""
        if len(questions) != len(self.peers):
            raise ValueError(f"questions must be one for each of the {len(self.peers)} peers, got {len(questions)}")
        self._bits = self._messages = 0
        if self.sharing == "central" and self._round == 0:
            self._send_to_all(list({p.key: p for peer in self.peers for p in peer.base.passages}.values()))
        correct = []
        for number, question in enumerate(questions):
            rng = np.random.default_rng([self._seed, self._round, number])
            correct.append(self._answer(number, question, rng).option == question.answer)
        self._reveal(questions)
        if self.sharing == "gossip":
            self._gossip()
        self._round += 1
        known = tuple(len(peer.base.passages) for peer in self.peers)
        return PeerRound(tuple(correct), self._bits, self._messages, known)

    def _answer(self, number: int, question: Question, rng: np.random.Generator) -> Answer:
        peer = self.peers[number]
        passages, scores = peer.retrieve(question)
        answer = peer.reasoner.answer(question, [passage.text for passage in passages], rng)
        if self.sharing != "request" or len(self.peers) == 1 or peer.answered(answer, scores):
            return answer
        [inquiry] = self._sent(Inquiries((inquiry_of(question),))).questions
        best = scores.max(initial=-1.0)
        for other in self.peers[:number] + self.peers[number + 1 :]:
            nearer = tuple(passage for passage, score in zip(*other.retrieve(inquiry), strict=True) if score > best)
            peer.learn(self._sent(Information(nearer)).passages)
        passages, _ = peer.retrieve(question)
        return peer.reasoner.answer(question, [passage.text for passage in passages], rng)

    def _reveal(self, questions: Sequence[Question]) -> None:
        """Let every peer learn from its own question, and send the new passages where they are sent at once."""
        learned = [_explained(question) for question in questions]
        if self.sharing == "central":
            self._send_to_all([passage for own in learned for passage in own])
            return
        new = [own for peer, own in zip(self.peers, learned, strict=True) if peer.learn(own)]
        if self.sharing == "broadcast" and len(self.peers) > 1:
            heard = [passage for own in new for passage in self._sent(Information(own)).passages]
            for peer in self.peers:
                peer.learn(heard)

    def _send_to_all(self, passages: Sequence[Passage]) -> None:
        """Send passages to all peers in one message."""
        if passages:
            heard = self._sent(Information(tuple(passages))).passages
            for peer in self.peers:
                peer.learn(heard)

    def _gossip(self) -> None:
        """Let every peer fetch missing passages from another one, as all bases are at the beginning."""
        if len(self.peers) == 1:
            return
        rng = np.random.default_rng([self._seed, self._round, len(self.peers)])
        held = [peer.base.passages for peer in self.peers]
        for number, peer in enumerate(self.peers):
            source = (number + 1 + int(rng.integers(len(self.peers) - 1))) % len(self.peers)
            has = set(self._sent(Pointers(tuple(sorted(map(checksum, held[number]))))).indices)
            missing = tuple(passage for passage in held[source] if checksum(passage) not in has)
            peer.learn(self._sent(Information(missing)).passages)

    def _sent(self, message: M) -> M:
        """Return a message as it arrives, and count it."""
        data = encode(message)
        self._bits += 8 * len(data)
        self._messages += 1
        received = decode(data)
        assert isinstance(received, type(message))
        return received


def checksum(passage: Passage) -> int:
    """Return a 32-bit checksum of a passage: the CRC of its key and text."""
    return zlib.crc32(f"{passage.key}\0{passage.text}".encode())


def _explained(question: Question) -> tuple[Passage, ...]:
    """Return the explanation of a question as knowledge for other questions."""
    return tuple(replace(passage, group=group_of(question)) for passage in explanations((question,)))


def run(
    peers: Sequence[Student], streams: Sequence[Sequence[Question]], sharing: Sharing, seed: int = 0
) -> list[PeerRound]:
    """Return the rounds of peers that answer streams of questions, as many as the shortest stream has.

    Parameters
    ----------
    peers, sharing, seed
        See :class:`Peers`.
    streams
        The questions of each peer, in order.

    Raises
    ------
    ValueError
        If the numbers of streams and peers differ.
    """
    group = Peers(peers, sharing, seed)
    if len(streams) != len(peers):
        raise ValueError(f"streams must be one for each of the {len(peers)} peers, got {len(streams)}")
    for peer, stream in zip(peers, streams, strict=True):
        warm(peer.encoder, stream)
    return [group.round(questions) for questions in zip(*streams, strict=False)]
