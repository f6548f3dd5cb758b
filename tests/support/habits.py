"""Habits of real servers, each as a step of a FaultyServer: what it refuses, in its own words, and how it answers.

A habit looks at the request and either refuses it, which ends the step, or leaves it to the next habit.
"""

import itertools
import json
from collections.abc import Callable

from faulty_server import Handler, Step, completion, fails, sends

Habit = Callable[[dict], Step | None]
"""Return the refusal of a request, or None."""


def form_of(body: dict) -> str:
    """Return how a request asks for structured output."""
    wanted = body.get("response_format", {"type": "text"})
    return wanted["type"] + " with schema" * (wanted["type"] == "json_object" and "schema" in wanted)


def schema_of(body: dict) -> dict:
    """Return the schema in a request; empty without one."""
    wanted = body.get("response_format", {})
    return wanted.get("schema") or wanted.get("json_schema", {}).get("schema", {})


def refuses(test: Callable[[dict], bool], step: Step) -> Habit:
    return lambda body: step if test(body) else None


def has(*names: str) -> Callable[[dict], bool]:
    return lambda body: any(name in body for name in names)


def asks(*forms: str) -> Callable[[dict], bool]:
    return lambda body: form_of(body) in forms


def keyword(name: str) -> Callable[[dict], bool]:
    return lambda body: f'"{name}":' in json.dumps(schema_of(body))


def has_system(body: dict) -> bool:
    return any(message["role"] == "system" for message in body["messages"])


def repeats_role(body: dict) -> bool:
    roles = [message["role"] for message in body["messages"] if message["role"] != "system"]
    return any(one == other for one, other in itertools.pairwise(roles))


def larger_than(tokens: int) -> Callable[[dict], bool]:
    """Whether a prompt, at four characters a token, and its reply have more tokens."""

    def test(body: dict) -> bool:
        prompt = sum(len(message["content"]) // 4 for message in body["messages"])
        return prompt + body.get("max_tokens", body.get("max_completion_tokens", 0)) > tokens

    return test


LITERAL = (
    "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text' or "
    "'json_object'\", 'input': 'json_schema', 'ctx': {'expected': \"'text' or 'json_object'\"}}]"
)
EXTRA = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 7}
ANY_FORM = ("json_schema", "json_object with schema", "json_object")
UNKNOWN_NAME = "Invalid JSON payload. Unknown name \"additionalProperties\" at 'generation_config.response_schema'"
SMALL = "This model's maximum context length is {0} tokens, however you requested more (messages and completion)."

