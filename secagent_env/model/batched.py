"""Dataclasses of arrays with the same leading batch dimensions, such as Instance, Decision and Outcome."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, Self

import array_api_compat
import numpy as np

Array = Any
"""An array of any library of the Python array API (NumPy, torch, …)."""


def namespace(*arrays: Array) -> ModuleType:
    """Return the array-API namespace that the arrays share."""
    for array in arrays:
        if not isinstance(array, (np.ndarray, np.generic)):
            break
    else:
        return np  # the common case, and NumPy 2 is its own namespace
    try:
        return array_api_compat.array_namespace(*arrays)
    except TypeError as error:
        kinds = sorted({f"{type(a).__module__}.{type(a).__name__}" for a in arrays})
        raise ValueError(
            f"arrays must all come from one array library, got {', '.join(kinds)}; convert with .to(...)"
        ) from error


def _where(condition: Array, yes: Array, no: Array) -> Array:
    """Return ``np.where``, as a scalar where it has no dimensions, like the other functions of NumPy."""
    result: Any = np.where(condition, yes, no)
    return result[()]


LEAN_NUMPY = SimpleNamespace(
    astype=lambda array, dtype: array.astype(dtype),
    broadcast_to=np.broadcast_to,
    conj=np.conj,
    float32=np.float32,
    imag=lambda array: array.imag,
    log1p=np.log1p,
    matmul=np.matmul,
    matrix_transpose=lambda array: array.swapaxes(-1, -2),
    max=np.maximum.reduce,
    maximum=np.maximum,
    min=np.minimum.reduce,
    real=lambda array: array.real,
    sum=np.add.reduce,
    where=_where,
)
"""The NumPy functions of the physics, without wrappers, which take longer than the arithmetic of a single instance;
the bits are the same. Reductions need an ``axis``."""


def lean_namespace(*arrays: Array) -> Any:
    """Return the namespace that the arrays share; for NumPy it is :data:`LEAN_NUMPY`."""
    xp = namespace(*arrays)
    return LEAN_NUMPY if xp is np else xp


def plain_array(name: str, value: Any, dtype: type | None = None) -> Array:
    """Return lists and NumPy's arrays as an array of NumPy's own class, in this machine's byte order.

    Whole numbers become float64, and longer types float64 or complex128; truth values stay. Arrays of other libraries
    are returned as they are. ValueError is raised for what holds no numbers, and for masked arrays, since nothing here
    would respect their masks.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{name} must hold plain numbers, got a masked array: fill it first, as .filled(0) does")
    if hasattr(value, "dtype") and not isinstance(value, (np.ndarray, np.generic)):
        return value
    try:
        array = np.asarray(value, dtype)
    except OverflowError:
        raise ValueError(f"{name} must be an array of numbers, got {value!r:.80}") from None
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of numbers, got rows of different lengths or other things") from None
    if array.dtype.kind not in "bifcu":
        raise ValueError(f"{name} must be an array of numbers, got {value!r:.80}")
    if array.dtype.kind in "iu":
        return array.astype(np.float64)
    if array.dtype.itemsize > 8 * (1 + (array.dtype.kind == "c")):
        return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def require_shape(name: str, array: Array, trailing: tuple[int, ...], letters: str) -> tuple[int, ...]:
    """Return the batch dimensions of ``array``; its last dimensions must be ``trailing``."""
    split = len(array.shape) - len(trailing)
    if split < 0 or tuple(array.shape[split:]) != trailing:
        wanted = ", ".join(["…", *(f"{letter}={size}" for letter, size in zip(letters, trailing, strict=True))])
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(array.shape)}")
    return tuple(array.shape[:split])


def require_finite(name: str, array: Array, xp: ModuleType) -> None:
    """Raise ValueError if ``array`` holds a NaN or an infinite number."""
    finite = xp.isfinite(array)
    if not xp.all(finite):
        bad = int(xp.sum(xp.astype(~finite, xp.int64)))
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite of {math.prod(array.shape)} numbers")


