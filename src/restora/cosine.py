"""The orthonormal cosine transform (DCT-II) of rows and columns, for images with free borders.

    (T x)_k = sum_n c_k cos(pi k (n + 1/2) / N) x_n,   T T^T = I

Mirroring an image changes the sign of the odd columns among its coefficients, and nothing else.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


def cosines(size: int, like: Tensor) -> Tensor:
    """T as a matrix (size, size), with the dtype and device of `like`; not to be written to."""
    return _cosines(size, like.dtype, like.device)


@lru_cache(maxsize=16)
def _cosines(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    n = torch.arange(size, dtype=torch.float64)
    basis = torch.cos(math.pi * n.view(-1, 1) * (n + 0.5) / size) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis.to(device, dtype)


def dct(x: Tensor) -> Tensor:
    """Coefficients over rows and columns of x (..., H, W); same shape."""
    return cosines(x.shape[-2], x) @ x @ cosines(x.shape[-1], x).T


def idct(coefficients: Tensor) -> Tensor:
    """The inverse of `dct`, which is its transpose."""
    rows, columns = (cosines(size, coefficients) for size in coefficients.shape[-2:])
    return rows.T @ coefficients @ columns


def at_size(values: Tensor, height: int, width: int) -> Tensor:
    """A function of frequency that is known at those of an image, (..., H, W), at those of another size.

    The k-th of N frequencies is k / 2N cycles a pixel; between those that are known it is interpolated.
    """
    rows, columns = (
        torch.arange(new, device=values.device) * (old / new)
        for new, old in zip((height, width), values.shape[-2:], strict=True)
    )
    return _between(_between(values, rows).mT, columns).mT.contiguous()


def _between(values: Tensor, rows: Tensor) -> Tensor:
    """values (..., H, W) at fractional rows (N,), (..., N, W); beyond the last row, the last."""
    last = values.shape[-2] - 1
    low = rows.floor().long().clamp(max=last)
    share = (rows - low).clamp(0, 1).unsqueeze(-1).to(values)
    return values[..., low, :].lerp(values[..., (low + 1).clamp(max=last), :], share)
