"""Structured answers: from a model's text to a validated object, or to a sentence with the error.

A model's text is not trusted: it is read as JSON alone, and only valid objects count.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from secagent_env.support.extras import require
from secagent_env.support.secrets import excerpt
from solvers.llm.chat import MAX_REPLY_CHARACTERS, Reply

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")

MAX_OBJECTS = 200
"""The most beginnings of objects that are tried in one text."""

OBJECT = re.compile(r'\{\s*["}]')

# This decoder only finds the ends of objects: numbers stay text, of any length.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)

ANNOTATIONS = {"title", "default", "examples", "discriminator"}
"""Keywords that say nothing about an answer."""

ESSENTIAL = {"type", "properties", "items", "required", "anyOf"}
"""Keywords without which a schema says nothing."""

SENTENCE = 200
"""The most characters of a sentence that a schema lets a model write; longer ones are read all the same."""

Limits = Mapping[str, Mapping[str, Any]]
"""More keywords of a schema, by the place where they hold: ``"senders.*.agent"`` is the agent of each sender."""


class Malformed(ValueError):
    """A text without a valid answer; the sentence fits into the next prompt."""


def parse(text: str, model: type[M]) -> M:
    """Return the answer in a text.

    The JSON object may stand in prose or in a fenced block. Models draft before they answer: the last valid object
    counts. Objects inside another one are not tried. Numbers that are not finite are refused everywhere.

    Raises
    ------
    Malformed
        If no object is valid. The sentence, of 300 characters at most, names the error of the last object.
    """
    pydantic = require("pydantic", extra="llm")
    text = text[:MAX_REPLY_CHARACTERS].encode(errors="replace").decode()
    spans, trouble = _objects(text)
    complaint = ""
    for span in reversed(spans):
        try:
            answer = model.model_validate_json(span)
        except pydantic.ValidationError as error:
            complaint = complaint or _complaint(error)
            continue
        place = next(_not_finite(answer), None)
        if place is None:
            return answer
        complaint = complaint or f"{_field(place)}: numbers must be finite"
    if not complaint and not text.strip():
        complaint = "the reply is empty"
    raise Malformed((complaint or f"{trouble}; the reply begins with: {excerpt(text, 80)}")[:300])


def parse_reply(reply: Reply, model: type[M]) -> M:
    """Return the answer in a reply; raise Malformed for a fault, or where no object is valid."""
    if reply.fault:
        raise Malformed(reply.detail or reply.fault)
    return parse(reply.text, model)


def faults_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of replies that could not be used, by kind, from a solver's ``usage``: faults, and the rest."""
    unusable = {"unusable answer": usage["unusable"]} if usage.get("unusable") else {}
    return dict(sorted({**usage.get("faults", {}), **unusable}.items()))


def _objects(text: str) -> tuple[list[str], str]:
    """Return the outermost JSON objects in a text, in order, and the last error.

    After an error the search goes on where the decoder stopped, so that every character is decoded once or twice, and
    parts of a broken object are not taken for answers.
    """
    spans = []
    trouble = "the reply holds no JSON object"
    position = 0
    for _ in range(MAX_OBJECTS):
        match = OBJECT.search(text, position)
        if match is None:
            break
        start = match.start()
        try:
            _, position = _DECODER.raw_decode(text, start)
            spans.append(text[start:position])
        except json.JSONDecodeError as error:
            trouble = f"the JSON object is broken ({error.msg}, at character {error.pos - start} of it)"
            position = max(error.pos, start + 1)
        except RecursionError:
            trouble = "the JSON object is nested too deeply"
            break
    return spans, trouble


def _complaint(error: Any) -> str:
    """Return a sentence with the first error and the number of others."""
    count = error.error_count()
    first = error.errors(include_url=False, include_context=False)[0]
    message = f"{_field(first['loc'])}: {excerpt(first['msg'], 100)}"
    if first["loc"] and isinstance(first["input"], (str, int, float, bool, type(None))):
        message += f", got {excerpt(_shown(first['input']), 40)}"
    return message + (f" (and {count - 1} more like this)" if count > 1 else "")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value[:100], ensure_ascii=False)
    return "a number of many digits" if isinstance(value, int) and abs(value) >= 10**40 else json.dumps(value)


