"""Whole numbers in proportion to shares."""

from __future__ import annotations

from collections.abc import Sequence


def apportioned(total: int, shares: Sequence[int]) -> list[int]:
    """Return integers in proportion to shares that add up to ``total``: by largest remainders, the first of equals."""
    whole = sum(shares)
    counts = [total * share // whole for share in shares]
    # Sorting is stable: among equal remainders the first one gets more.
    order = sorted(range(len(shares)), key=lambda i: -(total * shares[i] % whole))
    for i in order[: total - sum(counts)]:
        counts[i] += 1
    return counts
