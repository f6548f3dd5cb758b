"""Options declared as fields of a dataclass."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eval.experiments.options import REQUIRED, add_options, option, options_of, texts


@dataclass(frozen=True)
class Trial:
    sizes: Sequence[int] = option(REQUIRED, "sizes", "N")
    first: str = option("a", "the first (default: %(default)s)", flag="preset", choices=["a", "b"])
    max_seconds: float = option(1.5, "default: %(default)s")
    pairs: Sequence[int] = option((2, 4), "default: %(default)s", nargs="*")
    file: Path | None = option(None, "a file")
    upper: str = option(str, "read", flag="--of", read=str.upper)
    own: bool = option(False, "a switch")
    model: Mapping[str, Any] = texts(model="a model", base_url="its endpoint")
    inner: int = 7


def parser_of(owner):
    parser = argparse.ArgumentParser()
    add_options(owner, parser)
    return parser


def trial(*arguments):
    return Trial(**options_of(Trial, parser_of(Trial).parse_args(arguments)))


def test_an_option_that_is_not_given_leaves_the_default():
    assert trial("b", "--sizes", "1", "2") == Trial((1, 2), "b")


def test_options_have_the_types_of_their_fields():
    options = ["--max-seconds", "3", "--pairs", "--file", "x", "--of", "word", "--own", "--base-url", "U"]
    assert trial("a", "--sizes", "1", *options) == Trial(
        (1,), max_seconds=3.0, pairs=(), file=Path("x"), upper="WORD", own=True, model={"base_url": "U"}
    )


def test_the_help_shows_defaults():
    text = parser_of(Trial).format_help()
    assert "default: 1.5" in text
    assert "default: 2 4" in text
    assert "(default: a)" in text


def test_a_required_option_must_be_given(capsys):
    with pytest.raises(SystemExit):
        trial("a")
    assert "required: --sizes" in capsys.readouterr().err


def test_fields_without_options_take_values_of_their_names():
    assert options_of(Trial, argparse.Namespace(inner=8, sizes=[3], other=1)) == {
        "inner": 8,
        "sizes": (3,),
        "model": {},
    }
