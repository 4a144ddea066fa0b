"""Covariances of images, and of noise: operators on batches (B, ...).

    Isotropic    v I, one number or one per image
    Diagonal     diag(v), a variance for each value
    Stationary   R = T^T diag_k(L_k L_k^T) T
    LowRank      U^T diag(g) U + R: a few directions, and a stationary rest

T is the cosine transform of rows and columns, and L_k mixes the channels at frequency k, so that luma and
chroma have their own spectra and vary together. All are positive semi-definite by their form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from restora.gaussian.cosine import at_size, dct, idct
from restora.random import Generators, Window, randn


class Covariance:
    """A symmetric positive semi-definite operator."""

    def __call__(self, x: Tensor) -> Tensor:
        """C x of x (B, ...)."""
        raise NotImplementedError

    def draw(self, like: Tensor, generator: Generators = None) -> Tensor:
        """A draw from N(0, C) for each row of `like`, (B, ...)."""
        raise NotImplementedError

    @property
    def variance(self) -> float | Tensor:
        """The mean variance of a value; (B or 1,) where images differ."""
        raise NotImplementedError


@dataclass(frozen=True)
class Isotropic(Covariance):
    """v I. `value`: v, a number of at least 0, or (B,), one number an image."""

    value: float | Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return self.of(x) * x

    def draw(self, like: Tensor, generator: Generators = None) -> Tensor:
        return self.of(like).sqrt() * randn(like.shape, generator, like=like)

    def of(self, x: Tensor) -> Tensor:
        """v, shaped to broadcast with x (B, ...)."""
        value = torch.as_tensor(self.value, dtype=x.dtype, device=x.device)
        return value if value.ndim == 0 else value.view(-1, *[1] * (x.ndim - 1))

    @property
    def variance(self) -> float | Tensor:
        return self.value


@dataclass(frozen=True)
class Diagonal(Covariance):
    """diag(v). `values`: v, (B or 1, ...), positive; infinite where a value tells nothing."""

    values: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return self.of(x) * x

    def draw(self, like: Tensor, generator: Generators = None) -> Tensor:
        return self.of(like).sqrt() * randn(like.shape, generator, like=like)

    def of(self, x: Tensor) -> Tensor:
        """v, of the dtype and on the device of x."""
        return self.values.to(x)

    @property
    def variance(self) -> Tensor:
        finite = self.values.isfinite()
        total = torch.where(finite, self.values, 0).flatten(1).sum(1)
        return total / finite.flatten(1).sum(1).clamp(min=1)


@dataclass(frozen=True)
class Stationary(Covariance):
    """spread: L, (C, C, H, W), for one channel the standard deviations of the cosine coefficients; or
    (C, C, 1, 1), where it is the same at every frequency.

    Where L is symmetric at each frequency and smooth over them, a draw depends on the noise nearby alone.
    """

    spread: Tensor

    @cached_property
    def spectrum(self) -> Tensor:
        """L_k L_k^T, (C, C, H, W)."""
        # einsum strides its result as it likes; `mix` is up to five times slower on it.
        return torch.einsum("ikhw,jkhw->ijhw", self.spread, self.spread).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        return self.rest(x)

    def rest(self, x: Tensor) -> Tensor:
        """R x of x (B, C, H, W)."""
        return idct(mix(self.spectrum.to(x), dct(x)))

    def draw(self, like: Tensor, generator: Generators = None) -> Tensor:
        return self.draw_rest(like, generator)

    def draw_rest(self, like: Tensor, generator: Generators = None) -> Tensor:
        """A draw from N(0, R) for each row of `like`, (B, C, H, W)."""
        return idct(mix(self.spread, dct(randn(like.shape, generator, like=self.spread)))).to(like)

    def draw_along(self, like: Tensor, generator: Generators = None) -> Tensor:
        """A draw of what the directions hold, for each row of `like`: 0 where there are none."""
        return torch.zeros_like(like)

    @property
    def rank(self) -> int:
        """How many directions there are."""
        return 0

    @property
    def variance(self) -> float:
        return self.rest_variance

    @property
    def rest_variance(self) -> float:
        """The mean variance of a value under R."""
        return self.spread.square().sum().item() / self.spread[0].numel()

    def sized(self, window: Window) -> Stationary:
        """For images of another size: the spectrum at their frequencies."""
        if self.spread.shape[-2:] == (1, 1):
            return self
        return Stationary(at_size(self.spread, window.height, window.width))


@dataclass(frozen=True)
class LowRank(Stationary):
    """directions: U, (r, C, H, W), r may be 0. weights: g, (r,). All of one dtype and device."""

    directions: Tensor
    weights: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """C x of x (B, C, H, W): 2 r C H W multiplications an image, and two transforms."""
        if not self.rank:
            return self.rest(x)
        U = self.directions.flatten(1)
        return self.rest(x) + (self.weights * (x.flatten(1) @ U.T) @ U).view_as(x)

    def draw(self, like: Tensor, generator: Generators = None) -> Tensor:
        rest = self.draw_rest(like, generator)
        return rest + self.draw_along(like, generator)

    def draw_along(self, like: Tensor, generator: Generators = None) -> Tensor:
        if not self.rank:
            return torch.zeros_like(like)
        noise = randn((len(like), self.rank), generator, like=self.spread)
        return (noise * self.weights.sqrt() @ self.directions.flatten(1)).view_as(like)

    @property
    def rank(self) -> int:
        return len(self.weights)

    @property
    def variance(self) -> float:
        along = (self.weights * self.directions.flatten(1).square().sum(1)).sum().item()
        return self.rest_variance + along / self.spread[0].numel()


def as_covariance(value: Covariance | float | Tensor) -> Covariance:
    """A number, or a tensor with one per image, as a multiple of I; a covariance as it is."""
    if isinstance(value, Covariance):
        return value
    return Isotropic(value.flatten() if isinstance(value, Tensor) and value.ndim else value)


def root(spectrum: Tensor) -> Tensor:
    """The symmetric square root L_k of matrices (C, C, H, W), positive semi-definite at each position."""
    values, vectors = torch.linalg.eigh(spectrum.movedim((0, 1), (-2, -1)).double())
    found = (vectors * values.clamp(min=0).sqrt().unsqueeze(-2)) @ vectors.mT
    return found.movedim((-2, -1), (0, 1)).to(spectrum).contiguous()


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
