"""``secagent study perception``: radio observations looked up among sentences, and what that is worth.

The encoder that is shipped, or one that ``--train`` makes, stands beside the same network trained with class labels,
the untrained one, the nearest neighbour among the scenes of the training, and chance. Tables: retrieval by phrasing and
channel model; sensors that see halves of the band; bits against the rate of the decisions. It prints the tables of
``docs/perception.md``.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.studies.perception import cells, learning
from eval.studies.perception.picture import draw
from eval.studies.perception.tables import bits_table, markdown
from eval.sweep.cells import Cell
from secagent_env.radio_scenes.conditions import SEEN_SETS
from secagent_env.radio_scenes.settings import SEEN_CHANNELS, UNSEEN_CHANNELS
from secagent_env.support.checks import integer
from secagent_env.support.extras import require
from secagent_env.support.files import write_bytes, write_text
from secagent_env.support.version import __version__
from solvers.perception.encoder import SHIPPED, RadioEncoder
from training.perception.contrastive import Recipe

GROUPS = {"seen": list(SEEN_CHANNELS), "unseen": list(UNSEEN_CHANNELS)}
"""The channel models of the training, and the others."""
ABLATIONS = ("labels", "conditions", "sets", "untrained")


@dataclass(frozen=True)
class Perception(Experiment):
    """Retrieval of sentences and of knowledge by radio observations.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    name: ClassVar[str] = "perception"

    scenes: int = option(60, "test scenes of each set of conditions and group of channels (default: %(default)s)", "K")
    samples: int = option(2, "of each set and channel, scenes whose samples are sent (default: %(default)s)", "K")
    training_scenes: int = option(400, "of each set and channel, scenes of the training (default: %(default)s)", "K")
    steps: int = option(600, "of each training (default: %(default)s)", "K")
    seed: int = option(0, "of scenes and trainings (default: %(default)s)")
    train: bool = option(False, "train the encoder too, in place of the one that is shipped")
    ship: bool = option(False, "train it, and put it in the place of the one that is shipped, with its card")
    runs: Path = option(Path("results/perception/encoders"), "folder of the trainings (default: %(default)s)", "DIR")

    def __post_init__(self) -> None:
        for name in ("scenes", "samples", "training_scenes", "steps"):
            integer(name, getattr(self, name), 1)
        integer("seed", self.seed)
        for module in ("torch", "onnx", "onnxruntime"):
            require(module, extra="rl")

    def cells(self) -> list[Cell]:
        """Return the trainings, which are known before anything is judged."""
        kinds = ("sentences", *ABLATIONS) if self.train or self.ship else ABLATIONS
        return [self._training(kind) for kind in kinds]

    def report(self, compute: Compute) -> Report:
        """Return the tables and the picture."""
        trainings = compute(self.cells()).to_dict("records")
        paths = {row["scheme"]: row["path"] for row in trainings}
        if self.ship:
            (row,) = (row for row in trainings if row["scheme"] == "sentences")
            self._put_in_place(Path(row["path"]), row)
            paths["sentences"] = ""
        frame = compute(list(self._judged({"sentences": "", **paths})))
        kept = frame[[name for name in COLUMNS if name in frame]].fillna("")
        return Report(markdown(kept), kept, lambda path: draw(bits_table(kept), path))

    def _training(self, kind: str) -> Cell:
        options = {
            "kind": kind,
            "scenes": self.training_scenes,
            "steps": self.steps,
            "path": str(self.runs / f"{kind}-{self.seed}.onnx"),
        }
        return Cell(learning.FUNCTION, self.name, kind, None, self.seed, options=options, lasting=True)

    def _judged(self, paths: Mapping[str, str]) -> Iterator[Cell]:
        digests = {name: RadioEncoder(path or SHIPPED).digest for name, path in paths.items()}
        for name, channels in GROUPS.items():
            options = {
                "channels": channels,
                "scenes": max(1, self.scenes // len(channels)),
                "samples": self.samples,
                "training_scenes": self.training_scenes,
                "encoders": dict(paths),
                "digests": digests,
            }
            yield Cell(cells.FUNCTION, self.name, name, None, self.seed, options=options)

    def _put_in_place(self, path: Path, row: Mapping[str, Any]) -> None:
        write_bytes(SHIPPED, path.read_bytes())
        write_text(SHIPPED.with_suffix(".md"), self._card(row))

    def _card(self, row: Mapping[str, Any]) -> str:
        """Return the encoder's card."""
        recipe, encoder = Recipe(scenes=self.training_scenes, steps=self.steps, seed=self.seed), RadioEncoder()
        scenes = len(SEEN_SETS) * recipe.scenes * len(SEEN_CHANNELS)
        size = SHIPPED.stat().st_size / 1024
        flags = f"--training-scenes {recipe.scenes} --steps {recipe.steps} --seed {self.seed}"
        return f"""# radio-encoder

A radio encoder, `solvers.perception.encoder.shipped_encoder()`: {size:.0f} KB, ONNX. It maps 16 snapshots of 16
subcarriers at 8 antennas to a vector of {encoder.dimension} numbers in the space of the sentence encoder
`{encoder.text_encoder}`.

## Training

- Data: {scenes:,} scenes of the simulator `secagent_env.radio_scenes`, of {len(SEEN_SETS)} sets of conditions, in the
  channel models {", ".join(f"`{name}`" for name in SEEN_CHANNELS)}; for each set {recipe.sentences} sentences from
  templates. Half of the time a scene is seen whole, else in its lower or upper half of the band.
- Command: `secagent study perception --ship {flags}`
- Budget: {recipe.steps} steps of {recipe.batch} scenes, {row["cpu_seconds"] / 60:.1f} CPU minutes without drawing the
  scenes
- Chosen: the network after the last step; no sentence that was written by hand and no test scene had a part in it
- Versions: secagent {__version__}, python {platform.python_version()}

## Results and limits

On scenes that no training saw: `docs/perception.md`. It knows this array, this band and these conditions, at the levels
of the simulator, and nothing measured in the field.
"""


COLUMNS = ("channels", "each", "table", "who", "phrasing", "exact1", "exact5", "covers1", "bits", "rate")
"""Of ``docs/perception.csv``."""
