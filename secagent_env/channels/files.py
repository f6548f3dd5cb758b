"""Arrays in files of others: ``.npz`` and ``.npy``, MATLAB's ``.mat`` (version 5 and 7.3), HDF5. Data, never code.

The format is told by the content. MATLAB's version 7.3 is HDF5 with reversed axes and complex numbers as pairs
(real, imag): what is returned has the axes that MATLAB shows, whichever version it was saved in.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from secagent_env.support.reading import open_arrays, short

MAX_OWN_BYTES = 1 << 33
"""Arrays that are larger in all are not read (8.6 GB)."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512


def read_array(path: str | Path, variable: str | None = None) -> np.ndarray:
    """Return an array of a file; where there are several, ``variable`` names it.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is of none of the formats, is broken, or has several arrays and none is named.
    ImportError
        If it is HDF5, and h5py is not installed.
    """
    arrays = read_arrays(path, None if variable is None else [variable])
    if variable is None and len(arrays) > 1:
        listed = ", ".join(f"{name} {array.shape}" for name, array in sorted(arrays.items()))
        raise ValueError(f"{path} holds several arrays, name one of them: {listed}")
    return next(iter(arrays.values()))


def read_arrays(path: str | Path, variables: list[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name, or those of ``variables``; the rest is as in :func:`read_array`."""
    with open(path, "rb") as file:
        start = file.read(_USER_BLOCK + len(_HDF5))
    try:
        arrays = _reader(start)(path, variables)
    except ImportError:
        raise
    except Exception as error:  # a damaged file can provoke any error in the decoders
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"cannot read arrays from {path}: {short(error, 400)}") from error
    if not arrays:
        raise ValueError(f"{path} holds no arrays of numbers")
    return arrays


def _reader(start: bytes) -> Any:
    if start.startswith(_HDF5):
        return _hdf5
    if start[_USER_BLOCK:].startswith(_HDF5):
        return _matlab_hdf5
    if start.startswith(b"MATLAB 5.0"):
        return _matlab
    if start.startswith(b"PK"):
        return _npz
    if start.startswith(b"\x93NUMPY"):
        return _npy
    raise ValueError("it is neither .npz nor .npy nor .mat nor HDF5")


def _npz(path: str | Path, variables: list[str] | None) -> dict[str, np.ndarray]:
    with open_arrays(path) as file:
        names = _wanted(variables, file.names)
        return {name: array for name, array in file.read_all(MAX_OWN_BYTES).items() if name in names}


def _npy(path: str | Path, variables: list[str] | None) -> dict[str, np.ndarray]:
    name = Path(path).stem
    _wanted(variables, [name])
    return {name: np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)}


def _matlab(path: str | Path, variables: list[str] | None) -> dict[str, np.ndarray]:
    import scipy.io as io

    numeric = {
        name: shape
        for name, shape, kind in io.whosmat(str(path))
        if kind.startswith(("double", "single", "int", "uint"))
    }
    names = _wanted(variables, numeric)
    _check_bytes(sum(16 * math.prod(numeric[name]) for name in names))
    loaded = io.loadmat(str(path), variable_names=list(names))
    return {name: np.asarray(loaded[name]) for name in names}


def _matlab_hdf5(path: str | Path, variables: list[str] | None) -> dict[str, np.ndarray]:
    return {name: array.T for name, array in _hdf5(path, variables).items()}


def _hdf5(path: str | Path, variables: list[str] | None) -> dict[str, np.ndarray]:
    h5py: Any = require("h5py", "channels")
    with h5py.File(path, "r") as file:
        found: dict[str, Any] = {}

        def visit(name: str, item: Any) -> None:  # no links are followed, in the file or out of it
            if isinstance(item, h5py.Dataset) and _is_numeric(item.dtype) and not name.startswith("#"):
                found[name] = item

        file.visititems(visit)
        names = _wanted(variables, found)
        for name in names:
            if found[name].external or found[name].is_virtual:
                raise ValueError(f"{name} lies in another file, which is not read")
        _check_bytes(sum(found[name].size * found[name].dtype.itemsize for name in names))
        return {name: _complex(found[name][()]) for name in names}


def _is_numeric(dtype: np.dtype) -> bool:
    return dtype.kind in "iufc" or (dtype.names is not None and set(dtype.names) == {"real", "imag"})


def _complex(array: Any) -> np.ndarray:
    """Return an array whose pairs (real, imag) are complex numbers."""
    array = np.asarray(array)
    if array.dtype.names is None:
        return array
    joined = np.empty(array.shape, np.result_type(array["real"].dtype, np.complex64))
    joined.real, joined.imag = array["real"], array["imag"]
    return joined


def _wanted(variables: list[str] | None, there: Any) -> list[str]:
    if variables is None:
        return sorted(there)
    return [check_name("array", name, there) for name in variables]


def _check_bytes(size: int) -> None:
    if size > MAX_OWN_BYTES:
        raise ValueError(f"its arrays have {size / 1e9:.3g} GB, and at most {MAX_OWN_BYTES / 1e9:.3g} GB are read")
