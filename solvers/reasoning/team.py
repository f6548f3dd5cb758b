"""The supervisor: it sends a question and knowledge to the agents that are selected, and votes (section III-B)."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from secagent_env import Decision
from secagent_env.questions import Question
from secagent_env.support.errors import unknown_name
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.llm.chat import CapReached, EndpointError
from solvers.reasoning.answer import Answer, Reasoner
from solvers.reasoning.votes import Tally, log_odds_weights, vote

VOTING = ("majority", "weighted")
UNREACHABLE, CAP = "unreachable", "cap"
"""Faults of agents whose endpoint cannot be used, and whose caps are reached: they have no vote."""


@dataclass(frozen=True)
class Verdict:
    """What a team answers to a question.

    Attributes
    ----------
    option
        The index of the option that won the vote; None where nobody had an answer, which counts as wrong.
    answers
        Of the selected agents, by their indices.
    tally
        The vote.
    texts
        The knowledge that was sent with the question.
    """

    option: int | None
    answers: Mapping[int, Answer]
    tally: Tally
    texts: tuple[str, ...]

    @cached_property
    def faults(self) -> dict[str, int]:
        """How many agents had no answer, by what was wrong."""
        return dict(sorted(Counter(answer.fault for answer in self.answers.values() if answer.fault).items()))


class Supervisor:
    """Asks the selected agents and votes; the others are never asked.

    Parameters
    ----------
    reasoners
        N of them: what each agent is.
    knowledge
        From which the texts come that are sent with a question; None: none are sent.
    encoder
        Of questions, for the search in the knowledge.
    passages
        How many texts are sent with a question.
    voting
        ``"majority"``; or ``"weighted"``, by the log odds of the agents' accuracies, which :meth:`ask` is told. Ties
        are broken by chance, from the seed.

    Raises
    ------
    ValueError
        If an option is out of range, or there is knowledge and no encoder.
    """

    def __init__(
        self,
        reasoners: Sequence[Reasoner],
        *,
        knowledge: KnowledgeBase | None = None,
        encoder: Encoder | None = None,
        passages: int = 3,
        voting: str = "majority",
    ) -> None:
        if not reasoners:
            raise ValueError("a team needs at least one reasoner")
        if voting not in VOTING:
            raise unknown_name("voting", voting, VOTING)
        if not isinstance(passages, int) or isinstance(passages, bool) or passages < 0:
            raise ValueError(f"passages must be an integer ≥ 0, got {passages!r}")
        if knowledge is not None and encoder is None:
            raise ValueError("a supervisor with knowledge needs the encoder of its vectors")
        self.reasoners = tuple(reasoners)
        self.knowledge, self.encoder = knowledge, encoder
        self.passages, self.voting = passages, voting

    def ask(
        self,
        question: Question,
        selection: Decision | np.ndarray,
        seed: int = 0,
        accuracy: Sequence[float] | np.ndarray | None = None,
    ) -> Verdict:
        """Ask the selected agents a question.

        Parameters
        ----------
        question
            Its answer and explanation are sent to nobody; simulated reasoners alone read the answer.
        selection
            A decision, or its selection (N,), bool.
        seed
            Of everything random; each agent has its own random numbers for each question, whoever else is asked.
        accuracy
            Acc_n of all agents (N,), for a weighted vote.

        Raises
        ------
        ValueError
            If the selection is not of N agents or of none, or a weighted vote has no accuracies.
        EndpointError
            If not one of the selected agents can be reached. Some that cannot have no vote, and are counted.
        """
        chosen = self._chosen(selection)
        texts = self.texts(question)
        return self._verdict(
            question, chosen, dict(self._answers(question, chosen, texts, seed)), texts, seed, accuracy
        )

    def texts(self, question: Question) -> tuple[str, ...]:
        """Return the knowledge that is sent with a question; nothing of the question's own group."""
        if self.knowledge is None or self.encoder is None or not self.passages:
            return ()
        vectors = self.encoder.encode([query(question)])
        indices, _ = self.knowledge.search(vectors, self.passages, [group_of(question)])
        return tuple(self.knowledge.passages[index].text for index in indices[0] if index >= 0)

    def _chosen(self, selection: Decision | np.ndarray) -> list[int]:
        mask = np.asarray(selection.selection if isinstance(selection, Decision) else selection)
        if mask.dtype != bool or mask.shape != (len(self.reasoners),):
            raise ValueError(
                f"a selection must be {len(self.reasoners)} times True or False, one for each agent, "
                f"got shape {mask.shape} of {mask.dtype}"
            )
        chosen = np.flatnonzero(mask).tolist()
        if not chosen:
            raise ValueError("nobody is selected: a question needs at least one agent")
        return chosen

    def _answers(
        self, question: Question, chosen: list[int], texts: tuple[str, ...], seed: int
    ) -> Iterator[tuple[int, Answer]]:
        failures: list[EndpointError] = []
        place = zlib.crc32(question.key.encode())

        def answer(agent: int) -> Answer:
            try:
                return self.reasoners[agent].answer(question, texts, np.random.default_rng([seed, place, agent]))
            except EndpointError as error:
                failures.append(error)
                return Answer(None, explanation=str(error), fault=UNREACHABLE)
            except CapReached as error:
                return Answer(None, explanation=str(error), fault=CAP)

        if any(_concurrency(self.reasoners[agent]) for agent in chosen):
            with ThreadPoolExecutor(len(chosen), "secagent-team") as pool:
                answers = list(pool.map(answer, chosen))
        else:
            answers = [answer(agent) for agent in chosen]
        if len(failures) == len(chosen):
            raise failures[0]
        yield from zip(chosen, answers, strict=True)

    def _verdict(
        self,
        question: Question,
        chosen: list[int],
        answers: Mapping[int, Answer],
        texts: tuple[str, ...],
        seed: int,
        accuracy: Sequence[float] | np.ndarray | None,
    ) -> Verdict:
        options = len(question.options)
        weights = None
        if self.voting == "weighted":
            if accuracy is None or len(accuracy) != len(self.reasoners):
                raise ValueError(f"a weighted vote needs the accuracies of all {len(self.reasoners)} agents")
            weights = log_odds_weights(np.maximum(np.asarray(accuracy, float)[chosen], 1 / options), options)
        said = [answers[agent].option for agent in chosen]
        tally = vote(
            said,
            options,
            weights,
            np.random.default_rng([seed, zlib.crc32(question.key.encode()), len(self.reasoners)]),
        )
        return Verdict(tally.option, answers, tally, texts)


