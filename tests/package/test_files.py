"""The writer of files: whole or not at all, through links and devices, from threads and processes; and no other."""

import ast
import errno
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from concurrent_writers import faults
from hardship import as_nobody, as_root, disk, visible

from secagent_env.support import files
from secagent_env.support.files import append_line, check_target, is_temporary, remove_stale, whole_file, write_text

ROOT = Path(__file__).parents[2]
WRITER = ROOT / "secagent_env" / "support" / "files.py"
TRANSCRIPT = ROOT / "solvers" / "llm" / "transcript.py"
"""It holds its file open and locked, to append."""
SOURCES = [
    path
    for folder in ("secagent_env", "solvers", "training", "eval", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path not in (WRITER, TRANSCRIPT)
]

# --- No other writer ------------------------------------------------------------------------------------------

WRITING = {
    *("write_text", "write_bytes", "tofile", "copyfile", "copy2", "copytree", "mkstemp", "NamedTemporaryFile"),
    *("savefig", "imsave", "savez", "savez_compressed", "savetxt", "to_parquet", "to_pickle", "to_excel", "dump"),
    *("np.save", "torch.save", "onnx.save"),
}
"""Functions and methods that write to a path; those of the second and third line can write into an open file too."""
OURS = {"whole_file", "write_text", "write_bytes", "append_line"}


def calls_that_write(source: str) -> Iterator[str]:
    """Yield the calls of a source that write files in another way than by the writer's functions."""
    nodes = list(ast.walk(ast.parse(source)))
    opened = {
        item.optional_vars.id
        for node in nodes
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name) and ast.unparse(item.context_expr).startswith("whole_file(")
    }
    for call in nodes:
        if isinstance(call, ast.Call) and _writes(call, opened):
            yield ast.unparse(call)


def _writes(call: ast.Call, opened: set[str]) -> bool:
    name, text = ast.unparse(call.func), ast.unparse(call)
    last = name.rpartition(".")[2]
    if name in OURS or any(isinstance(argument, ast.Name) and argument.id in opened for argument in call.args):
        return False
    if last == "open":
        return bool(re.search(r"""[(=, ]['"][rbt]*[wxa+][rbtwxa+]*['"]|O_WRONLY|O_RDWR|O_CREAT""", text))
    if last == "to_csv":
        return bool(call.args) or any(keyword.arg == "path_or_buf" for keyword in call.keywords)
    return bool({last, name} & WRITING)


def test_nobody_else_writes_files():
    found = {path.relative_to(ROOT).as_posix(): list(calls_that_write(path.read_text("utf-8"))) for path in SOURCES}
    assert {path: calls for path, calls in found.items() if calls} == ALLOWED


ALLOWED = {
    # In the place of a stream that is closed, full, or that nobody reads.
    "secagent_env/support/streams.py": ["os.open(os.devnull, os.O_RDWR)"],
    "eval/benchmark_set/entries.py": ["np.savez_compressed(file, header=np.array(text), **arrays)"],  # into memory
    "training/direct/base.py": ["logger.dump(self._steps)"],  # TensorBoard's logs
    "training/direct/imitation.py": ["logger.dump(self._steps)"],
    "training/learn/train.py": ["log.dump(self.learner.steps)"],
}


@pytest.mark.parametrize(
    "call",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('x', encoding='utf-8')",
        "os.open(path, os.O_WRONLY)",
        "path.write_text('')",
        "Path(path).write_bytes(b'')",
        "frame.to_csv(path)",
        "frame.to_csv(path_or_buf=path)",
        "frame.to_parquet(path)",
        "figure.savefig(path)",
        "np.savez(path, x=x)",
        "torch.save(tensors, path)",
        "json.dump(content, path)",
        "shutil.copyfile(a, b)",
    ],
)
def test_the_check_finds_other_writers(call: str):
    assert list(calls_that_write(call)) == [call]


def test_the_check_lets_the_writer_pass():
    source = """
with whole_file(path) as file:
    figure.savefig(file)
    torch.save(tensors, file)
write_text(path, frame.to_csv(index=False))
open(path)
open(path, "rb")
"""
    assert list(calls_that_write(source)) == []


# --- Links, permissions, special files -------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_link_stays_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "file.txt", tmp_path / "link"
    link.symlink_to("real/file.txt")
    for content in ("made through a dangling link", "replaced"):
        write_text(link, content)
        assert link.is_symlink()
        assert target.read_text() == link.read_text() == content
    assert names(tmp_path) == ["link", "real"]
    assert names(tmp_path / "real") == ["file.txt"]


def test_links_that_lead_nowhere_are_an_error(tmp_path: Path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="a"):
        write_text(tmp_path / "a", "x")
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_are_kept(tmp_path: Path, mode: int):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    write_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    write_text(tmp_path / "other", "new")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o666 & ~mask


@as_root
def test_the_owner_is_kept(tmp_path: Path):
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 65534, 65534)
    write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


def test_a_pipe_gets_the_content_and_stays(tmp_path: Path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_text(path, "through the pipe" * 10_000)
    reader.join()
    assert read == [b"through the pipe" * 10_000]
    assert path.is_fifo()
    assert names(tmp_path) == ["pipe"]


@as_root
@pytest.mark.parametrize(("minor", "error"), [(3, None), (7, errno.ENOSPC)])
def test_a_device_stays_a_device(tmp_path: Path, minor: int, error: int | None):
    path = tmp_path / "device"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))  # as /dev/null and /dev/full
        open(path, "wb").close()
    except OSError as refused:
        pytest.skip(f"devices are not allowed here: {refused}")
    if error is None:
        write_text(path, "nothing")
    else:
        with pytest.raises(OSError, match="device") as caught:
            write_text(path, "nothing")
        assert caught.value.errno == error
        assert caught.value.filename == str(path)
    assert path.is_char_device()
    assert names(tmp_path) == ["device"]


