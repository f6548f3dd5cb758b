"""A results folder that may come from anyone: what lies in it is read as data, and what it leads to is left alone.

Links out of the folder, pipes, devices, pictures of more than :data:`MAX_BYTES` and texts of more than
:data:`MAX_TEXT_BYTES` are left out, with a sentence, unless the user trusts the folder, which allows links. Nothing in
it makes the report write anywhere else.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
from pathlib import Path
from typing import Any

from eval.sweep.cell_files import Damaged, regular_bytes
from secagent_env.support.extras import require

MAX_BYTES = 20_000_000
MAX_TEXT_BYTES = 1_000_000
"""Of tables and texts, which take a thousand times their size as a page. Those of secagent have less than a tenth."""
MOST_SENTENCES = 50
"""On what is left out."""
MOST_COLUMNS = 1000
"""Of a table."""
TRUST = "--trust-paths"
"""The option that allows what is not done otherwise."""


class Received:
    """A results folder.

    Attributes
    ----------
    left_out
        A sentence on each thing that is not shown.
    """

    def __init__(self, folder: Path, *, trusted: bool = False) -> None:
        self.folder, self.trusted = folder, trusted
        self.left_out: list[str] = []
        self._real = Path(os.path.realpath(folder))

    def leave_out(self, sentence: str) -> None:
        """Say that something is not shown."""
        if sentence in self.left_out:
            return
        if len(self.left_out) < MOST_SENTENCES:
            self.left_out.append(sentence)
        else:
            self.left_out[-1] = "more is left out than these"

    def holds(self, path: Path) -> bool:
        """Whether a path leads to something in the folder, or, in a trusted one, anywhere."""
        return self.trusted or Path(os.path.realpath(path)).is_relative_to(self._real)

    def folders(self) -> list[Path]:
        """Return the folders in the folder."""
        return sorted(path for path in self.folder.iterdir() if self.is_folder(path))

    def is_folder(self, path: Path) -> bool:
        """Whether there is a folder of this name; one to which a link leads out is left out."""
        if not path.is_dir():
            return False
        if not self.holds(path):
            self.leave_out(f"{path} is left out: it is a link out of the folder, which {TRUST} follows")
            return False
        return True

    def read(self, path: Path, most: int = MAX_BYTES) -> bytes | None:
        """Return the content of a file; None if there is none, or it is left out."""
        if not os.path.lexists(path):
            return None
        try:
            if not self.holds(path):
                raise Damaged(f"it is a link out of the folder, which {TRUST} follows")
            return regular_bytes(path, most)
        except (Damaged, FileNotFoundError) as error:
            self.leave_out(f"{path} is left out: {error}")
            return None

    def table(self, path: Path) -> Any:
        """Return the table in a CSV file, a pandas DataFrame; None if there is none, or it is left out.

        Raises
        ------
        ValueError
            If it is broken.
        """
        content = self.read(path, MAX_TEXT_BYTES)
        if content is None:
            return None
        text = content.decode()
        try:
            columns = max(map(len, csv.reader(io.StringIO(text, newline=""))), default=0)
        except csv.Error as error:
            raise ValueError(str(error)) from None
        if columns > MOST_COLUMNS:
            raise ValueError(f"it has more than {MOST_COLUMNS} columns")
        return require("pandas", extra="eval").read_csv(io.StringIO(text))

    def check_target(self, path: Path) -> None:
        """Raise OSError if writing a file would follow a link, or wait for a pipe, that came with the folder."""
        inside = Path(os.path.realpath(path.parent), path.name).is_relative_to(self._real)
        came_with_it = inside or path.absolute().is_relative_to(self.folder.absolute())
        if self.trusted or not came_with_it:
            return
        for place in (path, path.parent):
            if os.path.lexists(place) and place.absolute() != self.folder.absolute():
                kind = os.lstat(place).st_mode
                if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                    reason = f"is a link, or no file: name another one with --out, or allow it with {TRUST}"
                    raise OSError(errno.ELOOP, reason, str(place))