HABITS: dict[str, tuple[list[Habit], str]] = {
    "openai": ([], ""),
    "llama_cpp.server": ([refuses(asks("json_schema"), fails(500, LITERAL))], "json_object with schema"),
    "ik_llama": (
        [
            refuses(
                asks("json_schema"),
                fails(500, 'response_format type must be one of "text" or "json_object", but got: json_schema'),
            )
        ],
        "json_object with schema",
    ),
    "json mode alone": (
        [
            refuses(asks("json_schema"), fails(400, "This response_format type is unavailable now")),
            refuses(asks("json_object with schema"), fails(400, "response_format: unknown field schema")),
        ],
        "json_object",
    ),
    "no structured output": (
        [refuses(asks(*ANY_FORM), fails(501, "structured output is not implemented"))],
        "prompt alone",
    ),
    "a router": (
        [
            refuses(
                lambda body: form_of(body) != "text" or "seed" in body,
                sends(
                    {"error": {"message": "No endpoints found that can handle the requested parameters.", "code": 404}},
                    404,
                ),
            )
        ],
        "no seed; prompt alone",
    ),
    "fastapi": (
        [
            refuses(
                asks("json_schema"),
                sends({"detail": [{"loc": ["body", "response_format", "type"], "msg": "unexpected value"}]}, 422),
            ),
            refuses(has("seed"), sends({"detail": [EXTRA]}, 422)),
        ],
        "json_object with schema; no seed",
    ),
    "nested in an object": (
        [refuses(has("seed"), sends({"object": "error", "message": {"detail": [EXTRA]}, "code": None}, 422))],
        "no seed",
    ),
    "nested in a text": (
        [
            refuses(
                has("temperature"),
                fails(400, json.dumps({"error": {"message": "Unsupported value", "param": "temperature"}})),
            )
        ],
        "no temperature",
    ),
    "in a list": (
        [
            refuses(
                keyword("additionalProperties"),
                sends([{"error": {"code": 400, "message": UNKNOWN_NAME, "status": "INVALID_ARGUMENT"}}], 400),
            )
        ],
        "a schema without additionalProperties",
    ),
    "an early strict mode": (
        [
            refuses(
                keyword(name),
                fails(400, f"Invalid schema for response_format 'x': '{name}' is not permitted.", "response_format"),
            )
            for name in ("maxLength", "minItems", "maxItems", "minimum", "maximum")
        ],
        "a schema without maxItems, maxLength, maximum, minItems, minimum",
    ),
    "a grammar compiler": (
        [
            refuses(
                keyword("maxItems"),
                fails(400, "The provided JSON schema contains features not supported by the grammar backend."),
            )
        ],
        "a schema without additionalProperties, description, maxItems, maxLength, maximum, minItems, minimum",
    ),
    "a template without system": (
        [refuses(has_system, sends({"object": "error", "message": "System role not supported", "code": 400}, 400))],
        "no system message",
    ),
    "a template that alternates": (
        [
            refuses(
                lambda body: has_system(body) or repeats_role(body),
                fails(500, "Conversation roles must alternate user/assistant/user/assistant/... at row 9"),
            )
        ],
        "no system message",
    ),
    "a reasoning model": (
        [
            refuses(has_system, fails(400, "'messages[0].role' does not support 'system'", "messages[0].role")),
            refuses(has("max_tokens"), fails(400, "Use 'max_completion_tokens' instead.", "max_tokens")),
            refuses(has("temperature"), fails(400, "Only the default (1) is supported", "temperature")),
        ],
        "no system message; no temperature",
    ),
    "no limit": (
        [
            refuses(has("max_tokens"), fails(400, "Unknown parameter: max_tokens")),
            refuses(has("max_completion_tokens"), fails(400, "Unknown parameter: max_completion_tokens")),
        ],
        "no limit on the reply",
    ),
    "a small context": ([refuses(larger_than(1500), fails(400, SMALL))], "fewer reply tokens"),
    "a short reply": (
        [refuses(lambda body: body["max_tokens"] > 1024, fails(400, "max_tokens: 2000 > 1024, which is the maximum"))],
        "fewer reply tokens",
    ),
    "errors that claim success": (
        [refuses(asks("json_schema"), sends({"error": {"message": LITERAL, "code": 400}}))],
        "json_object with schema",
    ),
}
"""By the server: what it refuses, and what is told of an adapted request."""


def server_with(*habits: Habit, answer: Callable[[dict], dict]) -> Step:
    """Return a step that refuses what the habits refuse, and else sends a completion."""

    def step(handler: Handler) -> None:
        refusals = (habit(handler.body) for habit in habits)
        refusal = next((found for found in refusals if found is not None), None)
        (refusal or sends(answer(handler.body)))(handler)

    return step


def plain(text: str) -> dict:
    return completion(text)


def thinking(text: str) -> dict:
    return completion(f'<think>Perhaps {{"selected": [0]}}? No.</think>\n\n{text}')


def template_thinking(text: str) -> dict:
    return completion(f'Perhaps {{"selected": [0]}}? No.\n</think>\n{text}')


def misplaced(text: str) -> dict:
    return completion(None, reasoning_content=text)


def in_reasoning(text: str) -> dict:
    return completion("", reasoning=f"So it is: {text}")


def in_parts(text: str) -> dict:
    return completion([{"type": "thinking", "thinking": []}, {"type": "text", "text": text}])


def fenced(text: str) -> dict:
    return completion(f"Sure!\n```json\n{text}\n```")


WAYS = (plain, thinking, template_thinking, misplaced, in_reasoning, in_parts, fenced)
"""Where servers and models put an answer."""
