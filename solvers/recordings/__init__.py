"""Recordings: what language models answered in a run, in one small file from which anybody computes its results anew.

A :class:`Recording` holds the replies of every cell of a run, in the order of their calls. There is no text of a prompt
in it.
"""

from solvers.recordings.cell import RecordedCell, RepliesOnly, pack, unpack
from solvers.recordings.container import Recording, read_recording, write_recording

__all__ = [
    "RecordedCell",
    "Recording",
    "RepliesOnly",
    "pack",
    "read_recording",
    "unpack",
    "write_recording",
]
