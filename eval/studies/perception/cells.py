"""The cells of ``secagent study perception`` that judge encoders on the scenes of a group of channel models.

A judged row has a string of 0 and 1 for the scenes, set by set in the order of ``SETS``, or the rates that were
reached by deciding from what was perceived.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from eval.studies.perception.learning import material
from eval.studies.perception.sentences import GALLERIES, covering, right_at
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, returns, text
from secagent_env.radio_scenes.conditions import SETS, indicators
from secagent_env.radio_scenes.countermeasures import COUNTERMEASURES, best_countermeasures, rates
from secagent_env.radio_scenes.scenes import sample_scenes
from secagent_env.radio_scenes.settings import SEEN_CHANNELS
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import default_encoder
from solvers.knowledge.store.passages import Passage
from solvers.perception.encoder import SHIPPED, RadioEncoder
from solvers.perception.features import features
from solvers.perception.fusion import LinearFusion, mean_vector
from solvers.perception.message import (
    OVERHEAD_BITS,
    pack_sentence,
    pack_vector,
    sentence_bytes,
    unpack_sentence,
    unpack_vector,
)
from solvers.perception.perceiver import handbook
from training.perception.contrastive import SEEN_PLACES, Recipe
from training.perception.material import SENSORS, Material

FUNCTION = "eval.studies.perception.cells:judge"
TEST_SEEDS = {True: 1, False: 2}
"""Added to a study's seed, for the scenes in channel models of the training and in others: no training has them."""
SAMPLES_SEED = 3
"""The same, for the scenes whose samples are sent."""


@returns(columns(table=text, who=text, phrasing=text, exact1=text, exact5=text, covers1=text, bits=count, rate=text))
def judge(cell: Cell) -> list[Row]:
    """Return the rows of a group of channel models: retrieval, sensors, and bits; of the options' encoders."""
    options = cell.options
    encoders = {name: RadioEncoder(path or SHIPPED) for name, path in options["encoders"].items()}
    for name, digest in options["digests"].items():
        if encoders[name].digest != digest:
            raise ValueError(f"the encoder {name!r} was changed since the study began: run the study with --fresh")
    channels, scenes = tuple(options["channels"]), int(options["scenes"])
    world = test_scenes(scenes, channels, cell.seed + TEST_SEEDS[channels[0] in SEEN_CHANNELS])
    recipe = Recipe(scenes=int(options["training_scenes"]), seed=cell.seed)
    judges = (
        _retrieval(world, encoders, recipe),
        _sensors(world, encoders["sentences"], recipe),
        _bits(int(options["samples"]), channels, cell.seed + SAMPLES_SEED, encoders),
    )
    nothing = {"phrasing": "", "exact1": "", "exact5": "", "covers1": "", "bits": 0, "rate": ""}
    common = {"channels": cell.scheme, "each": scenes}
    return [{**common, **nothing, **row} for rows in judges for row in rows]


def test_scenes(each: int, channels: tuple[str, ...], seed: int) -> Material:
    """Return so many scenes of every set in each channel model."""
    return Material.drawn(SETS, each, channels, seed)


test_scenes.__test__ = False  # type: ignore[attr-defined]  # not one of pytest's


# --- Retrieval --------------------------------------------------------------------------------------------------


def _retrieval(world: Material, encoders: Mapping[str, RadioEncoder], recipe: Recipe) -> Iterator[Row]:
    """Yield how often the sentences nearest to an observation say what it holds, and what classifiers reach."""
    observed, truth = world.features[0], world.sets
    for phrasing, gallery_of in GALLERIES.items():
        gallery = gallery_of()
        vectors = default_encoder().encode(gallery.texts)
        for who in ("sentences", "labels", "untrained"):
            if who in encoders:
                ranked = gallery.sets[np.argsort(-encoders[who].run(observed) @ vectors.T, axis=1, kind="stable")]
                yield _hits(who, phrasing, ranked, truth)
        if phrasing == "by hand":
            ranked = gallery.sets[np.argsort(-_prototypes()[truth] @ vectors.T, axis=1, kind="stable")]
            yield _hits("true set in template sentences", phrasing, ranked, truth)
        rng = np.random.default_rng([recipe.seed, len(gallery.texts)])
        ranked = gallery.sets[np.argsort(rng.random((len(truth), len(gallery.texts))), axis=1)]
        yield _hits("chance", phrasing, ranked, truth)
    if "conditions" in encoders:
        yield _hits("classifier of conditions", "", _likeliest_sets(encoders["conditions"].run(observed)), truth)
    if "sets" in encoders:
        ranked = np.array(SEEN_PLACES)[np.argsort(-encoders["sets"].run(observed), axis=1, kind="stable")]
        yield _hits("classifier of sets", "", ranked, truth)
    yield _hits("nearest neighbour", "", _neighbours(observed, recipe), truth)


