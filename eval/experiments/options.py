"""Options of the command line that are declared once, as fields of a dataclass."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

REQUIRED: Any = dataclasses.MISSING
"""The default of an option that must be given."""


def option(
    default: Any,
    help: str,
    metavar: str | None = None,
    *,
    flag: str | None = None,
    read: Callable[[Any], Any] | None = None,
    **arguments: Any,
) -> Any:
    """Return a dataclass field that is also an option, of the type of its annotation.

    A field of ``Sequence[int]`` takes numbers, one of ``Path | None`` a path, and one of ``bool`` is a switch.

    Parameters
    ----------
    default
        Of the field: a value, a function that makes it, or :data:`REQUIRED`.
    help, metavar
        As in ``argparse``; ``%(default)s`` stands for the default.
    flag
        The option, or the name of a positional argument; None: the field's name with hyphens.
    read
        Makes the field's value of the option's text, or of its list of texts.
    arguments
        Further ones of ``add_argument``, over those that follow from the annotation.
    """
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    help = help.replace("%(default)s", shown)
    if default is REQUIRED and (flag is None or flag.startswith("-")):
        arguments["required"] = True
    if metavar is not None:
        arguments["metavar"] = metavar
    metadata = {"flag": flag, "read": read, "arguments": {"help": help, **arguments}}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def texts(**helps: str) -> Any:
    """Return a dataclass field that holds the texts of several options by name: of those that are given."""
    return dataclasses.field(default_factory=dict, metadata={"texts": helps})


def endpoint_texts() -> Any:
    """Return the field of what a language model is asked through, in the place of the stand-in for one."""
    return texts(
        model="a language model instead of the stand-in; its key is OPENAI_API_KEY",
        base_url="of its endpoint",
        transcript="a file that records its replies, and repeats them in later runs",
        replay="a transcript to take all replies from",
    )


def add_options(owner: Any, parser: argparse.ArgumentParser) -> None:
    """Add the options of a dataclass to a parser, in the order of the fields; without a value they are None."""
    annotations = get_type_hints(owner)
    for field in dataclasses.fields(owner):
        for name, text in field.metadata.get("texts", {}).items():
            parser.add_argument(_flag(name), help=text)
        if "arguments" not in field.metadata:
            continue
        flag = field.metadata["flag"] or _flag(field.name)
        arguments = {} if field.metadata["read"] else _of_type(annotations[field.name])
        parser.add_argument(flag, **{**arguments, **field.metadata["arguments"]})


def options_of(owner: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a dataclass from parsed options of the same names; fields whose option is None are left."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(owner):
        names = field.metadata.get("texts", [field.metadata.get("flag") or field.name])
        given = {name: getattr(args, name.removeprefix("--").replace("-", "_"), None) for name in names}
        given = {name: value for name, value in given.items() if value is not None}
        if "texts" in field.metadata:
            values[field.name] = given
        elif given:
            [value] = given.values()
            read = field.metadata.get("read")
            values[field.name] = read(value) if read else tuple(value) if isinstance(value, list) else value
    return values


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _of_type(annotation: Any) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` that follow from an annotation, such as ``Sequence[int] | None``."""
    if annotation is bool:
        return {"action": "store_true"}
    kind = get_args(annotation)[0] if isinstance(annotation, UnionType) else annotation
    return {"type": kind} if get_origin(kind) is None else {"type": get_args(kind)[0], "nargs": "+"}
