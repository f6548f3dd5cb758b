"""The cells of a recording: replies are kept while a run asks a model, packed, and taken in the model's place.

A reply is found by its cell and by the key of its request, a digest of the model, the messages and the parameters. The
number of its call tells where a request differs from the recorded one. So calls may be under way together: their
replies are those of the same requests, in whatever order they came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from solvers.llm.chat import Chat, EndpointError, NotRecorded, Permit, Reply, Request
from solvers.llm.transcript import Recorded, Transcript
from solvers.recordings.container import RecordedReply, Recording, read_recording


@dataclass(frozen=True)
class RecordedCell:
    """A cell of a recording, for the option ``replay`` of solvers: its replies stand for those of the model.

    Attributes
    ----------
    path
        The file of the recording.
    cell
        The name of the cell.
    """

    path: str
    cell: str

    def only_model(self) -> str:
        """Return the model of the cell; raise ValueError unless there is exactly one."""
        _, replies = self._read()
        models = sorted({each.model for each in replies})
        if len(models) != 1:
            raise ValueError(
                f"the cell {self.cell} of {self.path} holds replies of {', '.join(models) or 'no model'}; "
                "name one with model="
            )
        return models[0]

    def chat(self, model: str | None) -> Chat:
        """Return what answers with the replies of the cell; raise NotRecorded if there is none, ValueError, OSError."""
        recording, replies = self._read()
        name = self.only_model() if model is None else model
        known = {each.model for each in replies}
        if replies and name not in known:
            raise NotRecorded(
                f"the cell {self.cell} of {self.path} was recorded with {', '.join(sorted(known))}, not {name}"
            )
        return _Replayed(name, {each.key: each.reply for each in replies}, f"{self.path}, cell {self.cell}", recording)

    def _read(self) -> tuple[Recording, tuple[RecordedReply, ...]]:
        try:
            recording = read_recording(self.path)
        except FileNotFoundError:
            raise EndpointError(f"there is no recording {self.path}; name another, or record one") from None
        if self.cell not in recording.cells:
            raise NotRecorded(
                f"{self.path} holds no cell {self.cell}; its {len(recording.cells)} cells were recorded with: "
                f"{recording.command}"
            )
        return recording, recording.cells[self.cell]


class _Replayed:
    """Answers with recorded replies, faults among them."""

    def __init__(self, model: str, replies: Mapping[str, Reply], where: str, recording: Recording) -> None:
        self.model = model
        self._replies, self._where, self._recording = replies, where, recording

    def complete(self, request: Request, permit: Permit | None = None) -> Reply:
        """Return the recorded reply; raise NotRecorded where there is none."""
        reply = self._replies.get(request.key(self.model))
        if reply is None:
            raise NotRecorded(
                f"{self._where}: call {permit.number if permit else 0} asks {self.model} something else than the "
                f"recorded run did, so its reply says nothing; record anew with: {self._recording.command}"
            )
        return dataclasses.replace(reply, recorded=True)


@dataclass(frozen=True)
class RepliesOnly:
    """A transcript without the text of prompts, for the option ``transcript`` of solvers; :func:`pack` packs it."""

    path: str

    def kept(self, chat: Chat, resources: ExitStack) -> Chat:
        """Return a chat that keeps the replies of another one; its folder is made if need be."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        transcript = Transcript(self.path, writable=True, prompts=False)
        return Recorded(chat, resources.enter_context(transcript))


def pack(transcripts: Mapping[str, str | Path]) -> dict[str, tuple[RecordedReply, ...]]:
    """Return the cells of a recording from transcripts, the paths of which are given by the names of the cells.

    Of requests with the same key the last reply counts, as when a transcript is replayed.

    Raises
    ------
    ValueError, OSError
        As :class:`~solvers.llm.transcript.Transcript`.
    """
    return {name: tuple(_calls(path)) for name, path in transcripts.items()}


def unpack(cells: Mapping[str, tuple[RecordedReply, ...]], transcripts: Mapping[str, str | Path]) -> None:
    """Write transcripts of the cells of a recording, by name as in :func:`pack`; what is there stays as it is.

    Raises OSError if one cannot be written.
    """
    for name, path in transcripts.items():
        if name not in cells or Path(path).exists():
            continue
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Transcript(path, writable=True, prompts=False) as lines:
            for call, each in enumerate(cells[name], start=1):
                lines.add(each.key, each.model, each.reply, call)


def _calls(path: str | Path) -> Iterator[RecordedReply]:
    with Transcript(path) as transcript:
        for key, (model, _) in sorted(transcript.calls.items(), key=lambda item: (item[1][::-1], item[0])):
            yield RecordedReply(key, model, transcript.replies[key])
