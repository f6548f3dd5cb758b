"""The one writer of files: whole or not at all, through links and into devices, safe from threads and processes."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import socket
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_MACHINE = f"{zlib.crc32(socket.gethostname().encode()):08x}"
_TEMPORARY = re.compile(r"\..+\.([0-9a-f]{8})-[0-9a-f]{16}\.partial", re.DOTALL)
"""The names of temporary files: the file's own name, the machine, and a random number."""
STALE_AFTER_S = 86_400.0
"""The age at which a temporary file of another machine counts as left behind: its lock cannot be asked."""
_SWEEP_EVERY_S = 60.0
_swept: dict[str, float] = {}


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of ``path`` when the block ends without an error.

    A reader never sees half of it; an interruption or a full disk leaves the old file, and nothing beside it. Links
    are followed, and the old file's permissions are kept. A device, a pipe or another special file stays what it is,
    and gets the content when the block ends.

    Raises
    ------
    OSError
        If the file cannot be written, because of its own permissions too.
    """
    path = Path(path)
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    if old is not None and (not stat.S_ISREG(old.st_mode) or _open_file(path)):
        content = io.BytesIO()
        yield content
        with _named(path), _opened(path) as special:
            _write_all(special, content.getvalue())
        return
    target = Path(os.path.realpath(path))
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if time.monotonic() >= _swept.get(str(target.parent), 0.0):
        remove_stale(target.parent)
    with _named(path), _temporary(target) as (temporary, file):
        if old is not None:
            _keep_owner_and_mode(file.fileno(), old)
        yield file
        file.flush()
        os.replace(temporary, target)


def write_text(path: str | Path, content: str) -> None:
    """Write a text file, in UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with whole_file(path) as file:
        file.write(content)


def append_line(path: str | Path, line: str) -> None:
    """Add a line to a text file, in one write, so that the lines of several writers do not mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    with open(descriptor, "wb", buffering=0) as file:
        _write_all(file, f"{line}\n".encode())


def check_target(path: str | Path) -> None:
    """Raise OSError now if :func:`whole_file` could not write a file, whose name it holds."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if path.exists() and not path.is_file():
        return
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


def check_writable(folder: str | Path) -> None:
    """Raise OSError now if files cannot be written to a folder."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(folder)) from None


def remove_stale(folder: str | Path) -> int:
    """Remove the temporary files that killed writers have left in a folder, and return their number.

    A writer holds a lock as long as it lives; files of other machines count as left behind after a day.
    """
    _swept[str(folder)] = time.monotonic() + _SWEEP_EVERY_S
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _TEMPORARY.fullmatch(entry.name)
            if name and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # another process removed it
                    removed += _remove_if_stale(entry.path, own=name[1] == _MACHINE)
    return removed


@contextmanager
def held(folder: str | Path) -> Iterator[bool]:
    """Hold a folder, as long as the block lasts; False if another process, or another block, holds it.

    It ends with the process, however that ends, and leaves nothing in the folder. Where there are no locks it is True.
    """
    if fcntl is None:
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        yield _lock(descriptor) is not False
    finally:
        os.close(descriptor)


def is_temporary(name: str) -> bool:
    """Whether a file's name is that of a temporary file, of a writer that is at work or was killed."""
    return _TEMPORARY.fullmatch(name) is not None


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an error of the disk the name of the file, not that of a temporary one, or none."""
    try:
        yield
    except OSError as error:
        if error.filename is None or is_temporary(os.path.basename(os.fsdecode(error.filename))):
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise


def _open_file(path: Path) -> str | None:
    """Return the name of the open file of a process that a path leads to, as /dev/stdout does; None otherwise."""
    resolved = path.absolute()
    for _ in range(8):
        if resolved.parts[1:2] == ("proc",) or resolved.parts[1:3] == ("dev", "fd"):
            return str(resolved)
        if not resolved.is_symlink():
            return None
        resolved = resolved.parent / os.readlink(resolved)
    return None


def _opened(path: Path) -> BinaryIO | io.RawIOBase:
    """Open a special file; what this process has open already is written on from where it is."""
    own = re.fullmatch(r"/(?:dev|proc/self|proc/(\d+))/fd/(\d+)", _open_file(path) or "")
    if own is None or (own[1] is not None and int(own[1]) != os.getpid()):
        return open(path, "wb", buffering=0)
    if sys.stdout is not None:
        sys.stdout.flush()
    return open(os.dup(int(own[2])), "wb", buffering=0)


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a locked temporary file beside ``target``, and remove it in the end if it is still there."""
    beginning = os.fsdecode(os.fsencode(target.name)[:200]) if len(os.fsencode(target.name)) > 200 else target.name
    while True:
        temporary = target.with_name(f".{beginning}.{_MACHINE}-{secrets.token_hex(8)}.partial")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(temporary, flags, 0o666), "wb") as file:
            if _lock(file.fileno()) is False or os.fstat(file.fileno()).st_nlink == 0:
                continue  # another process took it for one left behind, before the lock was there
            try:
                yield temporary, file
            finally:
                temporary.unlink(missing_ok=True)
            return


def _remove_if_stale(path: str, *, own: bool) -> bool:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        locked = _lock(descriptor) if own else None
        old = time.time() - os.fstat(descriptor).st_mtime >= STALE_AFTER_S
        if stale := locked is True or (locked is None and old):
            os.unlink(path)
        return stale
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock an open file for this process; False if another one holds the lock, None if there are no locks here."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def _keep_owner_and_mode(descriptor: int, old: os.stat_result) -> None:
    if hasattr(os, "fchown"):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _write_all(file: BinaryIO | io.RawIOBase, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) or 0 :]
