"""Decision: the supervisor's selection of agents, beam and powers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar, Self

from secagent_env.model.batched import Array, Batched, namespace, plain_array, require_finite


@dataclass(frozen=True, eq=False, kw_only=True)
class Decision(Batched):
    """A decision, or a batch of them.

    Lists and scalars are taken as NumPy arrays. Limits of the scenario are not checked here: a decision
    may violate them, and :func:`~secagent_env.evaluate` tells by how much.

    Parameters
    ----------
    selection
        α, (…, N) bool (0 and 1 are taken as such): True computes, False jams (or is silent at zero power).
    beamformer
        w, (…, L) complex, √W.
    power_w
        p, (…, N), W: the power of an agent as sender (selected) or as jammer (unselected).
    noise_covariance
        V, (…, L, L) complex, W, Hermitian and positive semidefinite: the covariance of artificial noise that the base
        station sends beside the beam, tr V + ‖w‖² ≤ p_BS. None: it sends none.

    Raises
    ------
    ValueError
        If a shape does not fit the others, a value is NaN or infinite, or the covariance is none.
    """

    selection: Array
    beamformer: Array
    power_w: Array
    noise_covariance: Array | None = None

    _measured: ClassVar[tuple[str, int]] = ("selection", 1)

    def __post_init__(self) -> None:
        for name in _ALWAYS:
            object.__setattr__(self, name, plain_array(name, getattr(self, name)))
        xp = namespace(self.selection, self.beamformer, self.power_w)
        if self.selection.dtype != xp.bool:
            require_finite("selection", self.selection, xp)
            if not xp.all((self.selection == 0) | (self.selection == 1)):
                raise ValueError("selection must be boolean (or 0 and 1), got other values")
            object.__setattr__(self, "selection", self.selection != 0)
        for name in _ALWAYS:
            if len(getattr(self, name).shape) == 0:
                raise ValueError(f"{name} must have at least one dimension, got a scalar")
        batch = tuple(self.power_w.shape[:-1])
        if self.selection.shape[-1] != self.power_w.shape[-1]:
            raise ValueError(
                "selection and power_w must have one entry per agent, "
                f"got {self.selection.shape[-1]} and {self.power_w.shape[-1]} entries"
            )
        if tuple(self.selection.shape[:-1]) != batch or tuple(self.beamformer.shape[:-1]) != batch:
            shapes = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in _ALWAYS)
            raise ValueError(f"selection, beamformer and power_w must have the same batch dimensions, got {shapes}")
        if xp.isdtype(self.power_w.dtype, "complex floating"):
            raise ValueError(f"power_w must be real, got {self.power_w.dtype}")
        object.__setattr__(self, "beamformer", _complex(self.beamformer, xp))
        require_finite("beamformer", self.beamformer, xp)
        require_finite("power_w", self.power_w, xp)
        if self.noise_covariance is not None:
            object.__setattr__(self, "noise_covariance", self._checked_covariance(xp))

    def _checked_covariance(self, xp: ModuleType) -> Array:
        name = "noise_covariance"
        covariance = plain_array(name, self.noise_covariance)
        namespace(self.beamformer, covariance)
        shape = (*self.beamformer.shape, self.beamformer.shape[-1])
        if tuple(covariance.shape) != shape:
            raise ValueError(f"{name} must have shape (…, L, L) = {shape}, got {tuple(covariance.shape)}")
        covariance = _complex(covariance, xp)
        require_finite(name, covariance, xp)
        adjoint = xp.conj(xp.matrix_transpose(covariance))
        rounding = 1e-5 if covariance.dtype == xp.complex64 else 1e-9
        granted = rounding * xp.max(xp.abs(covariance), axis=(-2, -1))
        if not xp.all(xp.max(xp.abs(covariance - adjoint), axis=(-2, -1)) <= granted):
            raise ValueError(f"{name} must be Hermitian, got one that differs from its conjugate transpose")
        least = xp.linalg.eigvalsh(covariance)[..., 0]
        if not xp.all(least >= -covariance.shape[-1] * granted):
            raise ValueError(f"{name} must be positive semidefinite, got the eigenvalue {float(xp.min(least)):.3g} W")
        return covariance

    @classmethod
    def stack(cls, items: Sequence[Self]) -> Self:
        """Return a batch with a new leading dimension; where only some send artificial noise, the others send zero."""
        if any(item.noise_covariance is not None for item in items):
            items = [item if item.noise_covariance is not None else item._with_zero_noise() for item in items]
        return super().stack(items)

    def _with_zero_noise(self) -> Self:
        beam = self.beamformer
        return self._trusted(**{**self._fields(), "noise_covariance": 0 * beam[..., :, None] * beam[..., None, :]})


_ALWAYS = ("selection", "beamformer", "power_w")


def _complex(array: Array, xp: ModuleType) -> Array:
    if xp.isdtype(array.dtype, "complex floating"):
        return array
    return xp.astype(array, xp.complex64 if "float32" in str(array.dtype) else xp.complex128)
