"""A disk of any size, and another user: for tests that run as root."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices, mounts disks and becomes another user")
NOBODY = 65534


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a small disk on a folder."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("disks cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def visible(folder: Path) -> None:
    """Let other users into a folder of the tests."""
    for parent in (folder, *folder.parents[:-2]):
        parent.chmod(0o755)


def as_nobody(function: Callable[[], object]) -> str:
    """Return what a function returns and prints on stderr, or its error, in a process of another user."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            sys.stderr = io.StringIO()
            message = f"{function()}: {sys.stderr.getvalue()}"
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"
        os.write(writing, message.encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        message = file.read()
    os.waitpid(child, 0)
    return message