def ask_all(
    supervisor: Supervisor,
    questions: Sequence[Question],
    selection: Decision | np.ndarray,
    seed: int = 0,
    accuracy: Sequence[float] | np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Ask the selected agents questions, several at a time where endpoints allow it.

    Parameters
    ----------
    supervisor, questions
        Who is asked, and what.
    selection, seed, accuracy
        As of :meth:`Supervisor.ask`, for all questions.

    Returns
    -------
    list of dict
        A row for each question, in their order, the same however many are asked at a time: its ``key`` and
        ``category``; the ``option`` that won and whether it is ``right``; the ``votes`` for each option; the
        ``answers`` of the selected agents, by their indices; and the ``faults``, counted.

    Raises
    ------
    ValueError, EndpointError
        As :meth:`Supervisor.ask`; what is not yet under way then is not asked.
    """

    def row(question: Question) -> dict[str, Any]:
        verdict = supervisor.ask(question, selection, seed, accuracy)
        return {
            "key": question.key,
            "category": question.category,
            "option": verdict.option,
            "right": verdict.option == question.answer,
            "votes": verdict.tally.counts,
            "answers": {agent: answer.option for agent, answer in verdict.answers.items()},
            "faults": verdict.faults,
        }

    at_once = max(map(_concurrency, supervisor.reasoners))
    if not at_once:
        return [row(question) for question in questions]
    with ThreadPoolExecutor(at_once, "secagent-questions") as pool:
        try:
            return list(pool.map(row, questions))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _concurrency(reasoner: Reasoner) -> int:
    """Return how many requests a reasoner's endpoint takes at a time; 0 where it has none."""
    return int(getattr(reasoner, "concurrency", 0))
