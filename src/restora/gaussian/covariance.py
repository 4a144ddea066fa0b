"""The covariance of images as a few directions and a stationary rest, an operator on (B, C, H, W).

    C = U^T diag(g) U + R,   R = T^T diag_k(L_k L_k^T) T

U has r rows, the directions; T is the cosine transform of rows and columns, and L_k mixes the channels at
frequency k: the rest, which no few directions describe, is a smooth field in which luma and chroma have their
own spectra and vary together. Both parts are positive semi-definite by their form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from restora.gaussian.cosine import dct, idct
from restora.random import Generators, randn


@dataclass(frozen=True)
class Covariance:
    """directions: U, (r, C, H, W), r may be 0. weights: g, (r,). spread: L, (C, C, H, W), for one channel the
    standard deviations of the cosine coefficients. All of one dtype and device.

    Where L is symmetric at each frequency and smooth over them, a draw depends on the noise nearby alone.
    """

    directions: Tensor
    weights: Tensor
    spread: Tensor

    @cached_property
    def spectrum(self) -> Tensor:
        """L_k L_k^T, (C, C, H, W)."""
        # einsum strides its result as it likes; `mix` is up to five times slower on it.
        return torch.einsum("ikhw,jkhw->ijhw", self.spread, self.spread).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """C x of x (B, C, H, W); 2 r C H W multiplications an image, and two transforms."""
        U = self.directions.flatten(1)
        return self.rest(x) + (self.weights * (x.flatten(1) @ U.T) @ U).view_as(x)

    def rest(self, x: Tensor) -> Tensor:
        """R x of x (B, C, H, W)."""
        return idct(mix(self.spectrum, dct(x)))

    def draw(self, n: int, generator: Generators = None) -> Tensor:
        """n draws from N(0, C), (n, C, H, W)."""
        noise = randn((n, *self.spread.shape[1:]), generator, like=self.spread)
        return idct(mix(self.spread, dct(noise))) + self.draw_along(n, generator)

    def draw_along(self, n: int, generator: Generators = None) -> Tensor:
        """n draws from N(0, U^T diag(g) U), what the directions hold, (n, C, H, W)."""
        if not len(self.weights):
            return self.spread.new_zeros(n, *self.spread.shape[1:])
        noise = randn((n, len(self.weights)), generator, like=self.spread)
        weighted = noise * self.weights.sqrt() @ self.directions.flatten(1)
        return weighted.view(-1, *self.spread.shape[1:])

    @property
    def rest_variance(self) -> float:
        """Of a value, on average, what R holds."""
        return self.spread.square().sum().item() / self.spread[0].numel()


def mix(matrices: Tensor, x: Tensor) -> Tensor:
    """M_k x_k, for matrices M (C, C, H, W), or (B, C, C, H, W), one for the channels at each position k, and
    x (B, C, H, W)."""
    return torch.stack([(rows * x).sum(1) for rows in matrices.movedim(-4, 0)], 1)


def invert(matrices: Tensor) -> Tensor:
    """M_k^-1 for matrices (..., C, C, H, W), symmetric and positive, by sweeping out each channel in turn."""
    swept = matrices
    for i in range(matrices.shape[-4]):
        row, column = swept[..., i : i + 1, :, :, :], swept[..., :, i : i + 1, :, :]
        scaled, pivot = row / row[..., i : i + 1, :, :], 1 / row[..., i, :, :]
        swept = swept - column * scaled
        swept[..., i, :, :, :] = scaled[..., 0, :, :, :]
        swept[..., :, i, :, :] = scaled[..., 0, :, :, :]
        swept[..., i, i, :, :] = -pivot[..., 0, :, :]
    return -swept
