"""The orthonormal cosine transform (DCT-II) of rows and columns, for images with free borders.

    (T x)_k = sum_n c_k cos(pi k (n + 1/2) / N) x_n,   T T^T = I

Mirroring an image changes the sign of the odd columns among its coefficients, and nothing else.

A short axis is multiplied by T; a long one is put in another order, v = (x_0, x_2, ..., x_3, x_1), whose
Fourier transform V has it: (T x)_k = Re(w_k V_k), w_k = c_k exp(-i pi k / 2N).
Source: Makhoul, "A fast cosine transform in one and two dimensions", IEEE Trans. ASSP 1980.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

LONG = 128  # an axis from which on the Fourier transform is faster


def cosines(size: int, like: Tensor) -> Tensor:
    """T as a matrix (size, size), with the dtype and device of `like`; not to be written to."""
    return _cosines(size, like.dtype, like.device)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept may be differentiated through later
def _cosines(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    n = torch.arange(size, dtype=torch.float64)
    basis = torch.cos(math.pi * n.view(-1, 1) * (n + 0.5) / size) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis.to(device, dtype)


def dct(x: Tensor) -> Tensor:
    """Coefficients over rows and columns of x (..., H, W); same shape."""
    return _columns(_forward, _forward(x))


def idct(coefficients: Tensor) -> Tensor:
    """The inverse of `dct`, which is its transpose."""
    return _backward(_columns(_backward, coefficients))


def _columns(transform: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return transform(x.mT.contiguous()).mT.contiguous()


def _forward(x: Tensor) -> Tensor:
    """T along the last axis."""
    size = x.shape[-1]
    if size < LONG or not x.numel():
        return x @ cosines(size, x).T
    order = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], -1)
    return (torch.fft.fft(order) * _turns(size, x.dtype, x.device)).real.contiguous()


def _backward(coefficients: Tensor) -> Tensor:
    """T^T along the last axis."""
    size = coefficients.shape[-1]
    if size < LONG or not coefficients.numel():
        return coefficients @ cosines(size, coefficients)
    turned = coefficients * _turns(size, coefficients.dtype, coefficients.device).conj()
    order = torch.fft.ifft(turned, norm="forward").real
    even, odd = order[..., : (size + 1) // 2], order[..., (size + 1) // 2 :].flip(-1)
    x = torch.empty_like(order, memory_format=torch.contiguous_format)
    x[..., ::2], x[..., 1::2] = even, odd
    return x


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _turns(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """w, (size,)."""
    k = torch.arange(size, dtype=torch.float64)
    turns = torch.polar(torch.full_like(k, math.sqrt(2 / size)), -math.pi * k / (2 * size))
    turns[0] /= math.sqrt(2)
    return turns.to(device, dtype.to_complex())


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
