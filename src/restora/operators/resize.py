"""Reduction of one axis by a whole factor s, as a matrix: each new pixel a mean with the weights of a kernel.

    box        the s pixels that it covers
    bicubic    the cubic of Keys (1981) with a = -1/2, stretched by s against aliases, as Pillow has it
    gaussian   of standard deviation 0.4 s pixels: 1.6 for s = 4

The kernel is cut at the border, and the weights sum to 1 again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Literal

import torch
from torch import Tensor

from restora.gaussian.cosine import cosines

Kernel = Literal["box", "bicubic", "gaussian"]
WIDTH = 0.4  # of the gaussian, in new pixels


def _box(d: Tensor) -> Tensor:
    return (d.abs() < 0.5).to(d)


def _cubic(d: Tensor) -> Tensor:
    d = d.abs()
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.where(d < 1, near, torch.where(d < 2, far, 0))


def _gaussian(d: Tensor) -> Tensor:
    return torch.exp(-(d**2) / (2 * WIDTH**2))


KERNELS: dict[str, Callable[[Tensor], Tensor]] = {"box": _box, "bicubic": _cubic, "gaussian": _gaussian}


@cache
@torch.inference_mode(False)
def reduction(size: int, scale: int, kernel: Kernel) -> Tensor:
    """(size / scale, size), float64."""
    new, old = torch.arange(size // scale).double(), torch.arange(size).double()
    distance = (old + 0.5) / scale - (new.view(-1, 1) + 0.5)
    weights = KERNELS[kernel](distance)
    return weights / weights.sum(1, keepdim=True)


@cache
@torch.inference_mode(False)
def eigen(size: int, scale: int, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Eigenvalues (n,) and eigenvectors (n, n) of R R^T, R the reduction, n = size / scale."""
    R = reduction(size, scale, kernel)
    values, vectors = torch.linalg.eigh(R @ R.T)
    return values.clamp(min=0), vectors


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def gains(size: int, scale: int, kernel: Kernel) -> Tensor:
    """(T R T^T)^2, entry by entry, (n, size): what power each frequency of old gives to each of new."""
    if scale == 1 and kernel == "box":
        return torch.eye(size, dtype=torch.float64)
    R = reduction(size, scale, kernel)
    return (cosines(len(R), R) @ R @ cosines(size, R).T).square()
