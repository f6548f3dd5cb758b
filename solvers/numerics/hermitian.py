"""An orthonormal basis of the Hermitian matrices."""

from __future__ import annotations

import numpy as np


def hermitian_basis(d: int) -> np.ndarray:
    """Return an orthonormal basis (d², d, d) of the Hermitian matrices over the reals."""
    basis = []
    for i in range(d):
        for j in range(i + 1):
            real = np.zeros((d, d), complex)
            real[i, j] = real[j, i] = 1.0 if i == j else np.sqrt(0.5)
            basis.append(real)
            if i != j:
                imaginary = np.zeros((d, d), complex)
                imaginary[i, j], imaginary[j, i] = 1j * np.sqrt(0.5), -1j * np.sqrt(0.5)
                basis.append(imaginary)
    return np.stack(basis)