def _field(place: tuple[int | str, ...]) -> str:
    return f"the field {excerpt('.'.join(map(str, place)), 60)!r}" if place else "the object"


def _not_finite(value: Any, place: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    """Yield the places of numbers that are not finite: readers of JSON accept NaN, 1e999 and "Infinity"."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            yield from _not_finite(item, (*place, index))
    else:
        items = value if isinstance(value, dict) else getattr(value, "__dict__", {})
        extra = getattr(value, "__pydantic_extra__", None) or {}
        for name, item in [*items.items(), *extra.items()]:
            yield from _not_finite(item, (*place, str(name)))


def schema_of(model: type[BaseModel], limits: Limits | None = None) -> dict[str, Any]:
    """Return the JSON schema of a model, in itself and without references, as strict modes require.

    Every object is closed and requires all its fields; ``limits`` narrow the schema to the case at hand. Where an
    endpoint refuses a keyword, it can be left out (:func:`without`): ``parse`` and the caller check answers anyway.

    Raises
    ------
    ValueError
        If a strict mode cannot express the model: mappings with free names, tuples, models that hold themselves, or no
        object at the top.
    """
    schema = copy.deepcopy(_whole_schema(model))
    for place, keywords in (limits or {}).items():
        part = schema
        for name in place.split("."):
            part = part["items"] if name == "*" else part["properties"][name]
        part.update(keywords)
    return schema


def keywords_in(schema: Mapping[str, Any]) -> set[str]:
    """Return the keywords of a schema that can be left out, at any depth."""
    found = set(schema) - ESSENTIAL
    for part in _parts(schema):
        found |= keywords_in(part)
    return found


def without(schema: Mapping[str, Any], keywords: Collection[str]) -> dict[str, Any]:
    """Return a schema without some keywords, at any depth; fields may be called as keywords are."""
    kept = {name: value for name, value in schema.items() if name not in keywords}
    if "properties" in kept:
        kept["properties"] = {name: without(part, keywords) for name, part in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = without(kept["items"], keywords)
    if "anyOf" in kept:
        kept["anyOf"] = [without(option, keywords) for option in kept["anyOf"]]
    return kept


def _parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from schema.get("properties", {}).values()
    yield from schema.get("anyOf", [])
    if "items" in schema:
        yield schema["items"]


@functools.cache
def _whole_schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    strict = _strict(schema, schema.get("$defs", {}), ())
    if strict.get("type") != "object":
        raise ValueError(f"{model.__name__} must be a model with fields to be asked for as structured output")
    return strict


def _strict(schema: dict[str, Any], models: dict[str, Any], inside: tuple[str, ...]) -> dict[str, Any]:
    """Return a schema as strict modes require it, with the ``models`` that it refers to; ``inside`` of some of them."""
    kept = {name: value for name, value in schema.items() if name not in {*ANNOTATIONS, "$defs"}}
    if "$ref" in kept:
        name = kept.pop("$ref").rpartition("/")[2]
        if name in inside:
            raise ValueError("strict structured output has no models that hold themselves; use a list with numbers")
        return {**_strict(models[name], models, (*inside, name)), **kept}
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    if "properties" in kept:
        kept["properties"] = {name: _strict(part, models, inside) for name, part in kept["properties"].items()}
    if "anyOf" in kept:
        kept["anyOf"] = [_strict(option, models, inside) for option in kept["anyOf"]]
    if not kept.keys() & {"type", "anyOf", "enum", "const"}:
        raise ValueError("strict structured output needs a type for everything; name those of fields and items")
    if kept.get("type") == "array":
        if "prefixItems" in kept:
            raise ValueError("strict structured output has no tuples; use a list, or a model with a field for each")
        kept["items"] = _strict(kept["items"], models, inside)
    if kept.get("type") == "object":
        if "properties" not in kept:
            raise ValueError("strict structured output has no mappings with free names; use a list of pairs")
        kept |= {"additionalProperties": False, "required": list(kept["properties"])}
    return kept
