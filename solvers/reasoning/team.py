"""The supervisor: it sends a question and knowledge to the selected agents, and holds the vote (section III-B)."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from secagent_env import Decision
from secagent_env.questions import Question
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from secagent_env.support.threads import several
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.llm.chat import CapReached, EndpointError
from solvers.reasoning.answer import Answer, Reasoner
from solvers.reasoning.votes import VOTING, Tally, vote, vote_weights

UNREACHABLE, CAP = "unreachable", "cap"
"""Faults of agents without a vote: the endpoint cannot be used, or a cap is reached."""


@dataclass(frozen=True)
class Verdict:
    """A team's answer to a question.

    Attributes
    ----------
    option
        The index of the option that won the vote; None where no agent had an answer, which counts as wrong.
    answers
        The answers of the selected agents, by their indices.
    tally
        The result of the vote.
    texts
        The knowledge that was sent with the question.
    """

    option: int | None
    answers: Mapping[int, Answer]
    tally: Tally
    texts: tuple[str, ...]

    @property
    def answered(self) -> bool:
        """Whether some agent named an option."""
        return any(answer.option is not None for answer in self.answers.values())

    @cached_property
    def faults(self) -> dict[str, int]:
        """The number of agents without an answer, by fault."""
        return dict(sorted(Counter(answer.fault for answer in self.answers.values() if answer.fault).items()))


class Supervisor:
    """Asks the selected agents alone, and holds the vote.

    Parameters
    ----------
    reasoners
        The N agents.
    knowledge
        The source of the texts that are sent with a question; None sends no texts.
    encoder
        The encoder of the knowledge and of questions.
    passages
        The number of texts that are sent with a question.
    voting
        ``"majority"``; or ``"weighted"``, by the log odds of the accuracies given to :meth:`ask`. Ties are broken by
        chance, from the seed.

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
        check_name("voting", voting, VOTING)
        integer("passages", passages)
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
            The question; its answer and explanation are not sent, and only simulated reasoners read the answer.
        selection
            A decision, or its selection (N,), bool.
        seed
            The seed of all random numbers, which an agent has for itself for each question.
        accuracy
            Acc_n of all agents (N,), for a weighted vote.

        Raises
        ------
        ValueError
            If the selection is not of N agents or of none, or a weighted vote has no accuracies.
        EndpointError
            If no selected agent can be reached. If some cannot, they have no vote, and are counted as faults.
        """
        chosen = self._chosen(selection)
        texts = self.texts(question)
        answers = self._answers(question, chosen, texts, seed)
        options, agents = len(question.options), len(self.reasoners)
        if self.voting == "weighted" and (accuracy is None or len(accuracy) != agents):
            raise ValueError(f"a weighted vote needs the accuracies of all {agents} agents")
        weights = vote_weights(self.voting, None if accuracy is None else np.asarray(accuracy, float)[chosen], options)
        rng = np.random.default_rng([seed, zlib.crc32(question.key.encode()), agents])
        tally = vote([answer.option for answer in answers.values()], options, weights, rng)
        return Verdict(tally.option, answers, tally, texts)

    def texts(self, question: Question) -> tuple[str, ...]:
        """Return the texts that are sent with a question, without texts of the question's own group."""
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

    def _answers(self, question: Question, chosen: list[int], texts: tuple[str, ...], seed: int) -> dict[int, Answer]:
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
            answers = several(len(chosen), answer, chosen)
        else:
            answers = [answer(agent) for agent in chosen]
        if len(failures) == len(chosen):
            raise failures[0]
        return dict(zip(chosen, answers, strict=True))


def ask_all(
    supervisor: Supervisor,
    questions: Sequence[Question],
    selection: Decision | np.ndarray,
    seed: int = 0,
    accuracy: Sequence[float] | np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Ask the selected agents many questions, several at a time where endpoints allow it.

    Parameters
    ----------
    supervisor
        The supervisor.
    questions
        The questions.
    selection, seed, accuracy
        See :meth:`Supervisor.ask`; the same for all questions.

    Returns
    -------
    list of dict
        A row for each question, in their order: its ``key`` and ``category``; the ``option`` that won and whether it
        is ``right``; the ``votes`` for each option; the ``answers`` of the selected agents, by their indices; and the
        ``faults``, counted. Rows do not depend on the number of questions at a time.

    Raises
    ------
    ValueError, EndpointError
        See :meth:`Supervisor.ask`; the questions that are not yet under way are not asked.
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
    return several(at_once, row, questions)


def _concurrency(reasoner: Reasoner) -> int:
    """Return the most requests at a time to a reasoner's endpoint; 0 where it has no endpoint."""
    return int(getattr(reasoner, "concurrency", 0))
