"""The scores of a model behind an OpenAI-compatible endpoint: the log-probabilities of the letters.

Endpoints tell the likeliest first tokens of a reply, and no likelihood of a given text. A letter that is not among
them gets the least that was told, which its own is at most.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.extras import require
from secagent_env.support.secrets import excerpt, secrets_of, shown_url
from solvers.answer_scores import prompts
from solvers.answer_scores.scores import Scores
from solvers.llm.chat import Closing, EndpointError
from solvers.llm.options import check_url
from solvers.reasoning.letters import LETTERS

LIKELIEST = 20
"""The tokens asked for: the most that OpenAI tells."""


class EndpointScorer(Closing):
    """Scores options by the letter; a context manager.

    Parameters
    ----------
    model
        The model's name at the endpoint.
    base_url
        Of the endpoint; its key is ``OPENAI_API_KEY``, where it needs one.
    width
        k_n of (16), the model's hidden size, which endpoints do not tell.
    name
        Of the model in tables; None: ``model``.
    timeout_s
        For a reply.

    Raises
    ------
    ValueError
        If the address is none.
    ImportError
        If the openai library is missing.
    """

    def __init__(
        self, model: str, base_url: str, width: int, name: str | None = None, timeout_s: float = 300.0
    ) -> None:
        check_url("base_url", base_url)
        self._openai = require("openai", extra="llm")
        key = os.environ.get("OPENAI_API_KEY", "").strip() or "none"
        self._model, self._name, self._width = model, name or model, width
        self._url, self._secrets = shown_url(base_url), secrets_of(base_url, key)
        self._api: Any = self._openai.OpenAI(base_url=base_url, api_key=key, timeout=timeout_s, max_retries=2)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    @property
    def about(self) -> Mapping[str, Any]:
        """The model's name and width, and the digest of the prompts."""
        return {"model": self._name, "dim": self._width, "prompts": prompts.version()}

    def score(self, question: Question, text: bool = True, letter: Sequence[float] = ()) -> Scores:
        """Return the scores of a question's options, by letter alone, whatever ``text`` is.

        Raises EndpointError if the endpoint does not answer, or tells no log-probabilities.
        """
        if letter:
            return Scores(letter=tuple(letter))
        try:
            completion = self._api.chat.completions.create(
                model=self._model,
                messages=[{"role": "user", "content": prompts.chat(question)}],
                max_tokens=1,
                temperature=0,
                logprobs=True,
                top_logprobs=LIKELIEST,
            )
        except self._openai.OpenAIError as error:
            reason = excerpt(str(error), 160, self._secrets)
            raise EndpointError(f"{self._url} did not answer a question: {reason}") from None
        try:
            told = [
                (each.token, float(each.logprob)) for each in completion.choices[0].logprobs.content[0].top_logprobs
            ]
        except (AttributeError, IndexError, TypeError):
            told = []
        if not told:
            raise EndpointError(f"{self._url} tells no log-probabilities: score the model's GGUF file instead")
        least = min(value for _, value in told)
        letters = LETTERS[: len(question.options)]
        found = {letter: [value for token, value in told if token.strip() == letter] for letter in letters}
        if not any(found.values()):
            raise EndpointError(f"{self._model} begins its answers with no letter of an option: it cannot be scored so")
        return Scores(letter=tuple(float(np.logaddexp.reduce(values or [least])) for values in found.values()))
