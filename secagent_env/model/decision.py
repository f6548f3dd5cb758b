"""Decision: the supervisor's selection of agents, beam and powers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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

    Raises
    ------
    ValueError
        If a shape does not fit the others, or a value is NaN or infinite.
    """

    selection: Array
    beamformer: Array
    power_w: Array

    _measured: ClassVar[tuple[str, int]] = ("selection", 1)

    def __post_init__(self) -> None:
        for name in self._arrays:
            object.__setattr__(self, name, plain_array(name, getattr(self, name)))
        xp = namespace(self.selection, self.beamformer, self.power_w)
        if self.selection.dtype != xp.bool:
            require_finite("selection", self.selection, xp)
            if not xp.all((self.selection == 0) | (self.selection == 1)):
                raise ValueError("selection must be boolean (or 0 and 1), got other values")
            object.__setattr__(self, "selection", self.selection != 0)
        for name in self._arrays:
            if len(getattr(self, name).shape) == 0:
                raise ValueError(f"{name} must have at least one dimension, got a scalar")
        batch = tuple(self.power_w.shape[:-1])
        if self.selection.shape[-1] != self.power_w.shape[-1]:
            raise ValueError(
                "selection and power_w must have one entry per agent, "
                f"got {self.selection.shape[-1]} and {self.power_w.shape[-1]} entries"
            )
        if tuple(self.selection.shape[:-1]) != batch or tuple(self.beamformer.shape[:-1]) != batch:
            shapes = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in self._arrays)
            raise ValueError(f"selection, beamformer and power_w must have the same batch dimensions, got {shapes}")
        if xp.isdtype(self.power_w.dtype, "complex floating"):
            raise ValueError(f"power_w must be real, got {self.power_w.dtype}")
        if not xp.isdtype(self.beamformer.dtype, "complex floating"):
            complex_dtype = xp.complex64 if "float32" in str(self.beamformer.dtype) else xp.complex128
            object.__setattr__(self, "beamformer", xp.astype(self.beamformer, complex_dtype))
        require_finite("beamformer", self.beamformer, xp)
        require_finite("power_w", self.power_w, xp)
