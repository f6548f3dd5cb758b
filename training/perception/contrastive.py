"""The radio encoder's training: CLIP's loss between scenes of the simulator and sentences that say what they hold.

With unit vectors r_i of B scenes and t_j of the sentences of these scenes, and a learnt scale s, the loss is the mean
of the cross-entropies of softmax(s r_i · t_j) over j and over i (Radford et al., 2021). Where several scenes of a batch
have the same conditions, all their sentences are right, each in equal parts. Sentences keep the vectors that the
sentence encoder gives: only the radio encoder learns, so that its vectors are comparable to those of any text.

Kinds of training, beside each other in ``secagent study perception``:

- ``sentences``: this one;
- ``labels``: the same loss, against the bare names of the conditions, one text for each set;
- ``conditions``: the same network with five outputs, cross-entropy of each condition: a classifier;
- ``sets``: with an output for each set of the training: a classifier that knows no other sets;
- ``untrained``: the random network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from secagent_env.radio_scenes.conditions import CONDITIONS, SEEN_SETS, SETS, in_words, indicators
from secagent_env.radio_scenes.descriptions import descriptions
from secagent_env.radio_scenes.settings import SEEN_CHANNELS
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from secagent_env.support.files import write_bytes
from solvers.knowledge.store.encoder import Encoder
from solvers.perception.encoder import FORMAT, INPUT, OUTPUT, VERSION, RadioEncoder
from solvers.perception.features import SIZE
from training.learn.export import onnx_model
from training.perception.material import Material

KINDS = ("sentences", "labels", "conditions", "sets", "untrained")
SEEN_PLACES = [SETS.index(one) for one in SEEN_SETS]
WIDTHS = (192, 96)
LARGEST_BYTES = 10 * 2**20
TOLERANCE = 1e-4
"""By how much the exported network's outputs may differ from the module's."""
SEED = 1000
"""Added to the seed of a recipe for its scenes: no test draws these."""


@dataclass(frozen=True)
class Recipe:
    """How an encoder is trained.

    Parameters
    ----------
    kind
        One of :data:`KINDS`.
    scenes
        For each set of conditions and each channel model of the training.
    sentences
        For each set.
    steps, batch, learning_rate, dropout
        Of Adam with decoupled weight decay; the rate falls to 0 along a cosine.
    seed
        Of sentences and weights; with :data:`SEED`, of the scenes.
    """

    kind: str = "sentences"
    scenes: int = 400
    sentences: int = 30
    steps: int = 600
    batch: int = 128
    learning_rate: float = 2e-3
    dropout: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("kind of training", self.kind, KINDS)
        for name in ("scenes", "sentences", "batch", "steps"):
            integer(name, getattr(self, name), 1)
        integer("seed", self.seed)

    def material(self) -> Material:
        """Draw the scenes: of the sets and the channel models that a training may see."""
        return Material.drawn(SEEN_SETS, self.scenes, SEEN_CHANNELS, SEED + self.seed)


class RadioNetwork(nn.Module):
    """Features, standardised, through two hidden layers."""

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, mean: np.ndarray, spread: np.ndarray, outputs: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("spread", torch.as_tensor(spread, dtype=torch.float32))
        layers: list[nn.Module] = []
        for low, high in zip((SIZE, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Linear(low, high), nn.GELU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(WIDTHS[-1], outputs))

    def forward(self, observed: torch.Tensor) -> torch.Tensor:
        """Return outputs (B, outputs) of features (B, SIZE)."""
        return self.layers((observed - self.mean) / self.spread)


@dataclass(eq=False)
class Trained:
    """A network, the course of its loss (steps,), and its processor time, s."""

    network: RadioNetwork
    losses: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0


def train(
    recipe: Recipe, material: Material, encoder: Encoder, progress: Callable[[int], None] = lambda step: None
) -> Trained:
    """Return a network trained as a recipe says.

    Parameters
    ----------
    recipe, material
        The recipe, and its scenes.
    encoder
        The sentence encoder.
    progress
        Called with the number of each step.
    """
    began = time.process_time()
    generator = torch.Generator().manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    loss_of, outputs, more = _objective(recipe, encoder, rng)
    whole = material.features[0]
    seen_at = np.maximum(whole.std(axis=0), 0.05)  # features that hardly vary stay small
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        network = RadioNetwork(whole.mean(axis=0), seen_at, outputs, recipe.dropout)
        trained = Trained(network)
        if recipe.kind == "untrained":
            network.eval()
            return trained
        views = torch.as_tensor(material.features)
        sets = torch.as_tensor([SEEN_PLACES.index(place) for place in material.sets])
        optimiser = torch.optim.AdamW([*network.parameters(), *more], recipe.learning_rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
        for step in range(recipe.steps):
            rows = torch.randint(len(sets), (recipe.batch,), generator=generator)
            sensor = torch.tensor([0, 0, 1, 2])[torch.randint(4, (recipe.batch,), generator=generator)]
            loss = loss_of(network(views[sensor, rows]), sets[rows], generator)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            trained.losses.append(float(loss.detach()))
            progress(step)
    network.eval()
    trained.cpu_seconds = time.process_time() - began
    return trained


_Loss = Callable[[torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor]


def _objective(recipe: Recipe, encoder: Encoder, rng: np.random.Generator) -> tuple[_Loss, int, list[nn.Parameter]]:
    """Return the loss of outputs and sets, the number of outputs, and parameters beside the network's."""
    if recipe.kind == "conditions":
        wanted = torch.as_tensor(indicators(SEEN_SETS), dtype=torch.float32)
        return (
            lambda outputs, sets, _: functional.binary_cross_entropy_with_logits(outputs, wanted[sets]),
            len(CONDITIONS),
            [],
        )
    if recipe.kind == "sets":
        return lambda outputs, sets, _: functional.cross_entropy(outputs, sets), len(SEEN_SETS), []
    if recipe.kind == "untrained":
        return lambda outputs, _, __: outputs.sum(), encoder.dimension, []
    texts = [
        [in_words(one)] if recipe.kind == "labels" else descriptions(one, recipe.sentences, rng) for one in SEEN_SETS
    ]
    count = torch.tensor([len(some) for some in texts])
    vectors = torch.as_tensor(encoder.encode([text for some in texts for text in some]))
    first = torch.cumsum(count, 0) - count
    scale = nn.Parameter(torch.tensor(np.log(20.0), dtype=torch.float32))

    def loss(outputs: torch.Tensor, sets: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        place = (torch.rand(len(sets), generator=generator) * count[sets]).long()
        return clip_loss(outputs, vectors[first[sets] + place], sets, scale.exp().clamp(max=100.0))

    return loss, vectors.shape[1], [scale]


def clip_loss(outputs: torch.Tensor, texts: torch.Tensor, sets: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return CLIP's loss of outputs (B, d) and unit vectors of texts (B, d); pairs of the same set (B,) are right."""
    logits = scale * functional.normalize(outputs, dim=1) @ texts.T
    right = (sets[:, None] == sets).float()
    right = right / right.sum(dim=1, keepdim=True)  # symmetric: the same for rows and columns
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def export(network: RadioNetwork, path: str | Path, name: str, encoder: Encoder) -> None:
    """Write a network as an ONNX file that :class:`solvers.perception.encoder.RadioEncoder` reads.

    Raises
    ------
    ValueError
        If the file would be larger than 10 MB, or its outputs are not the network's.
    """
    example = torch.randn(3, SIZE, generator=torch.Generator().manual_seed(0))
    described = {"format": FORMAT, "version": VERSION, "name": name, "text_encoder": encoder.name}
    content = onnx_model(network, {INPUT: example}, {}, described, OUTPUT)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"the encoder has {len(content) / 2**20:.1f} MB, at most 10 MB are allowed")
    write_bytes(path, content)
    with torch.no_grad():
        wanted = network(example).numpy()
    difference = np.abs(RadioEncoder(path).run(example.numpy()) - wanted).max()
    if not difference <= TOLERANCE * max(1.0, np.abs(wanted).max()):
        raise ValueError(f"the exported encoder's outputs differ from the network's by {difference:.2g}")
