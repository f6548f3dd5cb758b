"""The code that a result depends on: what is found in the source, and that nothing else is ever executed."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import solvers
from eval.sweep.sources import PACKAGES, reachable, source_file, sources_digest
from training.learn import learner

ROOT = Path(__file__).parents[3]
SOLVE = "eval.compare.solving"


def located(folder: Path):
    """Return what finds the modules of a folder, and no others."""

    def locate(module: str) -> Path | None:
        path = folder.joinpath(*module.split("."))
        return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)

    return locate


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import p.a", {"p", "p.a"}),
        ("import p.a as x\nx.f()", {"p", "p.a"}),
        ("from p import a", {"p", "p.a"}),
        ("from p.a import f", {"p", "p.a"}),
        ("def g():\n    from p import a", {"p", "p.a"}),
        ("def g():\n    import p\n    return p.f()", {"p", "p.a"}),  # f is of p.a: not p.b, not p.c
        ("import p as q\nq.f", {"p", "p.a"}),
        ("import p\ng(p)", {"p", "p.a", "p.b", "p.c"}),
        ("import p", {"p", "p.a", "p.b", "p.c"}),  # for what it does
        ("from p import *", {"p", "p.a", "p.b", "p.c"}),
        ("from p import own", {"p", "p.a", "p.b", "p.c"}),
        ("from p import f", {"p", "p.a"}),
        ("from p import f as g, h", {"p", "p.a", "p.b", "p.c"}),  # p.b imports p.c
        ("import importlib\nimportlib.import_module('p.a')", {"p", "p.a"}),
        ("from importlib import import_module\nimport_module('p.a')", {"p", "p.a"}),
        ("if TYPE_CHECKING:\n    from p import a\nelse:\n    from p import c", {"p", "p.c"}),
        ("import typing\nif typing.TYPE_CHECKING:\n    from p import a", set()),
        ("import os, json.decoder\nfrom missing import x", set()),
        ("'p.a:f'", set()),  # a registry's entries are given as modules
    ],
)  # fmt: skip
def test_imports_lead_to_the_modules_that_they_name(tmp_path: Path, source: str, found: set[str]):
    package = {
        "p/__init__.py": "from p.a import f\nfrom .b import h\nown = 1\n",
        "p/a.py": "f = 1",
        "p/b.py": "def h():\n    from .c import x\n",
        "p/c.py": "",
    }
    locate = located(tree(tmp_path, {**package, "m.py": source}))
    assert set(reachable(["m"], locate)) - {"m"} == found


def test_relative_imports_are_those_of_their_package(tmp_path: Path):
    files = {"p/__init__.py": "", "p/q/__init__.py": "from . import r", "p/q/r.py": "from ..s import t", "p/s.py": ""}
    assert set(reachable(["p.q"], located(tree(tmp_path, files)))) == {"p", "p.q", "p.q.r", "p.s"}


def test_an_unknown_module_is_told():
    with pytest.raises(ValueError, match=r"^there is no module 'no_such_module' whose code could be hashed$"):
        sources_digest(("no_such_module",))


def test_what_is_installed_does_not_count_but_for_what_is_named():
    assert source_file("numpy.linalg") is None
    assert source_file("numpy.linalg", own=("numpy",)).name == "__init__.py"
    assert source_file("json") is None
    assert source_file("solvers.asc.algorithm2") == ROOT / "solvers" / "asc" / "algorithm2.py"
    assert source_file("solvers.asc.nothing") is source_file("solvers.standins.nothing") is None


@pytest.mark.parametrize("folder", ["lib/site-packages", "usr/dist-packages", "opt/libraries"])
def test_libraries_do_not_count_wherever_they_are_installed(tmp_path: Path, folder: str):
    """They may lie on the path of another environment, or be large: none of their files is read."""
    libraries = tree(
        tmp_path / folder, {"big/__init__.py": "import", "big-1.0.dist-info/METADATA": "Name: big\nVersion: 1.0\n"}
    )
    (libraries / "big-1.0.dist-info" / "top_level.txt").write_text("big\n")
    tree(tmp_path / "mine", {"plugin.py": "import big, helper", "helper.py": ""})
    code = "import sys; from eval.sweep.sources import reachable; print(*reachable(['plugin']))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "mine"), str(libraries), *sys.path])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=ROOT)
    assert run.stdout.split() == ["plugin", "helper"], run.stderr


RUN = """
import json, sys
from eval.compare.comparison import Comparison, parse_solvers
from secagent_env import Scenario

comparison = Comparison(Scenario.preset("small"), parse_solvers([sys.argv[1]]), instances=1)
[cell] = comparison.cells()
from eval.sweep.cells import compute
assert compute(cell).error is None  # what is imported once is imported now
executed = set()

def called(frame, event, argument):
    if event == "call":
        executed.add(frame.f_code.co_filename)

sys.setprofile(called)
done = compute(cell)
sys.setprofile(None)
print(json.dumps({"executed": sorted(executed), "code": cell.code}))
"""
SCHEMES = [*solvers.names(), "ppo", "law(expert_search=false)"]


def some_of(names: Iterable[str], *quick: str) -> list[Any]:
    """Return names as parameters of a test, all but some of them marked slow: each takes a process of its own."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("scheme", some_of(SCHEMES, "asc", "exact", "ppo", "law(expert_search=false)"))
