"""Recordings: the replies of a model to its tasks, from which all figures are recomputed.

While a model is asked, a results folder keeps a transcript of each task. Their replies are packed into
``llm-bench-PROTOCOL-MODEL.recording.xz``; such files can be published, and those of several models be put into one
folder.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.experiments.recorded import ANSWERS, ENDING
from eval.studies.llm_bench.cells import FUNCTION
from eval.studies.llm_bench.ladder import (
    PROTOCOLS,
    STEPS,
    Task,
    law_options,
)
from eval.sweep.answers import name_of, replaying
from eval.sweep.cells import UNFINISHED, Cell
from eval.sweep.engine import read_results
from secagent_env.support.errors import check_name
from solvers.llm.options import ChatOptions
from solvers.recordings import Recording, pack, read_recording, unpack, write_recording
from solvers.recordings.container import RecordedReply

NAME = "llm-bench"
TITLE = f"secagent {NAME}"

REPLY_TOKENS = 800
"""Of the longest answers at most: no answer of the usual steps needs half of them, and small models may not end."""

SOLVER_SEED = 0
"""Of the model's solves: they begin as the controls' of this seed do."""


@dataclass(frozen=True)
class Asked:
    """What the requests to a model depend on, beside the tasks."""

    model: str
    protocol: str
    temperature: float = ChatOptions.temperature
    reply_tokens: int = REPLY_TOKENS

    def __post_init__(self) -> None:
        check_name("protocol", self.protocol, PROTOCOLS)

    @property
    def sampling(self) -> dict[str, Any]:
        """The options of the chat."""
        return {"model": self.model, "temperature": self.temperature, "reply_tokens": self.reply_tokens}

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{NAME}-{self.protocol}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', self.model)}"

    def cell(self, task: Task, **more: Any) -> Cell:
        """Return the cell of a task, with further options of LAW."""
        law = {**law_options(task, PROTOCOLS[self.protocol]), **self.sampling, **more}
        options = {"step": task.step, "seeds": [SOLVER_SEED], "law": law}
        experiment = f"{NAME}-{self.protocol}"
        return Cell(FUNCTION, experiment, self.model, task.name, task.seed, options=options, paid=True)


@dataclass(frozen=True)
class Book:
    """The replies of a model in a results folder, while they are recorded; ``fresh`` ones count only as they come."""

    out: Path
    asked: Asked
    fresh: bool = False

    @property
    def folder(self) -> Path:
        """Of the replies."""
        return self.out / ANSWERS / self.asked.name

    @property
    def recording(self) -> Path:
        """The file into which they are packed."""
        return self.out / f"{self.asked.name}{ENDING}"

    def check(self) -> None:
        """Raise ValueError if replies to other requests are packed there, or the file is none of ours."""
        if self.recording.exists() and asked_in(self.recording) != self.asked:
            raise ValueError(
                f"{self.recording} holds replies of another model, or with another --temperature or --reply-tokens: "
                "use another --out"
            )

    def begun(self, task: Task) -> bool:
        """Whether replies to a task are there, in its transcript or in the recording."""
        recorded = name_of(self.asked.cell(task)) in self._recorded()
        return not self.fresh and (recorded or self.replies(task).exists())

    def open(self, tasks: Sequence[Task]) -> None:
        """Unpack what the recording holds of tasks, where there is no transcript; where it is fresh, forget both."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.fresh:
            for task in tasks:
                self.replies(task).unlink(missing_ok=True)
        else:
            unpack(self._recorded(), self._transcripts(tasks))

    def _transcripts(self, tasks: Iterable[Task]) -> dict[str, Path]:
        return {name_of(self.asked.cell(task)): self.replies(task) for task in tasks}

    def _recorded(self) -> Mapping[str, tuple[RecordedReply, ...]]:
        return read_recording(self.recording).cells if self.recording.exists() else {}

    def replies(self, task: Task) -> Path:
        """Return the transcript of a task."""
        return self.folder / f"{task.name.replace('/', '_')}_{task.seed}.jsonl"

    def cells(self, tasks: Sequence[Task], endpoint: Mapping[str, Any]) -> list[Cell]:
        """Return the cells that ask the model for what is not there; ``endpoint`` are further options of LAW."""
        return [self.asked.cell(task, **endpoint, transcript=str(self.replies(task))) for task in tasks]

    def pack(self, command: str) -> None:
        """Write the recording of the solves that came to their end in any run, beside those that it holds already.

        ``command`` records it anew.
        """
        rows = read_results(self.out)
        if not len(rows):
            return
        own = rows[(rows["experiment"] == self.asked.cell(Task(STEPS[0], 0)).experiment) & rows["error"].isna()]
        ended = own[own["scheme"] == self.asked.model]
        if UNFINISHED in ended:
            ended = ended[ended[UNFINISHED].ne(True)]
        tasks = {Task.named(name, seed) for name, seed in zip(ended["value"], ended["seed"].astype(int), strict=True)}
        there = {name: path for name, path in self._transcripts(tasks).items() if path.exists()}
        if cells := {**self._recorded(), **pack(there)}:
            write_recording(self.recording, Recording(command, TITLE, dataclasses.asdict(self.asked), cells))


def asked_in(path: Path) -> Asked:
    """Return what the requests of a recording depend on; raise ValueError if it is none of the benchmark."""
    recording = read_recording(path)
    try:
        if recording.title != TITLE:
            raise TypeError
        return Asked(**recording.options)
    except TypeError:
        raise ValueError(f"{path} is no recording of {TITLE}") from None


def recordings_in(folder: Path, protocol: str) -> list[Path]:
    """Return the recordings by a protocol in a folder."""
    return sorted(folder.glob(f"{NAME}-{protocol}-*{ENDING}"))


def tasks_in(path: Path) -> list[Task]:
    """Return the tasks of a recording."""
    names = [name.rsplit("/", 5)[1:] for name in read_recording(path).cells]
    return sorted(Task.named(f"{step}/{view}/{form}", int(seed)) for step, view, form, seed, _ in names)


def replayed(path: Path) -> Sequence[Cell]:
    """Return the cells that recompute a recording; nothing is sent."""
    asked = asked_in(path)
    return replaying([asked.cell(task) for task in tasks_in(path)], path)
