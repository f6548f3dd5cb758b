"""``secagent study shared-power``: trains shared policies for power control, one for each number of pairs.

They are written as ``ppo-N.onnx``, each with a card of how it was made, to the folder in which they are looked for.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eval.experiments.options import REQUIRED, option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import tabulated
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, returns, text
from secagent_env.support.checks import integer
from secagent_env.support.files import write_bytes, write_text
from training.power_control.shared_power import FOLDER, train_and_export

FUNCTION = "eval.studies.shared_power:learn"


@returns(columns(policy=text, card=text))
def learn(cell: Cell) -> Row:
    """Return a trained policy, ONNX in base 64, and its card."""
    with tempfile.TemporaryDirectory() as folder:
        path = train_and_export(cell.value, cell.options["steps"], cell.seed, Path(folder))
        return {"policy": base64.b64encode(path.read_bytes()).decode(), "card": path.with_suffix(".md").read_text()}


@dataclass(frozen=True)
class SharedPowerTraining(Experiment):
    """Trainings of shared policies, one for each number of pairs.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    name: ClassVar[str] = "shared-power"

    pairs: Sequence[int] = option(REQUIRED, "a policy for each", "N")
    steps: int = option(3_000_000, "of a pair each (default: %(default)s)", "K")
    seed: int = option(0, "of the trainings (default: %(default)s)")
    policies: Path = option(FOLDER, "their folder (default: where secagent looks)", "DIR")

    def __post_init__(self) -> None:
        for num_pairs in self.pairs:
            integer("the number of pairs", num_pairs, 1)
        integer("steps", self.steps)

    def cells(self) -> list[Cell]:
        """Return a cell for each training."""
        options = {"steps": self.steps}
        return [Cell(FUNCTION, self.name, "ppo", n, self.seed, options=options, lasting=True) for n in self.pairs]

    def report(self, compute: Compute) -> Report:
        """Write the policies and their cards, and return a table of them."""
        self.policies.mkdir(parents=True, exist_ok=True)
        lines = []
        for row in compute(self.cells()).to_dict("records"):
            path = self.policies / f"ppo-{row['value']}.onnx"
            write_bytes(path, base64.b64decode(row["policy"]))
            write_text(path.with_suffix(".md"), row["card"])
            lines.append([str(row["value"]), str(path)])
        return Report(tabulated(lines, ["pairs", "written to"]) + "\n")
