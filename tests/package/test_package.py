"""The distribution: what the wheel holds, and that it runs where it is installed."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("secagent_env", "solvers", "training", "eval")
HEAVY = {
    "torch", "onnx", "onnxruntime", "stable_baselines3", "sb3_contrib", "tensorboard", "yaml",
    "cvxpy", "clarabel", "matplotlib", "pygame", "pandas",
}  # fmt: skip


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the repository as a user would, and return what it prints."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def source_files(package: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_the_four_packages_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        content = {name for name in archive.namelist() if ".dist-info/" not in name}
    for package in PACKAGES:
        assert {f"{package}/__init__.py", f"{package}/py.typed"} <= content
    assert content == set().union(*map(source_files, PACKAGES))
    assert any(re.fullmatch(r"training/hyperparameters/\w+\.yaml", name) for name in content)
    policies = {name for name in content if name.endswith(".onnx")}
    assert {name.replace(".onnx", ".md") for name in policies} <= content


def test_metadata(metadata: Message):
    assert metadata["Name"] == "secagent-env"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    extras = {
        "solvers",
        "agents",
        "rl",
        "multiagent",
        "llm",
        "local",
        "knowledge",
        "eval",
        "channels",
        "cluster",
        "fast",
        "tune",
        "offline",
        "track",
        "report",
        "docs",
        "render",
        "all",
        "dev",
    }
    assert set(metadata.get_all("Provides-Extra")) == extras


def test_base_installation_is_light(metadata: Message):
    base = (entry for entry in metadata.get_all("Requires-Dist") if "extra ==" not in entry)
    required = {re.match(r"[\w-]+", entry)[0] for entry in base}
    assert required == {"numpy", "scipy", "gymnasium", "array-api-compat", "threadpoolctl"}


def test_installed_wheel_runs_the_main_job_outside_the_repository(wheel: Path, tmp_path: Path):
    home = tmp_path / "venv"
    venv.create(home, with_pip=True, symlinks=True)
    python, secagent = home / "bin" / "python", home / "bin" / "secagent"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # The libraries come from the running environment. Its own .pth files (an editable secagent) are not read.
    (site,) = home.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    where = run(python, "-c", "import eval, secagent_env; print(eval.__file__, secagent_env.__file__)", cwd=tmp_path)
    assert [Path(file).is_relative_to(site) for file in where.split()] == [True, True]
    assert re.search(r"\b\d+\.\d+\.\d+", run(secagent, "--version", cwd=tmp_path))

    job = ["compare", "--solvers", "exact", "randas", "--instances", "2", "--out", "results"]
    table = run(secagent, *job, cwd=tmp_path)
    for solver in ("exact", "randas"):
        assert re.search(rf"^\W*{solver}\b.*\d", table, re.MULTILINE), table
    assert any((tmp_path / "results").iterdir())


@pytest.mark.parametrize("package", ["secagent_env", "solvers", "training"])
def test_import_needs_only_the_base_dependencies(package: str, tmp_path: Path):
    code = f"import sys, {package}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    assert HEAVY.isdisjoint(run(sys.executable, "-c", code, cwd=tmp_path).split())
