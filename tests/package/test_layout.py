"""The house: arrows that point down, no circles, rooms of a size to look around in, and one public floor for all."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("secagent_env", "solvers", "training", "eval")
"""From the lowest to the highest: each may import those before it."""
MODULES_AT_MOST = 14
"""In a folder, beside ``__init__``."""


def name_of(path: Path, root: Path = ROOT) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imports(source: str, modules: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Yield all imports of modules, with the name that is imported; inside functions and for types too."""
    known = set(modules)
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                yield from ((alias.name, None) for alias in node.names if alias.name in known)
            case ast.ImportFrom(module=str(module), level=0):
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    if inner in known:
                        yield inner, None
                    elif module in known:
                        yield module, alias.name
            case ast.ImportFrom(level=int(level)) if level:
                raise AssertionError("imports of this project name their module in full")


def strings(source: str) -> set[str]:
    """Return the modules that a source names in a string, as in "eval.command.cli:main"."""
    named = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {
        text.partition(":")[0] for text in named if isinstance(text, str) and re.fullmatch(r"\w+(\.\w+)+(:\w+)?", text)
    }


IMPORTS = {name: list(imports(path.read_text(encoding="utf-8"), FILES)) for name, path in FILES.items()}


def circles(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows between what lies on circles: take away, in turn, what has no arrow out, or none in."""
    left = {name: {other for other in others if other in edges and other != name} for name, others in edges.items()}
    while left:
        entered = set().union(*left.values())
        kept = {name for name, others in left.items() if others and name in entered}
        if len(kept) == len(left):
            break
        left = {name: left[name] & kept for name in kept}
    return left


def room_of(module: str) -> str:
    return FILES[module].parent.relative_to(ROOT).as_posix()


def test_no_module_imports_itself_in_a_circle():
    assert circles({name: {module for module, _ in found} for name, found in IMPORTS.items()}) == {}


def test_no_room_imports_itself_in_a_circle():
    rooms: dict[str, set[str]] = defaultdict(set)
    for name, found in IMPORTS.items():
        rooms[room_of(name)] |= {room_of(module) for module, _ in found}
    assert circles(rooms) == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package: str):
    above = set(PACKAGES[PACKAGES.index(package) + 1 :])
    upward = {
        name: wrong
        for name, path in FILES.items()
        if name.partition(".")[0] == package
        and (wrong := {m.partition(".")[0] for m in {m for m, _ in IMPORTS[name]} | strings(path.read_text())} & above)
    }
    assert upward == {}


def test_no_package_reaches_into_another_ones_private_modules_or_names():
    private = [
        (name, module, attribute)
        for name, found in IMPORTS.items()
        for module, attribute in found
        if name.partition(".")[0] != module.partition(".")[0]
        and any(part.startswith("_") and part != "__version__" for part in [*module.split("."), attribute or ""])
    ]
    assert private == []


def test_a_room_is_small_enough_to_look_around():
    counts: dict[Path, int] = defaultdict(int)
    for root in (*PACKAGES, "tests"):
        for path in (ROOT / root).rglob("*.py"):
            counts[path.parent] += path.name not in ("__init__.py", "conftest.py")
    assert {str(room): count for room, count in counts.items() if count > MODULES_AT_MOST} == {}


def test_files_of_tests_have_names_of_their_own():
    """They are no packages: pytest would take a second one of a name for the first."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_folder_of_code_says_what_it_holds():
    for folder in {path.parent for path in FILES.values()}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), f"{folder} says nothing"


# --- The checks themselves -----------------------------------------------------------------------------------


def test_circles_are_found_also_with_what_hangs_on_them():
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == {}
    assert circles({"a": {"b"}, "b": {"a", "d"}, "c": {"a"}, "d": set()}) == {"a": {"b"}, "b": {"a"}}


def test_every_kind_of_import_is_seen():
    modules = {"p", "p.a", "q"}
    source = "import q\nfrom p import a, f\ndef g():\n    if TYPE_CHECKING:\n        from p.a import _x\n"
    assert set(imports(source, modules)) == {("q", None), ("p.a", None), ("p", "f"), ("p.a", "_x")}
    assert strings("x = 'solvers.exact.solver:Exact'") == {"solvers.exact.solver"}
