"""The orthonormal cosine transform (DCT-II) of rows and columns, for images with free borders.

    (T x)_k = sum_n c_k cos(pi k (n + 1/2) / N) x_n,   T T^T = I

Mirroring an image changes the sign of the odd columns among its coefficients, and nothing else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cosines(size: int, like: Tensor) -> Tensor:
    """T as a matrix (size, size), with the dtype and device of `like`."""
    n = torch.arange(size, dtype=torch.float64)
    basis = torch.cos(math.pi * n.view(-1, 1) * (n + 0.5) / size) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis.to(like)


def dct(x: Tensor) -> Tensor:
    """Coefficients over rows and columns of x (..., H, W); same shape."""
    return cosines(x.shape[-2], x) @ x @ cosines(x.shape[-1], x).T


def idct(coefficients: Tensor) -> Tensor:
    """The inverse of `dct`, which is its transpose."""
    return (
        cosines(coefficients.shape[-2], coefficients).T
        @ coefficients
        @ cosines(coefficients.shape[-1], coefficients)
    )
