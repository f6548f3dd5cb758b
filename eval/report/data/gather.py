"""What a results folder holds: comparisons, experiments of the paper, judged learners; and what run folders hold."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.compare.rows import frame_of
from eval.report.data.provenance import Provenance, provenance
from eval.report.data.reproduced import Reproduction, read_reproduction
from eval.report.sections.documents import Document, read_documents
from eval.sweep.engine import CELLS, read_results
from secagent_env import Scenario
from secagent_env.support.extras import require

if TYPE_CHECKING:
    from eval.learners.runs import Training

COMPARE = "compare"
"""The experiment of the cells of `secagent compare`."""
EARLIER = "rows.jsonl"
LEARNERS = Path("learners", "learners.csv")


@dataclass(frozen=True)
class Compared:
    """A comparison: schemes on the same instances of one scenario.

    Attributes
    ----------
    folder
        Whose cells it was read from.
    scenario, seed, max_seconds, csi_error
        What was solved.
    frame
        A pandas DataFrame as :func:`eval.compare.rows.frame_of` makes it: a row per scheme and instance.
    solvers
        By label: the solver's name, its options and, of a trained agent, the digest of its policy.
    left_out
        Schemes that were tried on fewer instances, which are not compared.
    versions
        Of secagent, with the digests of the code and the days on which the cells were computed.
    """

    folder: Path
    scenario: Scenario
    seed: int
    max_seconds: float | None
    csi_error: float
    frame: Any
    solvers: dict[str, dict[str, Any]]
    left_out: tuple[str, ...]
    versions: Provenance

    @property
    def instances(self) -> int:
        """How many."""
        return int(self.frame["instance"].nunique())

    @property
    def changes(self) -> dict[str, Any]:
        """The fields of the scenario that are not those of the preset ``paper``."""
        default = Scenario().to_dict()
        return {name: value for name, value in self.scenario.to_dict().items() if value != default[name]}

    @property
    def description(self) -> str:
        """What is compared on what, in a line."""
        changed = ", ".join(f"{name} = {value}" for name, value in self.changes.items())
        limit = "" if self.max_seconds is None else f", at most {self.max_seconds:g} s per solve"
        known = f", channels known with error variance {self.csi_error:g}" if self.csi_error else ""
        scenario = f"the paper's scenario{f' with {changed}' if changed else ''}"
        return f"{self.instances} networks of {scenario}, seed {self.seed}{limit}{known}"


@dataclass(frozen=True)
class Results:
    """All that a report is made of; what is not there is empty."""

    folder: Path
    comparisons: list[Compared] = field(default_factory=list)
    reproduced: Reproduction | None = None
    documents: list[Document] = field(default_factory=list)
    learners: Any = None
    runs: list[Training] = field(default_factory=list)


def gather(folder: Path | str, runs: Iterable[Path | str] = ()) -> Results:
    """Read a results folder and the folders of trainings.

    Parameters
    ----------
    folder
        What `secagent compare` and `secagent reproduce` wrote to with ``--out``, or the folder above it.
    runs
        Folders of trainings, finished or not, or folders of such folders.

    Raises
    ------
    ValueError
        If there are no results, or they are broken, foreign, or of another version.
    OSError
        If a folder is not there, or cannot be read.
    """
    folder = Path(folder)
    _check_folder(folder)
    trainings = [run for path in runs for run in _trainings(Path(path))]
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    comparisons = [found for place in places if (place / CELLS).is_dir() for found in _comparisons(place)]
    judged = folder / LEARNERS
    results = Results(
        folder,
        comparisons,
        next(filter(None, map(read_reproduction, places)), None),
        read_documents(places),
        learners=require("pandas", extra="eval").read_csv(judged) if judged.is_file() else None,
        runs=trainings,
    )
    shown = results.reproduced or results.documents or results.learners is not None
    if not (comparisons or trainings or shown):
        if (folder / EARLIER).exists():
            raise ValueError(
                f"{folder} holds results of an earlier version of secagent ({EARLIER}), which this one does not read; "
                f"compute them anew with: secagent compare --out {folder}"
            )
        raise ValueError(f"{folder} holds no results; make some with: secagent compare --out {folder}")
    return results


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def _comparisons(folder: Path) -> list[Compared]:
    """Return the comparisons whose cells a folder holds, the latest first."""
    cells = read_results(folder)
    if len(cells):
        cells = cells[cells["experiment"] == COMPARE]
    if not len(cells):
        return []
    try:
        told = cells["options"].map(json.loads)
        shared = ("scenario", "max_seconds", "csi_error")
        what = [json.dumps([*(o[name] for name in shared), seed]) for o, seed in zip(told, cells["seed"], strict=True)]
        cells = cells.assign(what=what, told=told).sort_values("finished", kind="stable")
        groups = sorted(cells.groupby("what", sort=False), key=lambda item: -item[1]["finished"].max())
        return [_compared(folder, rows) for _, rows in groups]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / CELLS} holds comparisons of another version of secagent "
            f"({', '.join(sorted(set(cells['version'])))}), which this one cannot read ({error}); "
            "use the version that wrote them, or compute them anew in another folder"
        ) from error


def _compared(folder: Path, cells: Any) -> Compared:
    # A cell computed with older code too is there twice: the latest counts.
    cells = cells.drop_duplicates(["scheme", "index"], keep="last").sort_values("index", kind="stable")
    counts = cells.groupby("scheme")["index"].nunique()
    enough = max(counts, key=lambda k: (k * int((counts >= k).sum()), k))
    kept = [scheme for scheme in dict.fromkeys(cells["scheme"]) if counts[scheme] >= enough]
    cells = cells[cells["scheme"].isin(kept)]
    everywhere = cells.groupby("index")["scheme"].nunique() == len(kept)
    cells = cells[cells["index"].isin(everywhere.index[everywhere])]
    options = cells["told"].iloc[0]
    error = float(options["csi_error"])
    wanted = ("solver", "solver_options", "policy")
    return Compared(
        folder,
        Scenario.coerce(options["scenario"]),
        int(cells["seed"].iloc[0]),
        options["max_seconds"],
        error,
        frame_of(cells, believed=error > 0).reset_index(drop=True),
        {
            scheme: {name: rows["told"].iloc[-1][name] for name in wanted if name in rows["told"].iloc[-1]}
            for scheme, rows in cells.groupby("scheme", sort=False)
        },
        tuple(scheme for scheme in counts.index if scheme not in kept),
        provenance(cells),
    )


def _trainings(path: Path) -> Sequence[Training]:
    """Return the training in a folder, or those in the folders in it; unfinished ones too."""
    from eval.learners.runs import Training
    from training.learn.run_folder import RunFolder

    _check_folder(path)
    found = [RunFolder(place) for place in (path, *sorted(path.iterdir())) if (place / "config.json").is_file()]
    if not found:
        raise ValueError(f"{path} holds no training: there is no config.json in it, nor in the folders in it")
    runs = [Training(folder.path, folder.read_config(), folder.read_evaluations()) for folder in found]
    return [run for run in runs if run.evaluations]