def _hits(who: str, phrasing: str, ranked: np.ndarray, truth: np.ndarray, table: str = "retrieval") -> Row:
    exact = {f"exact{k}": digits(right_at(ranked, truth, k)) for k in (1, 5)}
    return {"table": table, "who": who, "phrasing": phrasing, **exact, "covers1": digits(covering(ranked[:, 0], truth))}


def digits(values: np.ndarray) -> str:
    """Return truth values as a text of 0 and 1, after a letter that keeps it a text in every file."""
    return "h" + "".join("01"[int(value)] for value in values)


@functools.cache
def _prototypes() -> np.ndarray:
    """Return the mean vector of the template sentences of each set: what an encoder without fault would say."""
    gallery = GALLERIES["templates"]()
    vectors = default_encoder().encode(gallery.texts)
    return np.stack([vectors[gallery.sets == place].mean(axis=0) for place in range(len(SETS))])


def _likeliest_sets(logits: np.ndarray) -> np.ndarray:
    """Return all sets, the likeliest first, from logits of the conditions (B, 5): independent given the scene."""
    has = indicators(SETS).astype(float)
    return np.argsort(-(logits @ has.T), axis=1, kind="stable")


def _neighbours(observed: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return the sets of the nearest scenes of the training, by standardised features; the first of each set counts."""
    known = material(recipe)
    whole = known.features[0]
    spread = np.maximum(whole.std(axis=0), 0.05)
    ours, theirs = observed / spread, whole / spread
    apart = (theirs**2).sum(axis=1) - 2 * ours @ theirs.T
    nearest = np.stack([apart[:, known.sets == place].min(axis=1) for place in SEEN_PLACES], axis=1)
    return np.array(SEEN_PLACES)[np.argsort(nearest, axis=1, kind="stable")]


# --- Sensors ----------------------------------------------------------------------------------------------------


def _sensors(world: Material, encoder: RadioEncoder, recipe: Recipe) -> Iterator[Row]:
    """Yield what sensors reach that see halves of the band, alone and together; and the rates of their decisions."""
    vectors = {name: encoder.run(view) for name, view in zip(SENSORS, world.features, strict=True)}
    vectors = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in vectors.items()}
    halves = np.stack([vectors["lower half"], vectors["upper half"]])
    vectors["both, mean of vectors"] = mean_vector(halves)
    vectors["both, linear map"] = _fusion(encoder, recipe)(halves)
    gallery = GALLERIES["by hand"]()
    known = default_encoder().encode(gallery.texts)
    for who, rows in vectors.items():
        ranked = gallery.sets[np.argsort(-rows @ known.T, axis=1, kind="stable")]
        yield {**_hits(who, "by hand", ranked, world.sets, "sensors"), "rate": _reached(world.rates, _advised(rows))}


@functools.cache
def _fusion_of(digest: str, path: str, recipe: Recipe) -> LinearFusion:
    encoder, known = RadioEncoder(path or SHIPPED), material(recipe)
    whole, lower, upper = (encoder.run(view) for view in known.features)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (whole, lower, upper)]
    return LinearFusion.fitted(np.stack(unit[1:]), unit[0])


def _fusion(encoder: RadioEncoder, recipe: Recipe) -> LinearFusion:
    return _fusion_of(encoder.digest, encoder.path, recipe)


# --- Bits and decisions -----------------------------------------------------------------------------------------


@functools.cache
def _handbook() -> KnowledgeBase:
    return handbook(best_countermeasures(), default_encoder())


def _advised(vectors: np.ndarray) -> np.ndarray:
    """Return the counter-measures that the nearest passages of the handbook advise, (B,) as places."""
    base = _handbook()
    (nearest,) = base.search(vectors, 1)[0].T
    return np.array([COUNTERMEASURES.index(base.passages[i].category) for i in nearest])


def _reached(rate: np.ndarray, chosen: np.ndarray) -> str:
    """Return the rates (B, 4) of the counter-measures chosen (B,), as JSON."""
    return json.dumps([round(float(one), 2) for one in rate[np.arange(len(chosen)), chosen]])


def _bits(each: int, channels: Sequence[str], seed: int, encoders: Mapping[str, RadioEncoder]) -> Iterator[Row]:
    """Yield bits and rates where a sensor sends samples, features, a vector, a sentence's number, or a decision."""
    encoder = encoders["sentences"]
    truth = np.repeat(np.arange(len(SETS)), each)
    wanted = [SETS[i] for i in truth]
    drawn = [sample_scenes(wanted, channel, seed, k * len(truth)) for k, channel in enumerate(channels)]
    received = np.concatenate([scenes.received for scenes in drawn])
    reached = np.concatenate([rates(scenes) for scenes in drawn])
    truth = np.tile(truth, len(channels))
    size = len(truth)

    def row(who: str, bits: float, chosen: np.ndarray) -> Row:
        return {"table": "bits", "who": who, "bits": int(bits), "each": each, "rate": _reached(reached, chosen)}

    def perceived(observed: np.ndarray) -> np.ndarray:
        return _advised(encoder.run(observed))

    samples = 2 * int(np.prod(received.shape[1:]))
    for depth in (8, 4, 2, 1):
        sent = coarse(received, depth)
        yield row(f"samples, {depth} bit", samples * depth + 32 + OVERHEAD_BITS, perceived(features(sent)))
    for width in (8, 4):
        seen = np.arange(16) < width
        sent = coarse(received, 4)
        bits = samples * width / 16 * 4 + 32 + OVERHEAD_BITS
        yield row(f"samples, {width} of 16 subcarriers, 4 bit", bits, perceived(features(sent, seen)))
    observed = features(received)
    for depth in (8, 4):
        bits = observed.shape[1] * depth + 32 + OVERHEAD_BITS
        yield row(f"features, {depth} bit", bits, perceived(rounded(observed, depth)))
    vectors = encoder.run(observed)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for precision in ("float16", "int8", "binary"):
        messages = [pack_vector(vector, encoder, precision) for vector in vectors]
        back = np.stack([unpack_vector(message, encoder) for message in messages])
        yield row(f"vector, {precision}", 8 * len(messages[0]), _advised(back))
    gallery = GALLERIES["templates"]()
    words = KnowledgeBase.build([Passage(str(i), one) for i, one in enumerate(gallery.texts)], default_encoder())
    numbers = [unpack_sentence(pack_sentence(vector, words), words) for vector in vectors]
    yield row("number of a sentence", 8 * sentence_bytes(words) + OVERHEAD_BITS, _advised(words.vectors[numbers]))
    yield row("decision of the sensor", 2 + OVERHEAD_BITS, _advised(vectors))
    actions = best_of_sets()
    yield row("none: best of each scene, in hindsight", 0, reached.argmax(axis=1))
    yield row("none: the true set is known", 0, actions[truth])
    if "conditions" in encoders:
        sets = _likeliest_sets(encoders["conditions"].run(observed))[:, 0]
        yield row("none: classifier of conditions, all of the band", 0, actions[sets])
    for place, action in enumerate(COUNTERMEASURES):
        yield row(f"none: always {action}", 0, np.full(size, place))


@functools.cache
def best_of_sets() -> np.ndarray:
    """Return the best counter-measure of each set, (26,) as places."""
    best = best_countermeasures()
    return np.array([COUNTERMEASURES.index(best[one]) for one in SETS])


def coarse(received: np.ndarray, depth: int) -> np.ndarray:
    """Return observations (B, …) complex whose real and imaginary parts have so many bits.

    The steps are even, up to four standard deviations; up to three with 2 bits, and ± 0.8 with 1.
    """
    parts = np.ascontiguousarray(received, np.complex64).view(np.float32)
    axes = tuple(range(1, parts.ndim))
    scale = np.sqrt(np.mean(parts**2, axis=axes, keepdims=True))
    levels = 2**depth
    step = (0.8 if depth == 1 else 1.0) * 2 * min(4.0, 1.0 + depth) / levels * scale
    places = np.clip(np.floor(parts / step), -levels // 2, levels // 2 - 1)
    return ((places + 0.5) * step).astype(np.float32).view(np.complex64)


def rounded(observed: np.ndarray, depth: int) -> np.ndarray:
    """Return features (B, SIZE) with so many bits each, between the least and the most of an observation."""
    low, high = observed.min(axis=1, keepdims=True), observed.max(axis=1, keepdims=True)
    step = (high - low) / (2**depth - 1)
    return (low + np.rint((observed - low) / step) * step).astype(np.float32)
