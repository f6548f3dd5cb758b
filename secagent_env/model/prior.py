"""What is known of the eavesdroppers' links beforehand: fields of an Instance, and their checks.

A link h is distributed as CN(μ, C): L antennas of the base station to an eavesdropper, one of an agent. Of the latter
an instance has the power gain |h|² alone; the prior is of h.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from secagent_env.model.batched import Array, namespace

PRIOR = {
    "prior_bs_mean": "EL",
    "prior_bs_covariance": "ELL",
    "prior_agents_mean": "NE",
    "prior_agents_variance": "NE",
}
"""The dimensions of the fields."""
PRIOR_COMPLEX = ("prior_bs_mean", "prior_bs_covariance", "prior_agents_mean")
_SPREADS = {"prior_bs_mean": "prior_bs_covariance", "prior_agents_mean": "prior_agents_variance"}


def check_prior(fields: Mapping[str, Any]) -> None:
    """Raise ValueError where a mean has no spread beside it, or a spread is none.

    ``fields`` are those of an instance, of the right shapes and types. Covariances must be Hermitian and positive
    semidefinite to within rounding: √eps of their trace, eps that of their precision.
    """
    for mean, spread in _SPREADS.items():
        if fields.get(mean) is not None and fields.get(spread) is None:
            raise ValueError(f"{mean} needs {spread} beside it: how far the links may be from their mean")
    variance, covariance = fields.get("prior_agents_variance"), fields.get("prior_bs_covariance")
    if variance is not None and not namespace(variance).all(variance >= 0):
        xp = namespace(variance)
        raise ValueError(f"prior_agents_variance must be ≥ 0, got {float(xp.min(variance))}")
    if covariance is not None and math.prod(covariance.shape):
        _check_covariance(covariance)


def _check_covariance(covariance: Array) -> None:
    xp = namespace(covariance)
    adjoint = xp.conj(xp.matrix_transpose(covariance))
    eps = float(xp.finfo(covariance.dtype).eps)
    trace = xp.sum(xp.abs(xp.linalg.diagonal(covariance)), axis=-1)
    room = math.sqrt(eps) * trace
    if not xp.all(xp.abs(covariance - adjoint) <= room[..., None, None]):
        apart = float(xp.max(xp.abs(covariance - adjoint)))
        raise ValueError(
            f"prior_bs_covariance must be Hermitian, and differs from its conjugate transpose by {apart:.3g}"
        )
    lowest = xp.linalg.eigvalsh((covariance + adjoint) / 2)[..., 0]
    if not xp.all(lowest >= -room):
        raise ValueError(
            "prior_bs_covariance must be positive semidefinite, got an eigenvalue of "
            f"{float(xp.min(lowest)):.3g} beside a trace of {float(xp.max(trace)):.3g}"
        )