def test_a_cell_executes_only_code_that_its_key_depends_on(scheme: str):
    """A reference that knows nothing of imports: what the interpreter executes while a cell is computed."""
    if scheme == "ga":
        pytest.importorskip("pymoo")
    ran = subprocess.run([sys.executable, "-c", RUN, scheme], capture_output=True, text=True, cwd=ROOT, check=True)
    told = json.loads(ran.stdout)
    counted = {str(path) for path in reachable(told["code"]).values()}
    executed = {
        name for name in told["executed"] if any(name.startswith(f"{ROOT / package}{os.sep}") for package in PACKAGES)
    }
    sweep = {str(ROOT / "eval" / "sweep" / name) for name in ("cells.py", "sources.py")}  # what calls the function
    assert len(executed) > 5
    assert executed - counted - sweep == set()


def imports_of_file(module: str) -> set[str]:
    """Return the modules that a file imports by whole statements, read in the plainest way."""
    found = set()
    for node in ast.walk(ast.parse(source_file(module).read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if source_file(name) is not None}


def imported(module: str) -> set[str]:
    found, left = set(), [module]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += imports_of_file(name)
    return found


MODULES = {**{name: solvers.interface.registry.module_of(name) for name in solvers.names()},
           **{f"learner {name}": learner.module_of(name) for name in learner.ALGORITHMS}}  # fmt: skip


@pytest.mark.parametrize("name", some_of(MODULES, "asc", "law", "learner ppo"))
def test_a_change_in_its_own_module_discards_a_schemes_results_and_no_others(name: str, tmp_path: Path):
    """For every registered solver and learner; schemes that import the module are the only others."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    own = MODULES[name]
    discarded = {other for other, module in MODULES.items() if own in reachable([SOLVE, module], located(tmp_path))}
    assert name in discarded
    assert discarded == {other for other, module in MODULES.items() if own in imported(module)}


def keys(folder: Path, *schemes: str) -> dict[str, str]:
    code = (
        "import sys; from eval.compare.comparison import Comparison, parse_solvers; from secagent_env import Scenario\n"
        "cells = Comparison(Scenario.preset('small'), parse_solvers(sys.argv[1:]), instances=1).cells()\n"
        "print(*(cell.key for cell in cells))"
    )
    env = {**os.environ, "PYTHONPATH": str(folder)}
    run = subprocess.run([sys.executable, "-c", code, *schemes], cwd=folder, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return dict(zip(schemes, run.stdout.split(), strict=True))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the four packages, to be changed."""
    folder = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def comment(*paths: Path) -> None:
    for path in paths:
        for file in [path] if path.is_file() else path.rglob("*.py"):
            with open(file, "a") as source:
                source.write("# a comment\n")


LANGUAGE = (
    "secagent_env/questions", "solvers/knowledge", "solvers/collaboration", "solvers/reasoning", "solvers/genainet",
    "eval/experiments/votes", "eval/experiments/knowledge_transfer", "eval/experiments/knowledge_energy",
    "eval/experiments/genainet_power",
)  # fmt: skip
"""The rooms of knowledge, reasoning and GenAINet."""


def test_results_survive_a_comment_elsewhere_and_not_one_in_the_physics(house: Path, tmp_path: Path):
    def secagent(*arguments: str) -> str:
        command = [
            sys.executable,
            "-m",
            "eval.command.cli",
            "-q",
            "compare",
            "--scenario",
            "small",
            "--instances",
            "2",
        ]
        command += ["--solvers", "exact", "asc", "randas", "--workers", "1", "--out", str(tmp_path), *arguments]
        env = {**os.environ, "PYTHONPATH": str(house)}
        run = subprocess.run(command, cwd=house, env=env, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout

    secagent()
    rooms = [house / room for room in LANGUAGE]
    assert all(room.is_dir() for room in rooms)
    comment(*rooms)
    assert secagent("--dry-run") == "6 cells: 6 finished, 0 failed, 0 to be computed\n"
    comment(house / "secagent_env" / "model" / "physics.py")
    assert secagent("--dry-run").startswith("6 cells: 0 finished, 0 failed, 6 to be computed")


def test_a_plugins_code_counts_for_its_own_solvers_alone(house: Path, tmp_path: Path):
    """A plugin is not among the packages, and no function imports it."""
    plugin = (
        "import helper, solvers\nfrom solvers.benchmarks.randas import RandAS\n"
        "class Mine(RandAS):\n    name = 'mine'\n"
        "solvers.register('mine', Mine)\n"
    )
    tree(tmp_path, {"plugin.py": plugin, "helper.py": ""})
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import plugin\n"
        "from eval.compare.comparison import Comparison, parse_solvers; from secagent_env import Scenario\n"
        "cells = Comparison(Scenario.preset('small'), parse_solvers(['mine', 'randas']), instances=1).cells()\n"
        "print(*(cell.key for cell in cells))"
    )

    def both() -> list[str]:
        command = [sys.executable, "-c", code, str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    before = both()
    comment(tmp_path / "helper.py")
    after = both()
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)
