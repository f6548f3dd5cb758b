"""A results folder received from somebody: the report reads it, and does nothing else that it asks for."""

import functools
import json
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.command.cli import main
from eval.compare.comparison import Comparison
from eval.compare.comparison import run as compare
from eval.report import write_report
from eval.report.data.received import Received
from eval.report.data.recompute import decisions
from eval.report.data.results import gather
from eval.report.pdf import file_names
from eval.sweep import cell_files
from secagent_env import Scenario
from training.play.shipped import find

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("plotly")

SMALL = Scenario.preset("small")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
Change = Callable[[list[dict]], list[dict]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a comparison of three schemes on two networks."""
    folder = tmp_path_factory.mktemp("written")
    compare(Comparison(SMALL, {"exact": {}, "asc": {}, "randas": {}}, 2), folder, workers=1, progress=False)
    [path] = (folder / "cells").glob("*.parquet")
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, written: bytes) -> Path:
    (tmp_path / "received" / "cells").mkdir(parents=True)
    (tmp_path / "received" / "cells" / "0.parquet").write_bytes(written)
    return tmp_path / "received"


def alter(folder: Path, change: Change) -> None:
    """Change the rows in a folder; the digest fits them."""
    path = folder / "cells" / "0.parquet"
    table, _ = cell_files.read(path)
    rows = change([row | {"options": json.loads(row["options"])} for row in table.to_pylist()])
    rows = [row | {"options": json.dumps(row["options"])} for row in rows]
    path.write_bytes(cell_files.pack(pyarrow.Table.from_pylist(rows)))


def copied(rows: list[dict], scheme: str, key: str, **options: object) -> list[dict]:
    """Rows like those of a scheme, as of another scheme."""
    asc = [row for row in rows if row["scheme"] == "asc"]
    return [row | {"key": f"{row['key']}{key}", "scheme": scheme, "options": row["options"] | options} for row in asc]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports in which nothing is computed again."""
    monkeypatch.setattr("eval.report.write.decisions", lambda *_: [])
    monkeypatch.setattr("eval.report.write.convergence", lambda *_: {})


# --- What cells ask for --------------------------------------------------------------------------------------


def test_what_cells_name_is_neither_written_nor_opened_nor_contacted_nor_imported(folder: Path, tmp_path: Path):
    target, pipe, mark = tmp_path / "target", tmp_path / "pipe", tmp_path / "mark"
    os.mkfifo(pipe)
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def count() -> None:
            while True:
                try:
                    connections.append(server.accept()[0].close())
                except OSError:
                    return

        threading.Thread(target=count, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        asked: dict[str, dict] = {
            "asc": {"solver": "law", "solver_options": {"transcript": str(target)}},
            "law": {"solver": "law", "solver_options": {"model": "m", "base_url": address}},
            "randas": {"solver": "law", "solver_options": {"replay": str(pipe)}},
            "zero": {"solver": "law", "solver_options": {"replay": "/dev/zero"}},
            "./agent.onnx": {"solver": "./agent.onnx", "solver_options": {}, "policy": "0"},
            "pipe.onnx": {"solver": str(pipe) + ".onnx", "solver_options": {}, "policy": "0"},
            "runs/a": {"solver": "runs/a", "solver_options": {}},
            "evil": {"solver": "evil:make", "solver_options": {}},
            "slow": {"solver": "asc", "solver_options": {"draws": 10**9}},
        }
        os.mkfifo(str(pipe) + ".onnx")
        alter(folder, lambda rows: [row for name, o in asked.items() for row in copied(rows, name, name, **o)])
        command = [sys.executable, "-m", "eval.command.cli", "report", str(folder)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert connections == []
    assert not target.exists()
    assert not mark.exists()
    page = (folder / "report.html").read_text()
    for name in asked:
        assert f"the networks of {name} are not drawn: " in page
        assert f"the networks of {name} are not drawn: " in done.stderr
    assert page.count("--trust-paths only") >= len(asked)
    assert {path.name for path in (folder / "figures").iterdir()} == {
        "comparison-1.pdf", "convergence-asc.pdf", "convergence-law.pdf"
    }  # fmt: skip


def test_a_folder_that_is_trusted_may_name_paths(folder: Path, tmp_path: Path):
    options = {"solver": "law", "solver_options": {"transcript": str(tmp_path / "transcript.jsonl")}}
    alter(folder, lambda rows: copied(rows, "law (no LLM)", "x", **options))
    [compared] = gather(folder).comparisons
    assert decisions(compared, Received(folder), instances=1) == []
    [solved] = decisions(compared, Received(folder, trusted=True), instances=1)
    assert solved.scheme == "law (no LLM)"


def test_agents_by_path_are_drawn_in_a_trusted_folder(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "runs" / "ok.onnx"
    path.parent.mkdir()
    path.write_bytes(find("ppo").read_bytes())
    compare(Comparison(SMALL, {str(path): {}}, 1), tmp_path / "out", workers=1, progress=False)
    [compared] = gather(tmp_path / "out").comparisons
    received = Received(tmp_path / "out")
    assert decisions(compared, received) == []
    assert "and paths are followed with --trust-paths only" in received.left_out[0]
    [solved] = decisions(compared, Received(tmp_path / "out", trusted=True))
    assert re.fullmatch(r"[a-z0-9-]+", file_names([solved.scheme])[str(path)])


# --- Where links lead to -------------------------------------------------------------------------------------


def test_links_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path, written: bytes, quick: None):
    secret = tmp_path / "secret"
    secret.write_text("## The secret\n\n")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "cells").mkdir(parents=True)
    (elsewhere / "cells" / "1.parquet").write_bytes(written)
    (elsewhere / "table5.md").write_text("## The secret\n\n")
    links = {
        "cells/secret.parquet": secret,
        "cells/1.parquet": elsewhere / "cells" / "1.parquet",
        "table5.md": secret,
        "genainet-table1.png": secret,
        "fig4.csv": secret,
        "fig4.pdf": secret,
        "learners": elsewhere,
        "other": elsewhere,
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    (folder / "genainet-table1.md").write_text("## A table\n")
    (folder / "table3.csv").symlink_to("/dev/zero")
    page = write_report(folder).read_text()
    assert "The secret" not in page
    assert "A table" in page
    for name in links.keys() - {"fig4.pdf"}:
        assert f"{folder / name} is left out: it is a link out of the folder" in page, name
    assert not (folder / "figures" / "fig4.pdf").exists()
    assert "The secret" in write_report(folder, trust_paths=True).read_text()


@pytest.mark.parametrize("name", ["report.html", "figures", "figures/comparison-1.pdf"])
@pytest.mark.parametrize("thing", ["link", "pipe"])
def test_nothing_is_written_through_what_lies_in_the_folder(
    folder: Path, tmp_path: Path, name: str, thing: str, capsys
):
    precious = tmp_path / "precious"
    precious.mkdir()
    (folder / name).parent.mkdir(exist_ok=True)
    if thing == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(precious if name == "figures" else precious / "file")
    assert main(["report", str(folder)]) == 2
    assert capsys.readouterr().err.endswith(
        f"{folder / name}: is a link, or no file: name another one with --out, or allow it with --trust-paths\n"
    )
    assert list(precious.iterdir()) == []
    assert not list(folder.rglob("*.partial"))


# --- What is altered -----------------------------------------------------------------------------------------


def deep(levels: int) -> list:
    return [deep(levels - 1)] if levels else []


ALTERED: dict[str, dict[str, object]] = {
    "infinite energy": {"energy_j": math.inf},
    "no energy": {"energy_j": None},
    "negative latency": {"latency_s": -1.0},
    "no status": {"status": None},
    "no flag": {"feasible": None},
    "negative index": {"index": -1},
}
OPTIONS: dict[str, dict[str, object]] = {
    "deep scenario": {"scenario": deep(90)},
    "no solver": {"solver": None},
    "options that are none": {"solver_options": "x"},
    "no error": {"csi_error": None},
}


def test_altered_cells_are_named_and_the_others_shown(folder: Path, quick: None):
    alter(
        folder,
        lambda rows: [
            *rows,
            *(row | change for name, change in ALTERED.items() for row in copied(rows, name, name)),
            *(row for name, change in OPTIONS.items() for row in copied(rows, name, name, **change)),
        ],
    )
    before = (folder / "cells" / "0.parquet").read_bytes()
    page = write_report(folder).read_text()
    for name, change in ALTERED.items():
        [column] = change
        named = f"the cell experiment compare, scheme {name}, seed 0, index [-\\d]+, is left out: {column}"
        assert re.search(named, page) or name == "negative index"
    assert "which this one cannot read" in page
    assert set(re.findall(r'<th scope="row".*?</span>(.*?)</th>', page)) == {"exact", "asc", "randas"}
    assert (folder / "cells" / "0.parquet").read_bytes() == before


def test_schemes_that_were_tried_on_different_networks_are_not_compared(folder: Path):
    alter(
        folder,
        lambda rows: [row for row in rows if (row["scheme"], row["index"]) in {("exact", 0), ("asc", 1)}],
    )
    [compared] = gather(folder).comparisons
    assert (set(compared.solvers), compared.left_out) == ({"exact"}, ("asc",))


def test_a_damaged_file_is_named_and_stays(folder: Path, capsys, quick: None):
    (folder / "cells" / "1.parquet").write_bytes((folder / "cells" / "0.parquet").read_bytes()[:-1])
    assert main(["report", str(folder)]) == 0
    sentence = f"{folder / 'cells' / '1.parquet'} is left out: it is broken, or no Parquet file"
    assert capsys.readouterr().err.count(sentence) == 1
    assert sentence in (folder / "report.html").read_text()
    assert len(list((folder / "cells").iterdir())) == 2


def test_a_section_that_cannot_be_made_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, quick: None):
    def broken(*_: object) -> None:
        raise KeyError("nothing")

    monkeypatch.setattr("eval.report.write.comparison_section", broken)
    page = write_report(folder).read_text()
    assert "the section of comparisons is left out: &#39;nothing&#39;" in page
    assert 'id="configuration"' in page


# --- Names and texts -----------------------------------------------------------------------------------------


def test_names_and_texts_are_neither_paths_nor_html(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("eval.report.write.decisions", functools.partial(decisions, instances=1))
    monkeypatch.setattr("eval.report.write.convergence", lambda *_: {})
    labels = [HOSTILE, "../../x", "a/b", "$\\frac{1", "x\0y", "l" * 3000, "\U0001f600 網", "%{y}"]
    alter(
        folder,
        lambda rows: [
            row | {"message": HOSTILE, "feasible": row["index"] > 0}
            for at, label in enumerate(labels)
            for row in copied(rows, label, str(at))
        ],
    )
    (folder / "table5.md").write_text(f'## {HOSTILE}\n\n| {HOSTILE} | b |\n|---|---|\n| {HOSTILE}" | b |\n')
    page = write_report(folder).read_text()
    assert page.count("<script") == 3
    assert "<img" not in page
    files = sorted(path.name for path in (folder / "figures").iterdir())
    assert len([name for name in files if name.startswith("network-0-")]) == 3
    assert "comparison-1.pdf" in files
    assert all(re.fullmatch(r"[a-z0-9-]+\.pdf", name) for name in files)
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', page)[1])
    names = {trace["name"] for trace in figures["compare-0-profile"]["data"]}
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;" in names


@given(st.lists(st.text(), unique=True))
def test_labels_have_different_file_names(labels: list[str]):
    names = file_names(labels)
    assert list(names) == labels
    assert len(set(names.values())) == len(labels)
    assert all(re.fullmatch(r"[a-z0-9-]{1,60}", name) for name in names.values())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("fig4.csv", "scheme" + "," * 10**6, "is left out: it has more than 1 MB"),
        ("table5.md", "# a" * 10**6, "is left out: it has more than 1 MB"),
        ("fig4.csv", "scheme" + "," * 900_000, "is broken: it has more than 1000 columns"),
        ("learners/learners.csv", "scheme\n" + "," * 900_000, "is broken: it has more than 1000 columns"),
        ("learners/learners.csv", '"' + "a" * 900_000, "is broken: field larger than field limit"),
        ("fig4.csv", "\ud800", "is broken: 'utf-8' codec can't decode"),
    ],
)
def test_tables_and_texts_that_no_command_writes_are_left_out(
    folder: Path, name: str, content: str, reason: str, quick: None, caplog: pytest.LogCaptureFixture
):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    started = time.monotonic()
    write_report(folder)
    assert f"{name} {reason}" in caplog.text
    assert time.monotonic() - started < 10


def test_what_is_said_of_a_folder_steers_no_terminal(folder: Path, capsys, quick: None):
    alter(folder, lambda rows: [row | {"version": "\x1b[2J\u202e\x07\r", "options": {}} for row in rows])
    assert main(["report", str(folder)]) == 2
    assert "version of secagent (\\x1b[2J\\u202e\\x07 )" in capsys.readouterr().err
    (folder / "cells" / "0.parquet").rename(folder / "cells" / "\x9b2J.parquet")
    (folder / "cells" / "\x9b2J.parquet").write_bytes(b"")
    assert main(["report", str(folder)]) == 2
    assert "/\\x9b2J.parquet is left out" in capsys.readouterr().err


def test_plain_labels_keep_their_names():
    assert file_names(["asc", "law (no LLM)", "ppo-mlp"]) == {"asc": "asc", "law (no LLM)": "law", "ppo-mlp": "ppo"}
    assert next(iter(file_names(["asc", "asc(draws=9)"]).values())) == "asc"
