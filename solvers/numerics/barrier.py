"""A barrier method for the small smooth convex programs inside ASC.

The programs have some dozen variables and dense constraints; a Newton step costs microseconds, where a
general conic solver would first rewrite every logarithm into cones of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import scipy.linalg


class ConvexProgram(Protocol):
    """Minimise f(z) subject to F(z) ≥ 0, with f convex and F concave, f about 1 in size."""

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Return f(z) and F(z) (M,); any F that is not > 0 marks z as outside."""

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of sharpness · f − Σ log F at z."""


def minimise(
    program: ConvexProgram,
    z: np.ndarray,
    *,
    gap: float = 1e-6,
    first_gap: float = 1.0,
    reduction: float = 30.0,
    max_steps: int = 200,
    enough: float = -math.inf,
    check_time: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return a strictly feasible z whose f is within about ``gap`` of the minimum.

    Parameters
    ----------
    program
        What to minimise.
    z
        A strictly feasible start.
    gap, first_gap, reduction
        The duality gap M/sharpness where the method stops and where it starts, and the factor between stages.
    max_steps
        Newton steps in all; when they are used up, or a step fails, the last z is returned.
    enough
        The method stops as soon as f is at most this.
    check_time
        Called before each step; it may raise.
    """
    f, slack = program.values(z)
    if not (slack > 0).all():
        raise ValueError("the barrier method needs a strictly feasible start")
    sharpness = slack.size / max(first_gap, gap)
    last = slack.size / gap
    steps = 0
    while True:
        final = sharpness >= last
        while steps < max_steps:
            steps += 1
            check_time()
            gradient, hessian = program.newton(z, sharpness)
            direction = _descent(hessian, gradient)
            if direction is None:
                return z
            decrement = -float(gradient @ direction)
            if decrement < (1e-3 if final else 0.1):
                break
            merit = sharpness * f - np.log(slack).sum()
            length = 1.0
            while length > 1e-10:
                trial = z + length * direction
                f_trial, slack_trial = program.values(trial)
                if (slack_trial > 0).all():
                    change = sharpness * f_trial - np.log(slack_trial).sum() - merit
                    if change <= -0.1 * length * decrement:
                        break
                length *= 0.5
            else:
                return z
            z, f, slack = trial, f_trial, slack_trial
            if f <= enough:
                return z
        if final or steps >= max_steps:
            return z
        sharpness = min(sharpness * reduction, last)


def _descent(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray | None:
    """Return the Newton direction, or None where the numbers are no longer usable."""
    scale = 1 / np.sqrt(np.maximum(np.diagonal(hessian), 1e-300))
    scaled = hessian * scale * scale[:, None]
    ridge = 1e-14
    while ridge < 1e-2:
        np.fill_diagonal(scaled, 1 + ridge)
        factor, failed = scipy.linalg.lapack.dpotrf(scaled, lower=True)
        if not failed:
            direction, _ = scipy.linalg.lapack.dpotrs(factor, gradient * scale, lower=True)
            direction = -direction * scale
            return direction if np.isfinite(direction).all() and gradient @ direction <= 0 else None
        ridge *= 100
    return None