class Batched:
    """Indexing, stacking and conversion of a dataclass of arrays with common leading dimensions."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    _shared: ClassVar[tuple[str, ...]] = ()
    """The fields that are no arrays: all of a batch have them in common."""
    _arrays: ClassVar[tuple[str, ...]]
    """The other fields: arrays, dicts of arrays, or batches of arrays."""
    _measured: ClassVar[tuple[str, int]]
    """One of these arrays, and how many dimensions it has behind those of the batch."""

    def __init_subclass__(cls) -> None:
        cls._arrays = tuple(name for name in cls.__annotations__ if name[0] != "_" and name not in cls._shared)

    @classmethod
    def _trusted(cls, **values: Any) -> Self:
        """Return one of fields, and of cached properties, that are known to be valid, without checking them."""
        made = object.__new__(cls)
        made.__dict__.update(values)
        return made

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading dimensions; ``()`` for a single one."""
        name, own = self._measured
        shape = getattr(self, name).shape
        return tuple(shape[: len(shape) - own])

    def _check_arrays(
        self, letters: Mapping[str, str], sizes: Mapping[str, int], complex_: tuple[str, ...] = ()
    ) -> ModuleType:
        """Turn lists into arrays, and return the array namespace of all; those that are None are left out.

        ValueError where the last dimensions of an array are not the sizes of its ``letters``, its batch dimensions not
        those of the others, its numbers not real or complex as they should be, or not finite.
        """
        arrays = {name: array for name in self._arrays if (array := getattr(self, name)) is not None}
        for name, array in arrays.items():
            dtype = complex if name in complex_ and not hasattr(array, "dtype") else None
            arrays[name] = plain_array(name, array, dtype)
            object.__setattr__(self, name, arrays[name])
        xp = namespace(*arrays.values())
        for name, array in arrays.items():
            batch = require_shape(name, array, tuple(sizes[letter] for letter in letters[name]), letters[name])
            if batch != self.batch_shape:
                measured = self._measured[0]
                raise ValueError(f"{name} must have the batch dimensions {self.batch_shape} of {measured}, got {batch}")
            kind = "complex" if name in complex_ else "real"
            if not xp.isdtype(array.dtype, f"{kind} floating"):
                raise ValueError(f"{name} must be {kind} floating point, got {array.dtype}")
            require_finite(name, array, xp)
        return xp

    def _fields(self) -> dict[str, Any]:
        """Return the fields by name, without cached properties, which belong to these arrays alone."""
        return {name: value for name, value in self.__dict__.items() if name in self.__dataclass_fields__}

    def _map(self, function: Callable[[Array], Array]) -> Self:
        """Return a copy with ``function`` applied to every array, without validating it again."""
        fields = self._fields()
        for name in self._arrays:
            value = getattr(self, name)
            if isinstance(value, dict):
                fields[name] = {key: function(item) for key, item in value.items()}
            elif isinstance(value, Batched):
                fields[name] = value._map(function)
            elif value is not None:
                fields[name] = function(value)
        return self._trusted(**fields)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields replaced, validated again."""
        return dataclasses.replace(self, **changes)

    def __len__(self) -> int:
        if not self.batch_shape:
            raise TypeError(f"a single {type(self).__name__} has no length; it is not a batch")
        return self.batch_shape[0]

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Self:
        """Index the batch dimensions: an integer, a slice, a tuple of them, or an index or mask array."""
        dims = len(self.batch_shape)
        wanted = len(index) if isinstance(index, tuple) else 1
        if wanted > dims:
            raise IndexError(f"{type(self).__name__} has {dims} batch dimensions, got the index {index!r}")
        return self._map(lambda array: array[index])

    def to(self, xp: Any, *, device: Any = None, dtype: Any = None) -> Self:
        """Return a copy on another array library, device or real precision.

        Parameters
        ----------
        xp
            The library's module, such as ``torch`` or ``numpy``.
        device
            For libraries that have devices, such as ``"cuda"``.
        dtype
            A real floating type of the library; complex arrays take the complex type of the same
            precision, and booleans stay.
        """
        target = array_api_compat.array_namespace(xp.empty(0))

        def convert(array: Array) -> Array:
            if array_api_compat.array_namespace(array) is not target:
                if array_api_compat.is_torch_array(array):
                    array = array.detach().cpu().numpy()
                array = target.asarray(np.array(array))
            if dtype is not None and not target.isdtype(array.dtype, "bool"):
                is_complex = target.isdtype(array.dtype, "complex floating")
                array = target.astype(array, target.result_type(dtype, target.complex64) if is_complex else dtype)
            return array if device is None else array_api_compat.to_device(array, device)

        return self._map(convert)

    @classmethod
    def stack(cls, items: Sequence[Self]) -> Self:
        """Return a batch with a new leading dimension; None where any of the items has None."""
        if not items:
            raise ValueError(f"{cls.__name__}.stack needs at least one {cls.__name__.lower()}, got none")
        fields = items[0]._fields()
        for name in cls._arrays:
            values = [getattr(item, name) for item in items]
            missing = any(value is None for value in values)
            fields[name] = None if missing else namespace(*values).stack(values)
        return cls._trusted(**fields)
