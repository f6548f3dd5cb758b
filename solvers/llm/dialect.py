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

ABOUT_CONTEXT = re.compile(
    r"context[ _-]?(length|size|window)|maximum (model|sequence) length|max_model_len|prompt is too long|"
    r"input token count.*exceed|\btokens\b.*\bmust be <=",
    re.IGNORECASE | re.DOTALL,
)
"""What servers say of a prompt and a reply that are longer than the model's context: OpenAI, vLLM, llama.cpp, TGI, …"""

MOST_SEARCHED = 4000
"""The most characters of a server's message that are searched: patterns take time by the square of a text's length."""


def about_context(code: object, message: str) -> bool:
    """Return whether a refusal says that a request is longer than the model's context: no other form is shorter."""
    return code == "context_length_exceeded" or ABOUT_CONTEXT.search(message) is not None


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

    def after(self, error: Any) -> Dialect | None:
        """Return the dialect to try after an error status; None where the error is not about parameters."""
        if error.status_code not in (400, 422):
            return None
        parameter = error.param if isinstance(error.param, str) else ""
        body = error.body
        if not parameter and isinstance(body, dict) and isinstance(body.get("detail"), list):
            places = [item.get("loc") for item in body["detail"] if isinstance(item, dict)]
            parameter = " ".join(str(name) for place in places if isinstance(place, list) for name in place)
        return self.after_refusal(parameter, message_of(error))

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


def message_of(error: Any) -> str:
    """Return the beginning of the server's message in an error of any form."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else body
    return (message if isinstance(message, str) else str(error.message))[:MOST_SEARCHED]
