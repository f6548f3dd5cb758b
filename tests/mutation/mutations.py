"""Mutations: small changes of a formula that a test should notice, one at a time, made in the syntax tree.

A sign, an operator, a comparison's boundary, a condition, a constant, an axis, minimum for maximum, a term or a
factor less, a keyword argument less, a statement less. What only people or type checkers read stays as it is:
messages, annotations, logs, docstrings.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

SWAPPED_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
SWAPPED_COMPARISONS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
PAIRS = (
    ("min", "max"), ("amin", "amax"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all"), ("sum", "mean"),
    ("floor", "ceil"), ("zeros", "ones"), ("real", "imag"),
)  # fmt: skip
SWAPPED_NAMES = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
DROPPED_CALLS = {"abs", "conj", "sqrt", "log1p", "expm1", "clip", "relu", "clamp", "exp", "log", "cumsum", "detach"}
"""Functions (of a first argument) and methods that a mutation leaves out."""
TELLING = 12
"""What is shorter is named together with what is around it."""
FOR_PEOPLE = {"logger", "warnings", "print", "say"}
"""Names whose calls are for people."""


@dataclass(frozen=True)
class Mutant:
    """One change of a file.

    ``where`` is the function or class; ``before`` and ``after`` are the changed expression in normal form, which
    do not depend on lines.
    """

    file: str
    line: int
    where: str
    kind: str
    before: str
    after: str
    start: int
    end: int
    occurrence: int = 0

    @property
    def name(self) -> str:
        """What a mutant is known by wherever its lines move."""
        return f"{self.file}:{self.where}: {self.before} -> {self.after}" + (
            f" ({self.occurrence + 1})" if self.occurrence else ""
        )

    def rank(self, seed: int) -> str:
        """Return the mutant's place in the draw; that of others does not depend on it."""
        return hashlib.sha256(f"{seed} {self.name}".encode()).hexdigest()

    def apply(self, source: str) -> str:
        """Return the changed source."""
        raw = source.encode()
        return (raw[: self.start] + self.after.encode() + raw[self.end :]).decode()


def mutants_of(file: str, source: str) -> list[Mutant]:
    """Return all mutants of a file, in the order of their places."""
    finder = _Finder(file, source)
    finder.visit(ast.parse(source))
    found: dict[tuple[int, int, str], Mutant] = {}
    counts: dict[str, int] = {}
    for mutant in sorted(finder.found, key=lambda mutant: (mutant.start, mutant.end, mutant.after)):
        place = (mutant.start, mutant.end, mutant.after)
        if place in found or mutant.before == mutant.after:
            continue
        occurrence = counts.get(mutant.name, 0)
        counts[mutant.name] = occurrence + 1
        found[place] = Mutant(**{**vars(mutant), "occurrence": occurrence})
    return list(found.values())


