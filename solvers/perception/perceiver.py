"""The perceiver: an observation becomes a query, and the agent's knowledge base answers it with passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from secagent_env.radio_scenes.conditions import SETS, Conditions
from secagent_env.radio_scenes.countermeasures import COUNTERMEASURES
from secagent_env.radio_scenes.descriptions import descriptions
from secagent_env.support.errors import check_name
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.passages import Passage
from solvers.perception.encoder import RadioEncoder, shipped_encoder
from solvers.perception.message import unpack_vector


class Perceiver:
    """An agent's perception: it looks up radio observations in the base in which it looks up text.

    Parameters
    ----------
    base
        Of the sentence encoder in whose space the radio encoder's vectors lie; any texts.
    encoder
        By default the one that is shipped.

    Raises
    ------
    ValueError
        If the vectors of the base have another dimension than the encoder's.
    """

    def __init__(self, base: KnowledgeBase, encoder: RadioEncoder | None = None) -> None:
        self.base = base
        self.encoder = encoder or shipped_encoder()
        if base.vectors.shape[1] != self.encoder.dimension:
            raise ValueError(
                f"the radio encoder's vectors have {self.encoder.dimension} numbers, those of the base "
                f"{base.vectors.shape[1]}: build the base with the sentence encoder {self.encoder.text_encoder!r}"
            )

    def passages(self, received: np.ndarray, k: int = 1, seen: np.ndarray | None = None) -> list[list[Passage]]:
        """Return the k passages nearest to each of B observations, the nearest first; errors as in ``encode``."""
        return self._nearest(self.encoder.encode(received, seen), k)

    def passages_of_message(self, data: bytes, k: int = 1) -> list[Passage]:
        """Return the k passages nearest to the observation of another agent, in a message of it.

        Raises ValueError as :func:`solvers.perception.message.unpack_vector` does.
        """
        return self._nearest(unpack_vector(data, self.encoder)[None], k)[0]

    def advice(self, received: np.ndarray, seen: np.ndarray | None = None) -> list[str]:
        """Return the counter-measure that the nearest passage of each of B observations advises: its category.

        Raises ValueError if that is no counter-measure: the base needs passages as :func:`handbook` makes them.
        """
        nearest = self.passages(received, 1, seen)
        return [check_name("counter-measure", one.category, COUNTERMEASURES) for (one,) in nearest]

    def _nearest(self, vectors: np.ndarray, k: int) -> list[list[Passage]]:
        indices, _ = self.base.search(vectors, k)
        return [[self.base.passages[i] for i in row if i >= 0] for row in indices]


def handbook(
    actions: Mapping[Conditions, str], encoder: Encoder, each: int = 2, seed: int = 0, sets: Sequence[Conditions] = SETS
) -> KnowledgeBase:
    """Return a base of situations with the counter-measure that each calls for, which is the passage's category.

    Parameters
    ----------
    actions
        By set of conditions.
    encoder
        The sentence encoder.
    each
        Passages for each set, from the templates and a seed.
    sets
        Those that the handbook knows.
    """
    rng = np.random.default_rng(seed)
    passages: list[Passage] = []
    for number, conditions in enumerate(sets):
        action = check_name("counter-measure", actions[conditions], COUNTERMEASURES)
        for place, text in enumerate(descriptions(conditions, each, rng)):
            passages.append(Passage(f"{number}-{place}", f"{text} Advice: {action}.", action))
    return KnowledgeBase.build(passages, encoder)
