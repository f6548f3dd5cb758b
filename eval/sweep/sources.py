"""The code that a result depends on: all modules that a function's module can reach by import.

Imports are read from the source, wherever they stand: those inside functions count, those under ``if TYPE_CHECKING`` do
not. A name that a package's ``__init__`` imports from a module of the package leads to that module alone, so that
``from secagent_env import Scenario`` does not depend on the environments. Modules that a registry or a plugin names are
given beside the function's (:class:`eval.sweep.cells.Cell`).

Code counts that belongs to secagent or to the user; the standard library and installed packages do not.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("secagent_env", "solvers", "training", "eval")
Locate = Callable[[str], Path | None]
"""Returns the source file of a module; None where there is none, or it does not count."""


@functools.cache
def sources_digest(names: tuple[str, ...]) -> str:
    """Return a hash of the modules ``names`` and of all that they can reach by import.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    digest = hashlib.sha256()
    for module, path in sorted(reachable(names).items()):
        digest.update(module.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def reachable(names: Iterable[str], locate: Locate | None = None) -> dict[str, Path]:
    """Return the modules that count among ``names`` and what they can reach by import, with their files.

    Parameters
    ----------
    names
        Modules to begin with.
    locate
        Where sources are; by default :func:`source_file`, for which the packages of ``names`` count too.

    Raises
    ------
    ValueError
        If there is no module of a name.
    """
    begin = tuple(names)
    search = locate or functools.partial(source_file, own=(*PACKAGES, *(name.partition(".")[0] for name in begin)))
    files: dict[str, Path] = {}
    expanded: set[str] = set()
    left: list[tuple[str, str | None]] = [(name, None) for name in begin]
    for name in begin:
        if search(name) is None:
            raise ValueError(f"there is no module {name!r} whose code could be hashed")
    while left:
        module, attribute = left.pop()
        if attribute is not None and search(f"{module}.{attribute}") is not None:
            module, attribute = f"{module}.{attribute}", None
        path = search(module)
        if path is None:
            continue
        for parent in _parents(module):  # an __init__ runs when a module below it is imported
            if (own := search(parent)) is not None:
                files[parent] = own
        files[module] = path
        imports = imports_of(path, module)
        if path.name == "__init__.py" and attribute in imports.names:
            left.append(imports.names[attribute])
        elif module not in expanded:
            expanded.add(module)
            left += imports.reached
    return files


@functools.cache
def source_file(module: str, own: tuple[str, ...] = PACKAGES) -> Path | None:
    """Return the source file of a module of secagent, of ``own`` packages, or of code that is not installed.

    Nothing is imported.
    """
    top, *inner = module.split(".")
    if top == "__main__":
        file = getattr(sys.modules[top], "__file__", None)
        return Path(file) if file and not inner else None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    path = Path(spec.origin)
    if top not in own and _is_installed(top, path):
        return None
    if not inner:
        return path
    if spec.submodule_search_locations is None:
        return None
    found = path.parent.joinpath(*inner)
    return next(filter(Path.is_file, (found.with_suffix(".py"), found / "__init__.py")), None)


def _is_installed(top: str, path: Path) -> bool:
    """Return whether a module is of the standard library or of an installed distribution, wherever that lies."""
    return (
        top in sys.stdlib_module_names
        or not {"site-packages", "dist-packages"}.isdisjoint(path.parts)
        or top in _distributed()
    )


@functools.cache
def _distributed() -> frozenset[str]:
    return frozenset(importlib.metadata.packages_distributions())


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


@dataclass(frozen=True)
class Imports:
    """What a source file imports: pairs of a module and a name in it, or None for the whole module."""

    reached: tuple[tuple[str, str | None], ...]
    names: dict[str, tuple[str, str | None]]  # what its top level takes from other modules, by the names it gives them


@functools.cache
def imports_of(path: Path, module: str) -> Imports:
    """Return what the source file of a module imports."""
    tree = ast.parse(path.read_bytes())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    reached: list[tuple[str, str | None]] = []
    names: dict[str, tuple[str, str | None]] = {}
    whole: dict[str, str] = {}  # names of modules that the file uses by their attributes
    for node in _executed(tree):
        match node:
            case ast.ImportFrom():
                source = _source(node, package)
                pairs = [(source, None if alias.name == "*" else alias.name) for alias in node.names]
                reached += pairs
                if node in tree.body:
                    names |= {alias.asname or alias.name: pair for alias, pair in zip(node.names, pairs, strict=True)}
            case ast.Import():
                for alias in node.names:
                    if alias.asname or "." not in alias.name:
                        whole[alias.asname or alias.name] = alias.name
                    else:
                        reached.append((alias.name, None))
            case ast.Call(func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"), args=[first, *_]):
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    reached.append((first.value, None))
    uses = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in whole]
    reached += [(whole[node.id], uses.get(id(node))) for node in used]
    unused = whole.keys() - {node.id for node in used}  # imported for what the module does then
    reached += [(whole[name], None) for name in sorted(unused)]
    return Imports(tuple(dict.fromkeys(reached)), names)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree but for those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in {getattr(node.test, name, "") for name in ("id", "attr")}:
            for other in node.orelse:
                yield other
                yield from _executed(other)
        else:
            yield node
            yield from _executed(node)


def _source(node: ast.ImportFrom, package: str) -> str:
    """Return the module that ``from … import`` names, relative ones too."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
