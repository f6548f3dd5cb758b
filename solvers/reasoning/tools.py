"""Tools for an agent that reasons: each turns a text into a text, and never raises."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder

MAX_INPUT_CHARACTERS = 400
MAX_RESULT_CHARACTERS = 2000


class Tool(Protocol):
    """The interface of tools.

    Attributes
    ----------
    name
        The name by which a model calls the tool: lower-case letters.
    description
        A description for the prompt, in one sentence.
    """

    name: str
    description: str

    def run(self, text: str) -> str:
        """Return the result, or a sentence with the error in the input."""


_BINARY: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "log2": math.log2,
    "log10": math.log10,
    "ln": math.log,
    "sqrt": math.sqrt,
    "exp": math.exp,
}


class Calculator:
    """Arithmetic, read as a syntax tree: only the operations listed here are executed."""

    name = "calculate"
    description = "the value of an expression such as 10*log10(2) + 3; +, -, *, /, **, and log2, log10, ln, sqrt, exp"

    def run(self, text: str) -> str:
        """Return the value of an expression, with six digits."""
        try:
            value = self._value(ast.parse(text[:MAX_INPUT_CHARACTERS].strip().replace("^", "**"), mode="eval").body)
            return f"{value:.6g}"
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return f"this is no expression that can be calculated; it may hold {self.description.partition(';')[2]}"
        except (OverflowError, ZeroDivisionError):
            return "the value is not finite"

    def _value(self, node: ast.AST) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return float(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            value = self._value(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            result = _BINARY[type(node.op)](self._value(node.left), self._value(node.right))
            if isinstance(result, complex) or not math.isfinite(result):
                raise OverflowError
            return result
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
            function = _FUNCTIONS.get(node.func.id)
            if function is not None:
                return function(self._value(node.args[0]))
        raise ValueError


_QUESTION = re.compile(
    r"^\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*(dBm|dBW|dB|W|mW|ratio)\s+to\s+(dBm|dBW|dB|W|mW|ratio)\W*$", re.I
)
_DECIBEL = {"dbm": 1e-3, "dbw": 1.0, "db": 1.0}
_LINEAR = {"w": 1.0, "mw": 1e-3, "ratio": 1.0}
_RATIOS = {"db", "ratio"}


class Converter:
    """Decibels to ratios and powers, and back."""

    name = "convert"
    description = "decibels and powers, as in '30 dBm to W', '2 W to dBm', '3 dB to ratio', '0.5 ratio to dB'"

    def run(self, text: str) -> str:
        """Return the converted number with its unit."""
        match = _QUESTION.match(text[:MAX_INPUT_CHARACTERS])
        if match is None:
            return f"this cannot be converted; ask for {self.description}"
        source, target = match[2].lower(), match[3].lower()
        if (source in _RATIOS) != (target in _RATIOS):
            return f"{match[2]} is not of the kind of {match[3]}"
        try:
            value = float(match[1])
            linear = value * _LINEAR[source] if source in _LINEAR else _DECIBEL[source] * 10 ** (value / 10)
            if target in _LINEAR:
                return f"{linear / _LINEAR[target]:.6g} {match[3]}"
            return f"{10 * math.log10(linear / _DECIBEL[target]):.6g} {match[3]}"
        except (ValueError, OverflowError):
            return "the value is not finite"


@dataclass(frozen=True)
class Search:
    """A search in the knowledge that the agent has received.

    Parameters
    ----------
    knowledge, encoder
        The base, and the encoder of its vectors.
    passages
        The most passages of a result.
    exclude
        A group whose passages are left out.
    """

    knowledge: KnowledgeBase
    encoder: Encoder
    passages: int = 3
    exclude: str = ""

    name = "search"
    description = "passages of the knowledge base that are near to a question in words"

    def excluding(self, group: str) -> Search:
        """Return the tool without the passages of a group, which hold the answer to the question at hand."""
        return replace(self, exclude=group)

    def run(self, text: str) -> str:
        """Return the passages, one a line."""
        vectors = self.encoder.encode([text[:MAX_INPUT_CHARACTERS]])
        indices, _ = self.knowledge.search(vectors, self.passages, [self.exclude])
        texts = [self.knowledge.passages[index].text for index in indices[0] if index >= 0]
        return "\n".join(texts)[:MAX_RESULT_CHARACTERS] or "nothing was found"
