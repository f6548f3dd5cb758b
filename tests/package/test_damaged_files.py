"""Damaged files of every format: a sentence, or what was in them; never a traceback, much memory, or other numbers."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damage import Format, as_json, fuzz, resealed
from damaged_formats import FORMATS, form

from secagent_env.support.digests import sealed

FEW = 60
MANY = 2200
"""For each format; every second one a valid container with wrong content."""


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files(tmp_path: Path, name: str):
    report = fuzz(form(name), FEW, seed=1, folder=tmp_path)
    assert report.faults == []
    assert report.outcomes["refused"] > FEW / 4


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_many_damaged_files(tmp_path: Path, name: str):
    report = fuzz(form(name), MANY, seed=2, folder=tmp_path)
    most = f"at most {report.most_bytes / 1e6:.0f} MB and {report.most_seconds:.2f} s"
    print(f"{name}: {MANY} files, {dict(report.outcomes)}, {most}")
    assert report.faults == []


# --- The check itself ------------------------------------------------------------------------------------------


def careless(path: Path) -> object:
    content = json.loads(path.read_bytes().decode("utf-8", "replace"))
    return content["a"]


@pytest.mark.parametrize(
    ("load", "fault"),
    [
        (careless, "raised KeyError"),
        (careless, "changed silently"),
        (careless, "does not name the file"),
        (lambda path: path.read_text(), "raised UnicodeDecodeError"),
    ],
)
def test_the_check_finds_what_is_careless(tmp_path: Path, load: Callable[[Path], object], fault: str):
    document = sealed({"a": [1.5, 2.5], "b": "text"})

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        other, fits = resealed(document, generator)
        return as_json(other), fits

    careless_format = Format("json", as_json(document), load, rewritten, digest=True)
    assert any(fault in found for found in fuzz(careless_format, 300, seed=1, folder=tmp_path).faults)


def test_the_check_measures_memory_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("damage.MAX_SECONDS", 0.5)
    monkeypatch.setattr("damage.MAX_BYTES", 5e7)

    def load(path: Path) -> bytes:
        content = path.read_bytes()
        if content == b"slow":
            while True:
                time.sleep(0.001)
        return bytes(np.ones(3 * 10**7).tobytes()[:1]) if content == b"large" else content

    for content in (b"slow", b"large"):
        report = fuzz(Format("x", b"whole", load, lambda _, c=content: (c, True), digest=False), 2, 1, tmp_path)
        assert [fault.partition(":")[0] for fault in report.faults][:1] == ["1"]
        assert " took " in report.faults[0]
