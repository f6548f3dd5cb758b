"""The answers of language models in cells: kept as they arrive, packed into a recording, and taken from one.

Cells that are paid keep the replies in a file each, without the text of prompts. So what was answered is not asked
again, whatever became of the cell, until it is computed afresh.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.sweep.cells import LABELS, Cell
from eval.sweep.grid import Chain, Grid
from secagent_env.support.digests import digest
from secagent_env.support.reading import read_bytes
from solvers.recordings import RecordedCell, RepliesOnly, pack
from solvers.recordings.container import MAX_BYTES, RecordedReply

RECORDING = "recording"
"""The option of a cell that holds the digest of the recording from which its answers are taken."""


def name_of(cell: Cell) -> str:
    """Return the name of a cell in recordings: its labels, between strokes."""
    return "/".join(str(getattr(cell, label)) for label in LABELS)


def file_of(cell: Cell, folder: Path | str) -> Path:
    """Return the file in which a cell keeps answers: another one with other options, the same with other code."""
    name = name_of(cell)
    readable = re.sub(r"[^\w.=-]+", "_", name)[:100]
    return Path(folder) / f"{readable}-{digest([name, cell.kind])[:12]}.jsonl"


def costs(model: Mapping[str, Any]) -> bool:
    """Return whether a cell with these options of a chat is paid: it asks an endpoint, and replays no transcript."""
    return "model" in model and "replay" not in model


def with_answers(cell: Cell, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a chat in a cell: where its answers are kept, or taken from.

    A transcript that the options name stays, but where answers are taken from a recording.
    """
    if not cell.answers or (RECORDING not in cell.options and options.get("transcript") is not None):
        return dict(options)
    if RECORDING in cell.options:
        return {**options, "transcript": None, "replay": RecordedCell(cell.answers, name_of(cell))}
    return {**options, "transcript": RepliesOnly(str(file_of(cell, cell.answers)))}


def keeping(cells: Sequence[Cell], folder: Path) -> Sequence[Cell]:
    """Return cells of which those that are paid keep answers in a folder."""
    return _changed(cells, lambda cell: dataclasses.replace(cell, answers=str(folder)))


def replaying(cells: Sequence[Cell], recording: Path) -> Sequence[Cell]:
    """Return cells of which those that are paid take their answers from a recording, and cost nothing; OSError."""
    content = digest(read_bytes(recording, MAX_BYTES))

    def replayed(cell: Cell) -> Cell:
        options = {**cell.options, RECORDING: content}
        return dataclasses.replace(cell, options=options, paid=False, answers=str(recording))

    return _changed(cells, replayed)


def packed(cells: Iterable[Cell], folder: Path) -> dict[str, tuple[RecordedReply, ...]]:
    """Return what cells keep in a folder, as the cells of a recording."""
    files = {name_of(cell): file_of(cell, folder) for cell in cells}
    return pack({name: path for name, path in files.items() if path.exists()})


def _changed(cells: Sequence[Cell], change: Any) -> Sequence[Cell]:
    def one(cell: Cell) -> Cell:
        changed: Cell = change(cell) if cell.paid else cell
        return changed

    if isinstance(cells, Grid):
        return cells.map(one)
    if isinstance(cells, Chain):
        return Chain(_changed(part, change) for part in cells.parts)
    return [one(cell) for cell in cells]
