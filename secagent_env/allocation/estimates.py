"""What environments show of instances whose eavesdroppers are known with errors (``csi_error``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from secagent_env.model.instance import Instance
from secagent_env.model.prior import PRIOR, PRIOR_COMPLEX
from secagent_env.sampling.estimation import ESTIMATED, estimated, generator_beside

_SEEN = (*ESTIMATED, "prior_agents_mean")
"""The fields in which what is seen differs from the truth."""


class Estimates:
    """The estimates of ``num_envs`` environments' instances; without an error variance, the instances as they are.

    Errors come from a generator beside that of each environment: networks are the same with any error variance.
    """

    def __init__(self, error_variance: float | None, num_envs: int = 1) -> None:
        self.error_variance = error_variance
        self._beside: list[Any] = [(None, None)] * num_envs  # a generator of instances, and that of errors beside it

    def of(self, truth: Instance, generators: Sequence[np.random.Generator], rows: Iterable[int] = (0,)) -> Instance:
        """Return what is seen of the true instances of the environments ``rows``, a batch or a single one.

        ``generators`` (num_envs,) are those of the environments.
        """
        if self.error_variance is None:
            return truth
        return estimated(truth, self.error_variance, [self._errors(i, generators[i]) for i in rows])

    def _errors(self, i: int, generator: np.random.Generator) -> np.random.Generator:
        if self._beside[i][0] is not generator:  # it was seeded
            self._beside[i] = generator, generator_beside(generator)
        errors: np.random.Generator = self._beside[i][1]
        return errors

    def arrays(self, truth: Instance) -> Instance:
        """Return arrays for what is seen of instances, of their own where that is not the truth."""
        if self.error_variance is None:
            return truth
        own = {name: np.empty_like(array) for name in _SEEN if (array := getattr(truth, name)) is not None}
        return Instance._trusted(**{**truth._fields(), **own})

    def holding(self, arrays: Instance, like: Instance) -> Instance:
        """Return the arrays of instances with those of a prior that batches ``like`` have; themselves if they do."""
        priors = [] if self.error_variance is None else [name for name in PRIOR if getattr(like, name) is not None]
        if priors == [name for name in PRIOR if getattr(arrays, name) is not None]:
            return arrays
        fields = dict.fromkeys(PRIOR) | {
            name: np.empty((len(arrays), *getattr(like, name).shape[1:]), complex if name in PRIOR_COMPLEX else float)
            for name in priors
        }
        return Instance._trusted(**{**arrays._fields(), **fields})

    def write(self, seen: Instance, arrays: Instance, rows: Any) -> None:
        """Write what is seen of some instances to :meth:`arrays`, where that is not the truth."""
        for name in () if self.error_variance is None else _SEEN:
            if (array := getattr(arrays, name)) is not None:
                array[rows] = getattr(seen, name)
