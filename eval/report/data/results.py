"""The contents of a results folder (comparisons, experiments, tests of learners) and of folders of trainings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.compare.comparison import changes
from eval.compare.rows import frame_of
from eval.report.data.documents import Document, read_documents
from eval.report.data.provenance import Provenance, provenance
from eval.report.data.reproduction import Reproduction, read_reproduction
from eval.sweep.engine import CELLS, read_results
from secagent_env import Scenario
from secagent_env.support.extras import require

if TYPE_CHECKING:
    from eval.learners.runs import Training

COMPARE = "compare"
"""The experiment of the cells of `secagent compare`."""
EARLIER = "rows.jsonl"
LEARNERS = Path("learners", "learners.csv")
SOLVER = ("solver", "solver_options", "policy")
"""The options of a cell that say which solver computes it."""


@dataclass(frozen=True)
class Compared:
    """A comparison: schemes on the same instances of one scenario.

    Attributes
    ----------
    folder
        The results folder that was read.
    scenario, seed, max_seconds, csi_error
        Those of the comparison.
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
        """The number of instances."""
        return int(self.frame["instance"].nunique())

    @property
    def description(self) -> str:
        """The instances and their scenario, in a line."""
        changed = ", ".join(f"{name} = {value}" for name, value in changes(self.scenario).items())
        limit = "" if self.max_seconds is None else f", at most {self.max_seconds:g} s per solve"
        known = f", channels known with error variance {self.csi_error:g}" if self.csi_error else ""
        scenario = f"the paper's scenario{f' with {changed}' if changed else ''}"
        return f"{self.instances} networks of {scenario}, seed {self.seed}{limit}{known}"


@dataclass(frozen=True)
class Results:
    """All that a report is made of; parts without results are empty."""

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
        The ``--out`` of `secagent compare` or `secagent reproduce`, or the folder above it.
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
    os.scandir(str(folder)).close()  # raises if it is no folder
    trainings = [run for path in runs for run in _trainings(Path(path))]
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    comparisons = [one for place in places if (place / CELLS).is_dir() for one in _comparisons(place)]
    tests = folder / LEARNERS
    results = Results(
        folder,
        comparisons,
        next(filter(None, map(read_reproduction, places)), None),
        read_documents(places),
        learners=require("pandas", extra="eval").read_csv(tests) if tests.is_file() else None,
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


def _comparisons(folder: Path) -> list[Compared]:
    """Return the comparisons whose cells a folder holds, the latest first."""
    cells = read_results(folder)
    if len(cells):
        cells = cells[cells["experiment"] == COMPARE]
    try:
        options = cells["options"].map(json.loads)
        shared = ("scenario", "max_seconds", "csi_error")
        task = [json.dumps([*(o[name] for name in shared), s]) for o, s in zip(options, cells["seed"], strict=True)]
        cells = cells.assign(task=task, options=options).sort_values("finished", kind="stable")
        groups = sorted(cells.groupby("task", sort=False), key=lambda item: -item[1]["finished"].max())
        return [_compared(folder, rows) for _, rows in groups]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / CELLS} holds comparisons of another version of secagent "
            f"({', '.join(sorted(set(cells['version'])))}), which this one cannot read ({error}); "
            "use the version that wrote them, or compute them anew in another folder"
        ) from error


def _compared(folder: Path, cells: Any) -> Compared:
    # Of cells that were computed with older code too, the latest counts.
    cells = cells.drop_duplicates(["scheme", "index"], keep="last").sort_values("index", kind="stable")
    counts = cells.groupby("scheme")["index"].nunique()
    enough = max(counts, key=lambda k: (k * int((counts >= k).sum()), k))
    kept = [scheme for scheme in dict.fromkeys(cells["scheme"]) if counts[scheme] >= enough]
    cells = cells[cells["scheme"].isin(kept)]
    everywhere = cells.groupby("index")["scheme"].nunique() == len(kept)
    cells = cells[cells["index"].isin(everywhere.index[everywhere])]
    options = cells["options"].iloc[0]
    error = float(options["csi_error"])
    return Compared(
        folder,
        Scenario.coerce(options["scenario"]),
        int(cells["seed"].iloc[0]),
        options["max_seconds"],
        error,
        frame_of(cells, believed=error > 0).reset_index(drop=True),
        {
            scheme: {name: value for name, value in rows["options"].iloc[-1].items() if name in SOLVER}
            for scheme, rows in cells.groupby("scheme", sort=False)
        },
        tuple(scheme for scheme in counts.index if scheme not in kept),
        provenance(cells),
    )


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
