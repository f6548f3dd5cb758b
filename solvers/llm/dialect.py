"""The parameters that a server takes: they differ between servers and models, and are learnt from refusals."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any

from solvers.llm.chat import Request

STRUCTURES = ("json_schema", "json_object", "text")
"""Ways to request structured output, the strictest first."""

ABOUT_STRUCTURE = re.compile(r"response_format|json_schema|json_object|schema|structured|grammar|guided", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """The parameters that a server takes.

    Attributes
    ----------
    structure
        How structured output is requested: an index of ``STRUCTURES``.
    limit
        The name of the limit on the reply.
    temperature, seed
        Whether the server takes them.
    """

    structure: int = 0
    limit: str = "max_tokens"
    temperature: bool = True
    seed: bool = True

    def parameters(self, model: str, request: Request) -> dict[str, Any]:
        """Return a request as the parameters of a chat completion."""
        messages = [dataclasses.asdict(message) for message in request.messages]
        parameters: dict[str, Any] = {"model": model, "messages": messages, self.limit: request.max_tokens}
        if self.temperature:
            parameters["temperature"] = request.temperature
        if self.seed:
            parameters["seed"] = request.seed
        if STRUCTURES[self.structure] == "json_schema":
            schema = {"name": request.name, "schema": request.schema, "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
            return parameters
        # Without a schema for the server, the prompt shows it; and OpenAI requires the word JSON for json_object.
        instruction = f"Answer with one JSON object that follows this JSON schema: {json.dumps(request.schema)}"
        if messages:
            messages[-1]["content"] += f"\n\n{instruction}"
        if STRUCTURES[self.structure] == "json_object":
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def after_refusal(self, parameter: str, message: str) -> Dialect | None:
        """Return the dialect to try after a refusal, or None if none is left.

        ``parameter`` is the name of the refused one where the server gives it, ``message`` the server's message.
        """
        known = re.search(r"\b(max_tokens|max_completion_tokens|temperature|seed|response_format)\b", parameter)
        place = known[0] if known else message
        if self.structure < len(STRUCTURES) - 1 and ABOUT_STRUCTURE.search(place):
            return dataclasses.replace(self, structure=self.structure + 1)
        if self.limit == "max_tokens" and re.search(r"\bmax_tokens\b", place):
            return dataclasses.replace(self, limit="max_completion_tokens")
        for name in ("temperature", "seed"):
            if getattr(self, name) and re.search(rf"\b{name}\b", place):
                return dataclasses.replace(self, **{name: False})  # type: ignore[arg-type]
        if self.structure < len(STRUCTURES) - 1 and not known:
            return dataclasses.replace(self, structure=self.structure + 1)
        return None
