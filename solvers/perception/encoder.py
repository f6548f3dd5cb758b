"""The radio encoder: a network that maps an observation to a vector in the space of a sentence encoder.

It was trained with CLIP's loss (Radford et al., 2021) against the vectors of sentences that say what a scene holds
(:mod:`training.perception.contrastive`), which stay as the sentence encoder gives them. So a knowledge base of texts
answers an observation as it answers a question. The network is an ONNX file beside this module, with its card.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from secagent_env.support.digests import digest
from secagent_env.support.reading import read_bytes
from solvers.knowledge.store.quantisation import unit
from solvers.onnx_models.sealing import check_policy
from solvers.onnx_models.session import open_session
from solvers.perception.features import SIZE, features

FORMAT, VERSION = "secagent.radio-encoder", "1"
SHIPPED = Path(__file__).with_name("radio-encoder.onnx")
INPUT, OUTPUT = "features", "vector"
_CHUNK = 1024


class RadioEncoder:
    """A trained radio encoder.

    Parameters
    ----------
    path
        Its .onnx file; by default the one that is shipped.

    Attributes
    ----------
    name, text_encoder
        Its own name, and that of the sentence encoder whose space its vectors lie in.
    dimension
        Of the vectors.
    digest, path
        Of its file: the first tells encoders apart.

    Raises
    ------
    ValueError
        If the file is broken, foreign, or of another version.
    OSError
        If the file cannot be read.
    ImportError
        If onnxruntime is not installed.
    """

    def __init__(self, path: str | Path = SHIPPED) -> None:
        content = read_bytes(path)
        try:
            check_policy(content, path)
            self._session = open_session(content)
            described = self._session.get_modelmeta().custom_metadata_map
            if described.get("format") != FORMAT:
                raise ValueError("it is no radio encoder")
            if described.get("version") != VERSION:
                raise ValueError(f"it is of version {described.get('version')}; this secagent reads version {VERSION}")
            (given,), (made,) = self._session.get_inputs(), self._session.get_outputs()
            if (given.name, given.shape[1:], made.name) != (INPUT, [SIZE], OUTPUT) or len(made.shape) != 2:
                raise ValueError(f"its network does not take {SIZE} features and give a vector")
        except ValueError as error:
            raise ValueError(f"cannot use {path}: {error}") from None
        self.name = described.get("name", Path(path).stem)
        self.text_encoder = described.get("text_encoder", "")
        self.digest, self.path = digest(content), str(path)
        self.dimension = int(made.shape[1])

    def encode(self, received: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
        """Return a unit vector for each of B observations, (B, dimension) float32.

        ``received`` (B, 16, 16, 8) complex and ``seen``, and the errors, are those of
        :func:`solvers.perception.features.features`.
        """
        return unit(self.run(features(received, seen)))

    def run(self, observed: np.ndarray) -> np.ndarray:
        """Return the network's outputs (B, dimension) for features (B, SIZE)."""
        parts = [
            self._session.run([OUTPUT], {INPUT: observed[start : start + _CHUNK]})[0]
            for start in range(0, len(observed), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)


@functools.cache
def shipped_encoder() -> RadioEncoder:
    """Return the encoder that is shipped, which the whole process shares."""
    return RadioEncoder()
