"""Commands on a full disk, and in a folder of another user: one sentence with the path, nothing half-written."""

from pathlib import Path

import pytest
from hardship import as_nobody, as_root, disk, visible

from eval.command.cli import main
from eval.sweep.engine import read_results

pytest.importorskip("pyarrow")
pytest.importorskip("plotly")

COMPARE = ["compare", "--scenario", "small", "--solvers", "exact", "randas", "--workers", "1"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports in which nothing is computed again."""
    monkeypatch.setattr("eval.report.write.decisions", lambda *_: [])
    monkeypatch.setattr("eval.report.write.convergence", lambda *_: {})


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """Return the sentence with which a command ends."""
    assert main(["-q", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err.removeprefix("secagent: error: ").strip()


@as_root
def test_a_disk_that_is_full_at_any_moment_keeps_what_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture, quick: None
):
    (tmp_path / "disk").mkdir()
    with disk(tmp_path / "disk", "30k"):
        out = tmp_path / "disk" / "out"
        message = refused(capsys, *COMPARE, "--instances", "40", "--out", str(out))
        assert message == f"{out / 'cells'}: No space left on device"
        kept = files(out)
        assert kept
        assert all(name.endswith(".parquet") for name in kept)
        assert len(read_results(out)) >= 2
        message = refused(capsys, "report", str(out))
        assert message.startswith(str(out))
        assert message.endswith("No space left on device")
        assert not [name for name in files(out) if "partial" in name or name == "report.html"]


@as_root
def test_a_disk_with_room_for_the_cells_alone_keeps_them(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "disk").mkdir()
    with disk(tmp_path / "disk", "40k"):
        out = tmp_path / "disk" / "out"
        message = refused(capsys, *COMPARE, "--instances", "1", "--out", str(out))
        assert message == f"{out / 'compare.png'}: No space left on device"
        assert len(read_results(out)) == 2
        assert not [name for name in files(out) if "partial" in name or name.endswith(".png")]


@as_root
def test_a_folder_that_may_only_be_read_is_told_before_anything_is_computed(tmp_path: Path, quick: None):
    out = tmp_path / "out"
    compare = ["-q", *COMPARE, "--instances", "1", "--out", str(out)]
    assert main(compare) == 0
    assert main(["-q", "report", str(out), "--out", str(tmp_path / "report.html")]) == 0
    visible(tmp_path)
    before = files(out)
    assert as_nobody(lambda: main(compare)) == f"2: secagent: error: {out / 'cells'}: Permission denied\n"
    assert as_nobody(lambda: main(["-q", "report", str(out)])) == f"2: secagent: error: {out}: Permission denied\n"
    study = ["-q", "study", "law", "--instances", "1", "--workers", "1", "--out", str(out)]
    assert as_nobody(lambda: main(study)) == f"2: secagent: error: {out}: Permission denied\n"
    assert files(out) == before