def test_the_standard_output_is_written_to_not_replaced(tmp_path: Path):
    code = "from secagent_env.support.files import write_text; write_text('/dev/stdout', 'a'); print('b', flush=True)"
    with open(tmp_path / "out", "w") as out:
        out.write("before ")
        out.flush()
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, cwd=ROOT)
    assert (tmp_path / "out").read_text().endswith("ab\n")


# --- Errors leave what was there -------------------------------------------------------------------------------


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half", None])
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@as_root
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_read_only_is_an_error_with_its_name(tmp_path: Path, what: str):
    visible(tmp_path)
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_text("old")
    path.parent.chmod(0o755 if what == "folder" else 0o777)
    path.chmod(0o666 if what == "folder" else 0o444)
    for function in (lambda: write_text(path, "new"), lambda: check_target(path)):
        message = as_nobody(function)
        assert message.startswith("PermissionError: [Errno 13] Permission denied: ")
        assert str(path.parent) in message
        assert "partial" not in message
    assert path.read_text() == "old"
    assert names(path.parent) == ["file"]


@as_root
def test_a_full_disk_leaves_the_old_file(tmp_path: Path):
    with disk(tmp_path, "64k"):
        path = tmp_path / "file"
        write_text(path, "old")
        with pytest.raises(OSError, match="No space left on device") as error:
            write_text(path, "new" * 100_000)
        assert error.value.filename == str(path)
        assert path.read_text() == "old"
        assert names(tmp_path) == ["file"]


def test_a_missing_folder_is_named(tmp_path: Path):
    path = tmp_path / "none" / "file"
    for check in (check_target, lambda path: write_text(path, "x")):
        with pytest.raises(FileNotFoundError) as error:
            check(path)
        assert str(tmp_path / "none") in error.value.filename
        assert "partial" not in error.value.filename
    with pytest.raises(IsADirectoryError):
        check_target(tmp_path)
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path, "x")


# --- Threads and processes -------------------------------------------------------------------------------------


def test_threads_and_processes_do_not_disturb_each_other(tmp_path: Path):
    assert faults(tmp_path / "shared.json", 1.5) == []
    assert names(tmp_path) == ["shared.json", "shared.npz"]


@pytest.mark.slow
def test_ten_seconds_of_threads_and_processes(tmp_path: Path):
    assert faults(tmp_path / "shared.json", 10, threads=8) == []
    assert names(tmp_path) == ["shared.json", "shared.npz"]


def test_lines_of_several_writers_do_not_mix(tmp_path: Path):
    path = tmp_path / "lines"
    threads = [
        threading.Thread(target=lambda i=i: [append_line(path, str(i) * 3000) for _ in range(50)]) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 200
    assert {(len(line), len(set(line))) for line in lines} == {(3000, 1)}


# --- What killed writers leave ---------------------------------------------------------------------------------


def killed_writer(path: Path) -> None:
    """Kill a process while it writes a file."""
    code = """
import sys, time
from secagent_env.support.files import whole_file
with whole_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len([name for name in names(path.parent) if is_temporary(name)]) == 1
        assert remove_stale(path.parent) == 0, "a writer that lives loses its file"
        process.kill()


@pytest.mark.parametrize("name", ["file", "two\nlines", "x" * 255])
def test_what_a_killed_writer_leaves_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    path = tmp_path / name
    write_text(path, "old")
    killed_writer(path)
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    monkeypatch.setattr(files, "_swept", {})
    write_text(path, "new")
    assert names(tmp_path) == [name]


def test_a_file_of_another_machine_is_removed_after_a_day(tmp_path: Path):
    path = tmp_path / ".file.00000000-0123456789abcdef.partial"
    path.touch()
    assert remove_stale(tmp_path) == 0
    os.utime(path, (time.time() - files.STALE_AFTER_S - 1,) * 2)
    assert remove_stale(tmp_path) == 1
    assert names(tmp_path) == []


def test_a_file_that_is_taken_for_stale_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lock, taken = files._lock, []

    def late(descriptor: int) -> bool | None:
        if not taken:
            taken.extend(path for path in tmp_path.iterdir() if is_temporary(path.name))
            taken[0].unlink()  # as another process does, which holds the lock for a moment
        return lock(descriptor)

    monkeypatch.setattr(files, "_lock", late)
    write_text(tmp_path / "file", "whole")
    assert len(taken) == 1
    assert (tmp_path / "file").read_text() == "whole"
    assert names(tmp_path) == ["file"]


def test_files_of_others_are_left_alone(tmp_path: Path):
    mine = [".file.partial", "file.partial", ".file.0-0.partial", ".hidden"]
    for name in mine:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    assert remove_stale(tmp_path) == 0
    assert names(tmp_path) == sorted(mine)


def test_a_long_name_can_be_written(tmp_path: Path):
    write_text(tmp_path / ("x" * 255), "long")
    assert (tmp_path / ("x" * 255)).read_text() == "long"
