"""The comparisons in a results folder: the cells of `secagent compare`, each checked before it is believed."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.compare.comparison import changes
from eval.compare.instances_file import FIELD
from eval.compare.rows import RESULT, frame_of
from eval.report.data.provenance import Provenance, provenance
from eval.report.data.received import Received
from eval.sweep.cells import BOOKKEEPING
from eval.sweep.engine import CELLS
from eval.sweep.soundness import name_of
from eval.sweep.store import Store
from secagent_env import Scenario
from secagent_env.support import checks
from secagent_env.support.extras import require
from secagent_env.support.reading import parse_json, short

COMPARE = "compare"
"""The experiment of the cells of `secagent compare`."""
SHARED = ("scenario", "max_seconds", "csi_error")
"""The options of a cell that all cells of a comparison share."""
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
    instances_file
        The path and the digest of the instances, where they are the user's own; None: they were drawn.
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
    instances_file: Mapping[str, str] | None = None

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
        own = "" if self.instances_file is None else f" in {Path(self.instances_file['path']).name}"
        return f"{self.instances} networks{own} of {scenario}, seed {self.seed}{limit}{known}"


def read_cells(received: Received, folder: Path) -> Any:
    """Return the cells in a folder, an Arrow table, which is empty where there are none."""
    empty = require("pyarrow", extra="eval").table({"key": []})
    if not received.is_folder(folder / CELLS):
        return empty
    store = Store(folder / CELLS, received.holds)
    table = store.table()
    for path, reason in store.left_out.items():
        received.leave_out(f"{path} is left out: {reason}")
    return table if len(table) else empty


def comparisons_of(received: Received, folder: Path, cells: Any) -> list[Compared]:
    """Return the comparisons among the cells in a folder, the latest first, without those that cannot be read."""
    import pyarrow.compute as compute

    pandas = require("pandas", extra="eval")
    if not len(cells):
        return []
    tasks: dict[str, list[dict[str, Any]]] = {}
    foreign: list[tuple[str, str]] = []
    for written in cells.filter(compute.equal(cells["experiment"], COMPARE)).to_pylist():
        failed = written["error"] is not None
        row = {name: written[name] for name in BOOKKEEPING} if failed else RESULT.read(written)
        try:
            options = _options(row["options"])
            row["options"] = {**options, "scenario": options["scenario"].to_dict()}
            row |= {name: checks.integer(name, int(row[name])) for name in ("seed", "index")}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            foreign.append((str(row["version"]), short(error)))
            continue
        fault = None if failed else RESULT.fault(row)
        if fault:
            received.leave_out(f"{folder / CELLS}: {name_of(row)}, is left out: {fault}")
            continue
        task = json.dumps([*(row["options"][name] for name in SHARED), row["options"].get(FIELD), row["seed"]])
        tasks.setdefault(task, []).append(row)
    if foreign:
        versions = ", ".join(sorted({version for version, _ in foreign})[:5])
        received.leave_out(
            f"{folder / CELLS} holds comparisons of another version of secagent "
            f"({versions}), which this one cannot read ({foreign[0][1]}); "
            "use the version that wrote them, or compute them anew in another folder"
        )
    latest = sorted(tasks.values(), key=lambda rows: -max(row["finished"] for row in rows))
    return [_compared(folder, pandas.DataFrame(rows).sort_values("finished", kind="stable")) for rows in latest]


@functools.lru_cache(maxsize=4096)
def _options(text: str) -> Mapping[str, Any]:
    """Return the options of a cell, checked, with the scenario made.

    Raises
    ------
    ValueError, KeyError, TypeError
        If they are not those of a comparison's cell.
    """
    options = parse_json(text)
    scenario = Scenario.coerce(options["scenario"])
    if not isinstance(options["solver"], str) or not isinstance(options["solver_options"], dict):
        raise ValueError("solver is no text, or solver_options are no dict")
    if not isinstance(options.get("policy", ""), str):
        raise ValueError("policy is no text")
    if options["max_seconds"] is not None:
        checks.number("max_seconds", options["max_seconds"], above=0)
    checks.number("csi_error", options["csi_error"], 0, below=1)
    file = options.get(FIELD)
    if file is not None and not all(isinstance(file[name], str) for name in ("path", "digest")):
        raise ValueError("instances_file is no path with a digest")
    return {**options, "scenario": scenario}


def _compared(folder: Path, cells: Any) -> Compared:
    # Of cells that were computed with older code too, the latest counts.
    cells = cells.drop_duplicates(["scheme", "index"], keep="last").sort_values("index", kind="stable")
    counts = cells.groupby("scheme")["index"].nunique()
    enough = max(counts, key=lambda k: (k * int((counts >= k).sum()), k))
    kept = [scheme for scheme in dict.fromkeys(cells["scheme"]) if counts[scheme] >= enough]
    everywhere = cells[cells["scheme"].isin(kept)].groupby("index")["scheme"].nunique() == len(kept)
    if not everywhere.any():  # no network that all were tried on: one scheme alone is shown
        kept = kept[:1]
        everywhere = cells[cells["scheme"].isin(kept)].groupby("index")["scheme"].nunique() == 1
    cells = cells[cells["scheme"].isin(kept) & cells["index"].isin(everywhere.index[everywhere])]
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
        options.get(FIELD),
    )
