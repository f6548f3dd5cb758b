"""``secagent study shared-power``: trains shared policies for power control, one for each number of pairs.

They are written as ``ppo-N.onnx``, each with a card of how it was made, to the folder in which they are looked for.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import tabulated
from eval.sweep.cells import Cell, Row
from secagent_env.support.checks import integer
from secagent_env.support.files import whole_file, write_text
from training.power_control.shared_power import FOLDER, train_and_export

FUNCTION = "eval.studies.shared_power:learn"
STEPS = 3_000_000


def learn(cell: Cell) -> Row:
    """Return a trained policy, ONNX in base 64, and its card."""
    with tempfile.TemporaryDirectory() as folder:
        path = train_and_export(cell.value, cell.options["steps"], cell.seed, Path(folder))
        return {"policy": base64.b64encode(path.read_bytes()).decode(), "card": path.with_suffix(".md").read_text()}


@dataclass(frozen=True)
class SharedPowerTraining(Experiment):
    """Trainings of shared policies.

    Parameters
    ----------
    pairs
        The numbers of pairs N.
    steps, seed
        Of each training: steps of a pair each, and the seed.
    policies
        The folder of the policies.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    name: ClassVar[str] = "shared-power"
    title: ClassVar[str] = "How are the shared policies for power control trained?"

    pairs: Sequence[int]
    steps: int = STEPS
    seed: int = 0
    policies: Path = FOLDER

    def __post_init__(self) -> None:
        for num_pairs in self.pairs:
            integer("the number of pairs", num_pairs, 1)
        integer("steps", self.steps)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options of the study."""
        parser.add_argument("--pairs", nargs="+", type=int, required=True, metavar="N", help="a policy for each")
        parser.add_argument("--steps", type=int, default=STEPS, metavar="K", help=f"of a pair each (default: {STEPS})")
        parser.add_argument("--seed", type=int, default=0, help="of the trainings (default: 0)")
        parser.add_argument(
            "--policies", type=Path, default=FOLDER, metavar="DIR", help="their folder (default: where secagent looks)"
        )

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> SharedPowerTraining:
        """Return the study that parsed options describe."""
        return cls(args.pairs, args.steps, args.seed, args.policies)

    def cells(self) -> list[Cell]:
        """Return a cell for each training."""
        return [Cell(FUNCTION, self.name, "ppo", n, self.seed, options={"steps": self.steps}) for n in self.pairs]

    def report(self, compute: Compute) -> Report:
        """Write the policies and their cards, and return a table of them."""
        self.policies.mkdir(parents=True, exist_ok=True)
        lines = []
        for row in compute(self.cells()).to_dict("records"):
            path = self.policies / f"ppo-{row['value']}.onnx"
            with whole_file(path) as file:
                file.write(base64.b64decode(row["policy"]))
            write_text(path.with_suffix(".md"), row["card"])
            lines.append([str(row["value"]), str(path)])
        return Report(tabulated(lines, ["pairs", "written to"]) + "\n")
