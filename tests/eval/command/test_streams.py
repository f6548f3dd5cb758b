"""The command's output where stdout or stderr is closed, full, or takes ASCII alone, and a notebook's environment."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from secagent_env import sample_instance

pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

COMPARE = "compare --scenario small --solvers randas 'law(rounds=1, iterations=1)' --instances 2 --workers"
"""It prints dashes that ASCII lacks: random selection asks no model."""


def shell(folder: Path, line: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a command line of the shell in which ``secagent`` stands for the command."""
    program = f"{shlex.quote(sys.executable)} -m eval.command.cli"
    kept = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "PYTHONUNBUFFERED")}
    return subprocess.run(
        ["sh", "-c", line.replace("secagent", program)], cwd=folder, capture_output=True, env={**kept, **environment}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sample_instance("small", 1).save(tmp_path / "instance.npz")
    return tmp_path


def test_a_closed_stream_loses_what_it_would_show_and_nothing_else(folder: Path):
    ran = shell(folder, "secagent solve instance.npz --out decision.json >&- && secagent sample --out other.npz 2>&-")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"secagent: wrote decision.json\n")
    assert (folder / "decision.json").stat().st_size > 1000
    assert (folder / "other.npz").stat().st_size > 1000


def test_workers_compute_with_closed_streams(folder: Path):
    ran = shell(folder, f"secagent {COMPARE} 2 --out out <&- >&- 2>&-")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    assert {"table.md", "rows.csv", "compare.png"} <= set(os.listdir(folder / "out"))
    assert "failed" not in (folder / "out" / "rows.csv").read_text()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_an_error_in_one_sentence(folder: Path, unbuffered: str):
    ran = shell(folder, "secagent solve instance.npz > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert ran.returncode == 2
    assert ran.stderr == b"secagent: error: cannot write to stdout: No space left on device\n"


def test_a_full_disk_behind_stderr_hides_only_what_is_said_there(folder: Path):
    ran = shell(folder, "secagent sample --out other.npz 2> /dev/full && secagent solve no.npz 2> /dev/full")
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, b"", b"")
    assert (folder / "other.npz").exists()


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({"PYTHONIOENCODING": "ascii", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}, f"{COMPARE} 2"),
        pytest.param(
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "MPLBACKEND": "nonsense"},
            f"{COMPARE} 1",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_ascii_and_the_backend_of_a_notebook_end_no_command(folder: Path, environment: dict, command: str):
    ran = shell(folder, f"secagent {command} --out out", **environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.isascii()
    assert ran.stderr.isascii()
    [table] = (folder / "out").glob("*.md")
    assert ran.stdout.decode() == table.read_text(encoding="utf-8").replace("–", "-")
    assert list((folder / "out").glob("*.png"))


def test_characters_that_an_encoding_lacks_are_replaced_by_similar_ones():
    import secagent_env.support.streams  # noqa: F401  registers the handler

    assert "1 ± 2 µs – 3 × 4 ≤ λ".encode("ascii", "secagent") == b"1 +- 2 us - 3 x 4 <= \\u03bb"


def test_a_working_directory_that_is_gone_is_told(folder: Path):
    gone = "mkdir gone && cd gone && rmdir ../gone &&"
    ran = shell(folder, f"{gone} secagent sample --out x.npz")
    told = b"secagent: error: the working directory is no longer there: change to another one\n"
    assert (ran.returncode, ran.stderr) == (2, told)
    ran = shell(folder, f"{gone} secagent sample --out {folder}/x.npz")
    assert ran.returncode == 0
