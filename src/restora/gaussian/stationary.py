"""Solving M = A C A^T + N for a stationary covariance C, with products in the cosine domain.

    M ~ P = T^T diag_k(G_k + N_k) T,   G: the spectrum of A x, as far as A keeps frequencies apart

P^-1 is the preconditioner of conjugate gradients: one iteration where A does (noise, colours, means of
blocks), a few where only borders mix frequencies.

A mask m mixes them all. But then x' = x + noise is seen exactly, and is stationary too, of covariance
C' = C + N. Its missing part x'_h, h = 1 - m, makes it as likely as can be, and then M^-1 r = C'^-1 x':

    h C'^-1 h x'_h = -h C'^-1 r,   C'^-1 ~ T^T diag_k(Q_k) T,   P = T^T diag_k(q Q_k + (1 - q) mean Q) T

C'^-1 has a short reach, as C has a long one, so that this system is the better one; q is the share of missing
pixels about a missing one. Source of the last form: T. Chan, "An optimal circulant preconditioner", 1988.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.gaussian.conjugate_gradient import conjugate_gradient
from restora.gaussian.cosine import dct, idct
from restora.gaussian.covariance import invert, mix

Function = Callable[[Tensor], Tensor]
LEAST = 1e-9  # of the strongest variance: what every frequency has at least
ROUNDING = 1000  # rounding errors: what each channel has by itself, of the strongest at its frequency
SHARE = 0.01  # of the tolerance, in the system of the missing pixels, whose residual tells less of the error


def inverse(spectrum: Tensor, noise: float | Tensor = 0.0) -> Function:
    """(T^T diag_k(G_k) T + noise I)^-1, G = `spectrum`, (..., C, C, H, W); `noise` broadcasts to it."""
    return _filter(invert(_raise(spectrum, noise)))


def solve_masked(
    mask: Tensor, spectrum: Tensor, noise: float | Tensor, r: Tensor, tolerance: float
) -> Tensor:
    """M^-1 r for A = diag(mask), C of this spectrum (..., C, C, H, W) and noise of variance `noise`.

    mask: (B or 1, 1, H, W). r: (B, C, H, W), 0 where the mask is. The part `tolerance` may be left.
    """
    precision = invert(_raise(spectrum, noise))
    missing, apply = 1 - mask.to(r), _filter(precision)
    if not missing.any():
        return apply(r)
    q = _crowding(missing).view(-1, 1, 1, 1, 1)
    mean = precision.mean((-2, -1), keepdim=True)
    nearly = _filter(invert(q * precision + (1 - q) * mean))
    found = conjugate_gradient(
        lambda v: missing * apply(v),
        -missing * apply(r),
        SHARE * tolerance,
        preconditioner=lambda r: missing * nearly(r),
    )
    return (1 - missing) * apply(r + found)


def _filter(matrices: Tensor) -> Function:
    return lambda v: idct(mix(matrices.to(v), dct(v)))


def _raise(spectrum: Tensor, noise: float | Tensor) -> Tensor:
    """spectrum + noise I, and a little, so that one can divide by frequencies without any variance, and by
    channels that are multiples of each other."""
    variances = spectrum.diagonal(dim1=-4, dim2=-3).movedim(-1, -3)
    strongest = variances.amax(-3, keepdim=True).unsqueeze(-3)
    least = LEAST * strongest.max() + ROUNDING * torch.finfo(spectrum.dtype).eps * strongest
    eye = torch.eye(spectrum.shape[-3]).to(spectrum)
    return spectrum + (noise + least) * eye[..., None, None]


def _crowding(missing: Tensor) -> Tensor:
    """Of the eight pixels about a missing one the share that is missing, on average: (B or 1,)."""
    around = (F.avg_pool2d(missing, 3, 1, 1, divisor_override=1) - missing) / 8
    return (missing * around).flatten(1).sum(1) / missing.flatten(1).sum(1).clamp(min=1)