class _Finder(ast.NodeVisitor):
    """Walks over what is computed, and notes each change."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.found: list[Mutant] = []
        self._where: list[str] = []
        self._path: list[ast.AST] = []
        lengths = [len(line) for line in source.encode().splitlines(keepends=True)]
        self._offsets = [sum(lengths[:number]) for number in range(len(lengths))]

    def visit(self, node: ast.AST) -> None:
        """Visit a node, and remember it while its parts are visited."""
        self._path.append(node)
        super().visit(node)
        self._path.pop()

    def _note(self, node: ast.AST, kind: str, after: ast.AST) -> None:
        # A constant says little by itself, and a slice or a keyword is no expression: they are named within the
        # expression that they are a part of.
        whole, path = node, self._path[: self._path.index(node)] if node in self._path else self._path
        for parent in reversed(path):
            by_itself = not isinstance(whole, (ast.Slice, ast.Tuple, ast.keyword))
            if not isinstance(parent, (ast.expr, ast.keyword)) or (by_itself and len(ast.unparse(whole)) >= TELLING):
                break
            whole, after = parent, _replaced(parent, whole, after)
        text = ast.unparse(after)
        plain = isinstance(whole, ast.stmt) or isinstance(after, (ast.Name, ast.Constant, ast.Call, ast.Attribute))
        self.found.append(
            Mutant(
                self.file,
                whole.lineno,
                ".".join(self._where) or "module",
                kind,
                ast.unparse(whole),
                text if plain else f"({text})",
                self._offsets[whole.lineno - 1] + whole.col_offset,
                self._offsets[whole.end_lineno - 1] + whole.end_col_offset,
            )
        )

    # --- What is left out -------------------------------------------------------------------------------

    def _visit_scope(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        self._where.append(node.name)
        if isinstance(node, ast.FunctionDef):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self._where.pop()

    visit_FunctionDef = visit_ClassDef = _visit_scope

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def _skip(self, node: ast.AST) -> None:
        """Look at nothing in here."""

    visit_Raise = visit_Assert = visit_JoinedStr = visit_Import = visit_ImportFrom = _skip

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        self._note(node.test, "condition", ast.UnaryOp(ast.Not(), node.test))
        self.generic_visit(node)

    # --- Expressions ------------------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            return
        if swapped := SWAPPED_OPERATORS.get(type(node.op)):
            self._note(node, "operator", ast.BinOp(node.left, swapped(), node.right))
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
            kind = "term" if isinstance(node.op, (ast.Add, ast.Sub)) else "factor"
            self._note(node, kind, node.left)
            if isinstance(node.op, (ast.Add, ast.Mult)):
                self._note(node, kind, node.right)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.USub, ast.Not, ast.Invert)) and not _is_number(node.operand):
            self._note(node, "sign" if isinstance(node.op, ast.USub) else "negation", node.operand)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._note(node, "boolean", ast.BoolOp(other, node.values))
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            self._note(node, "boolean", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for i, operator in enumerate(node.ops):
            for other in SWAPPED_COMPARISONS[type(operator)]:
                operators = [*node.ops[:i], other(), *node.ops[i + 1 :]]
                self._note(node, "comparison", ast.Compare(node.left, operators, node.comparators))
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._note(node, "condition", ast.IfExp(node.test, node.orelse, node.body))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._note(node, "constant", ast.Constant(not value))
        elif isinstance(value, int):
            self._note(node, "constant", ast.Constant(value + 1))
        elif isinstance(value, float):
            # Of a tolerance twice as much is no change that anybody could notice.
            factor = 2.0 if 1e-4 < abs(value) < 1e4 else 1000.0
            self._note(node, "constant", ast.Constant(float(f"{value * factor:.6g}") if value else 1.0))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if other := SWAPPED_NAMES.get(node.attr):
            self._note(node, "function", ast.Attribute(node.value, other, node.ctx))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        named = node.func
        if isinstance(named, ast.Name) and (other := SWAPPED_NAMES.get(named.id)):
            self._note(named, "function", ast.Name(other))
        if {part.id for part in ast.walk(named) if isinstance(part, ast.Name)} & FOR_PEOPLE:
            return
        name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
        if name in DROPPED_CALLS:
            library = isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name) and (
                named.value.id in ("np", "xp", "torch", "math")
            )  # fmt: skip
            if node.args and (library or isinstance(named, ast.Name)):
                self._note(node, "call", node.args[0])
            elif isinstance(named, ast.Attribute) and not library:
                self._note(node, "call", named.value)
        for i, keyword in enumerate(node.keywords):
            if keyword.arg == "axis" and (moved := _moved_axis(keyword.value)) is not None:
                self._note(keyword.value, "axis", moved)
            elif keyword.arg in ("axis", "keepdims", "where", "rel", "initial", "out"):
                continue
            elif keyword.arg is not None and _is_default(keyword.value):
                less = copy.copy(node)
                less.keywords = node.keywords[:i] + node.keywords[i + 1 :]
                self._note(node, "keyword", less)
        self.visit(named)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg != "axis":
                self.visit(keyword.value)

    # --- Statements -------------------------------------------------------------------------------------

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.visit(node.value)
            names = {part.id for part in ast.walk(node.value.func) if isinstance(part, ast.Name)}
            if not names & FOR_PEOPLE and "super" not in names:
                self._note(node, "statement", ast.Pass())
        elif isinstance(node.value, (ast.Yield, ast.Await)):
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if swapped := SWAPPED_OPERATORS.get(type(node.op)):
            self._note(node, "operator", ast.AugAssign(node.target, swapped(), node.value))
        self._note(node, "statement", ast.Pass())
        self.visit(node.value)

    def visit_Break(self, node: ast.Break) -> None:
        self._note(node, "statement", ast.Pass())

    def visit_Continue(self, node: ast.Continue) -> None:
        self._note(node, "statement", ast.Pass())


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))


def _is_default(node: ast.AST) -> bool:
    """Return whether a keyword's value looks like a setting, which a function has a default for."""
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def _moved_axis(node: ast.AST) -> ast.AST | None:
    try:
        axis = ast.literal_eval(node)
    except ValueError:
        return None
    if not isinstance(axis, int):
        return None
    return ast.parse(str({0: 1, 1: 0, -1: -2, -2: -1}.get(axis, axis - 1)), mode="eval").body


def _replaced(whole: ast.AST, part: ast.AST, new: ast.AST) -> ast.AST:
    """Return a syntax tree with a part (by identity) exchanged."""
    if whole is part:
        return new
    changed = copy.copy(whole)
    for name, value in ast.iter_fields(whole):
        if isinstance(value, list):
            setattr(changed, name, [_replaced(v, part, new) if isinstance(v, ast.AST) else v for v in value])
        elif isinstance(value, ast.AST):
            setattr(changed, name, _replaced(value, part, new))
    return changed


def draw(mutants: Iterator[Mutant] | list[Mutant], number: int, seed: int) -> list[Mutant]:
    """Return so many of the mutants, by the seed: a change of one file leaves the draw from others as it was."""
    return sorted(mutants, key=lambda mutant: mutant.rank(seed))[:number]
