"""Random generators: one of its own for each instance, from a seed and the index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Seed = int | np.random.Generator


def instance_generator(seed: int, index: int) -> np.random.Generator:
    """Return the generator that draws instance ``index`` of every batch of ``seed``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))


def generators_of(
    seed: Seed,
    count: int,
    generator_of: Callable[[int, int], np.random.Generator] = instance_generator,
    first: int = 0,
) -> list[np.random.Generator]:
    """Return the generators of a batch: ``generator_of(seed, index)`` each, or a given one for all, in turn.

    Indices begin at ``first``.
    """
    if isinstance(seed, np.random.Generator):
        return [seed] * count
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return [generator_of(int(seed), i) for i in range(first, first + count)]
    raise ValueError(f"seed must be an integer ≥ 0 or a numpy Generator, got {seed!r}")
