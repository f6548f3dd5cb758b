"""Hermitian matrices: an orthonormal basis, whitening, and the barrier function −log det."""

from __future__ import annotations

import numpy as np
import scipy.linalg


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


def whitened(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return V (d, d) with V (I + Σ g gᴴ) Vᴴ = I, and the images V g (E, d), for vectors g (E, d) of any lengths.

    V Vᴴ is diagonal. From singular values: I + Σ g gᴴ itself would lose I beside vectors longer than 10⁸.
    """
    left, values, right = np.linalg.svd(vectors.T)
    size = np.zeros(len(left))
    size[: len(values)] = values
    images = np.zeros_like(vectors, dtype=complex)
    images[:, : len(values)] = right[: len(values)].T * (values / np.hypot(1.0, values))
    return left.conj().T / np.hypot(1.0, size)[:, None], images


def pivots(matrix: np.ndarray) -> np.ndarray | None:
    """Return positive numbers (d,) whose logarithms sum to log det of a matrix (d, d); None unless it is positive."""
    factor, failed = scipy.linalg.lapack.zpotrf(matrix, lower=True)
    return None if failed else np.diagonal(factor).real ** 2


def log_det_barrier(matrix: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gradient (d²,) and Hessian (d², d²) of −log det in the coordinates of a matrix (d, d) in the basis."""
    bent = np.linalg.inv(matrix) @ basis
    flat = bent.reshape(len(basis), -1)
    hessian = (flat @ bent.transpose(0, 2, 1).reshape(len(basis), -1).T).real
    return -np.einsum("idd->i", bent).real, hessian
