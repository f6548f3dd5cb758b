"""The contents of a results folder (comparisons, experiments, tests of learners) and of folders of trainings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.report.data.comparisons import Compared, comparisons_of, read_cells
from eval.report.data.documents import Document, read_documents
from eval.report.data.received import Received
from eval.report.data.reproduction import Reproduction, read_reproduction
from secagent_env.support.extras import require
from secagent_env.support.reading import short

if TYPE_CHECKING:
    from eval.learners.runs import Training

EARLIER = "rows.jsonl"
LEARNERS = Path("learners", "learners.csv")
MOST_COMPARISONS = 50


@dataclass(frozen=True)
class Results:
    """All that a report is made of; parts without results are empty."""

    received: Received
    comparisons: list[Compared] = field(default_factory=list)
    reproduced: Reproduction | None = None
    documents: list[Document] = field(default_factory=list)
    learners: Any = None
    runs: list[Training] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The results folder."""
        return self.received.folder


def gather(folder: Path | str, runs: Iterable[Path | str] = (), *, trust_paths: bool = False) -> Results:
    """Read a results folder and the folders of trainings.

    Parameters
    ----------
    folder
        The ``--out`` of `secagent compare` or `secagent reproduce`, or the folder above it.
    runs
        Folders of trainings, finished or not, or folders of such folders.
    trust_paths
        Whether links out of the results folder, and paths that its cells name, are followed.

    Raises
    ------
    ValueError
        If there are no results, or only such as are broken, foreign, or of another version.
    OSError
        If a folder is not there, or cannot be read.
    """
    folder = Path(folder)
    os.scandir(str(folder)).close()  # raises if it is no folder
    received = Received(folder, trusted=trust_paths)
    trainings = [run for path in runs for run in _trainings(Path(path))]
    places = [folder, *received.folders()]
    cells = {place: read_cells(received, place) for place in places}
    comparisons = [one for place in places for one in comparisons_of(received, place, cells[place])]
    reproduced = (read_reproduction(received, place, cells[place]) for place in places)
    results = Results(
        received,
        comparisons[:MOST_COMPARISONS],
        next(filter(None, reproduced), None),
        read_documents(received, places),
        learners=_learners(received, folder / LEARNERS),
        runs=trainings,
    )
    if len(comparisons) > MOST_COMPARISONS:
        received.leave_out(f"{folder} holds {len(comparisons)} comparisons; the first {MOST_COMPARISONS} are shown")
    if not (comparisons or trainings or results.reproduced or results.documents or results.learners is not None):
        if received.left_out:
            raise ValueError(received.left_out[0])
        if (folder / EARLIER).exists():
            raise ValueError(
                f"{folder} holds results of an earlier version of secagent ({EARLIER}), which this one does not read; "
                f"compute them anew with: secagent compare --out {folder}"
            )
        raise ValueError(f"{folder} holds no results; make some with: secagent compare --out {folder}")
    return results


def _learners(received: Received, path: Path) -> Any:
    """Return the tests of learners, a pandas DataFrame; None if there are none, or they are left out."""
    pandas = require("pandas", extra="eval")
    try:
        frame = received.table(path) if received.is_folder(path.parent) else None
        if frame is None:
            return None
        numbers = [name for name in frame if name != "learner"]
        frame[numbers] = frame[numbers].apply(pandas.to_numeric)
        return frame.assign(learner=frame["learner"].astype(str)) if {"learner", "num_agents"} <= set(frame) else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        received.leave_out(f"{path} is broken: {short(error)}")
        return None


def _trainings(path: Path) -> Sequence[Training]:
    """Return the training in a folder, or those in the folders in it; unfinished ones too."""
    from eval.learners.runs import Training
    from training.learn.run_folder import RunFolder

    os.scandir(str(path)).close()
    folders = [RunFolder(place) for place in (path, *sorted(path.iterdir())) if (place / "config.json").is_file()]
    if not folders:
        raise ValueError(f"{path} holds no training: there is no config.json in it, nor in the folders in it")
    runs = [Training(folder.path, folder.read_config(), folder.read_evaluations()) for folder in folders]
    return [run for run in runs if run.evaluations]
