"""A language model that is asked about texts, about each once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Generic, TypeVar

from solvers.llm.caps import Usage
from solvers.llm.chat import Closing, Reply, Request
from solvers.llm.options import ChatOptions
from solvers.llm.session import Session
from solvers.llm.standin import Rules

T = TypeVar("T")


class TextModel(Closing, Generic[T]):
    """Asks about texts and remembers what came of each; a context manager.

    Parameters
    ----------
    options
        The model, how it is asked, and the caps.
    rules
        What answers where no model is named.
    seed
        The seed of the model's random choices.

    Attributes
    ----------
    faults
        How many replies could not be used, by reason.

    Raises
    ------
    ValueError, ImportError, OSError
        If an option is bad, the extra ``llm`` is missing, or the endpoint cannot be used.
    """

    def __init__(self, options: ChatOptions, rules: Rules, seed: int) -> None:
        self.faults: dict[str, int] = {}
        self._options, self._seed = options, seed
        self._known: dict[str, T] = {}
        self._resources = ExitStack()
        self._session = self._resources.enter_context(Session(options, rules))

    @property
    def name(self) -> str:
        """The name of the model, or ``"no LLM"``."""
        return self._options.chat_name

    @property
    def usage(self) -> Usage:
        """The requests so far, in numbers."""
        return self._session.usage

    def _learn(self, texts: Iterable[str]) -> None:
        """Ask about the texts that are new, several at a time."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for text, reply in zip(new, self._session.ask_all([self._request(text) for text in new]), strict=True):
            self._known[text], fault = self._accepted(text, reply)
            if fault:
                self.faults[fault] = self.faults.get(fault, 0) + 1

    @abstractmethod
    def _request(self, text: str) -> Request:
        """Return what is asked about a text."""

    @abstractmethod
    def _accepted(self, text: str, reply: Reply) -> tuple[T, str]:
        """Return what comes of a text with a reply, and the fault of the reply, or an empty text."""
