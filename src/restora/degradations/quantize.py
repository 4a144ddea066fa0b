"""Dequantisation: every value is known only to lie in the cell of its level.

    y = Q(x + sigma e),   Q(u) = round(u (L - 1)) / (L - 1) cut at 0 and 1
    cell(y) = [y - step/2, y + step/2] within [0, 1],   step = 1 / (L - 1)
    d(y, x) = sum max(0, |x - cell(y)|)^p,   E[x | y] = the mean of a Gaussian held to the cell

`sigma` is noise before the rounding (dither). An observation is first snapped to its nearest level, so that a
file whose levels are 64/255, 128/255, ... has the cells of 1/4, 1/2, ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from restora.degradations.base import Degradation, Shape, as_tensor, one_of, option, weighted_sum
from restora.degradations.noise import AdditiveNoise
from restora.degradations.truncated import truncated_draw, truncated_mean
from restora.random import Generators, randn


@dataclass(eq=False)
class Quantize(Degradation):
    """Nearest of `levels` equal steps in [0, 1], per channel. Not linear; A^T and A^dagger are I."""

    linear: ClassVar[bool] = False

    levels: int = field(default=5, metadata=option("number of levels a channel, from 0 to 1", 2, 65536))
    distance: Literal["cell", "identity"] = field(
        default="cell", metadata=option("misfit: distance to the level's cell, or to the level (Yeh et al.)")
    )

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Quantize:
        return cls(one_of(range(2, 17), generator))

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        return self.A(x + self.sigma * randn(x.shape, generator, like=x) if self.sigma > 0 else x)

    def A(self, x: Tensor) -> Tensor:
        """The nearest level; its gradient is 0, so optimise `fidelity` instead."""
        return self._index(x) / (self.levels - 1)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y

    def A_dagger(self, y: Tensor) -> Tensor:
        return y

    def cell(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The lowest and the highest value in [0, 1] that become the level nearest to y."""
        index, last = self._index(y), self.levels - 1
        return ((index - 0.5) / last).clamp(min=0), ((index + 0.5) / last).clamp(max=1)

    def fidelity(self, x: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """sum_i weight_i d_i^p, d the distance of x to the cell of y (or to y, if `identity`): (B,)."""
        return weighted_sum(x - self._nearest(x, y), p, weight)

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """argmin_x gamma/2 d(x, y)^2 + 1/2 |x - z|^2: part of the way from z to its cell."""
        return z + (self._nearest(z, y) - z) / (1 + 1 / as_tensor(gamma, z))

    def condition(self, x_hat: Tensor, variance: float | Tensor, y: Tensor) -> Tensor:
        """E[x | y] when x ~ N(x_hat, variance I), exactly.

        With u = x + sigma e of variance w = variance + sigma^2: x_hat + variance/w (E[u | cell] - x_hat).
        """
        variance, total = self._variances(x_hat, variance)
        mean = truncated_mean(x_hat, total.sqrt(), *self._bounds(y))
        # With sigma = 0 the mean itself, free of rounding, so that it stays within its cell.
        posterior = x_hat + variance / total * (mean - x_hat) if self.sigma > 0 else mean
        return torch.where(variance > 0, posterior, x_hat)

    def draw(
        self, x_hat: Tensor, variance: float | Tensor, y: Tensor, generator: Generators = None
    ) -> Tensor:
        """A draw of x given y when x ~ N(x_hat, variance I), exactly: one of u, and then of x given u."""
        variance, total = self._variances(x_hat, variance)
        u = truncated_draw(x_hat, total.sqrt(), *self._bounds(y), randn(x_hat.shape, generator, like=x_hat))
        if self.sigma > 0:
            left = (variance / total).sqrt() * self.sigma
            u = x_hat + variance / total * (u - x_hat) + left * randn(u.shape, generator, like=u)
        return torch.where(variance > 0, u, x_hat)

    def _variances(self, x_hat: Tensor, variance: float | Tensor) -> tuple[Tensor, Tensor]:
        """Of x, and of u = x + sigma e; 1 where x is known."""
        variance = as_tensor(variance, x_hat).expand_as(x_hat)
        return variance, torch.where(variance > 0, variance + self.sigma**2, 1)

    def _bounds(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Of u. x is held to [0, 1], but u is not, so with dither the two outer cells reach to infinity."""
        low, high = self.cell(y)
        if self.sigma == 0:
            return low, high
        return torch.where(low > 0, low, -torch.inf), torch.where(high < 1, high, torch.inf)

    def tangent(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        """The rounding taken for noise of variance step^2 / 12."""
        return AdditiveNoise((self.rounding_variance + self.sigma**2) ** 0.5), self.A(y)

    def fit(self, x: Tensor, y: Tensor) -> Tensor:
        """Held to the cells, unless there is dither."""
        return x if self.sigma > 0 else self._clip(x, y)

    @property
    def rounding_variance(self) -> float:
        """step^2 / 12: the variance of a uniform error of a cell's width."""
        return 1 / (12 * (self.levels - 1) ** 2)

    def model_variance(self, x: Tensor, y: Tensor) -> Tensor:
        """As in the base, the rounding counted as noise of variance step^2 / 12."""
        squares = (y - x).flatten(1).square().mean(1)
        return (squares - self.rounding_variance - self.sigma**2).clamp(min=0)

    def _index(self, x: Tensor) -> Tensor:
        return (x * (self.levels - 1)).round().clamp(0, self.levels - 1)

    def _nearest(self, x: Tensor, y: Tensor) -> Tensor:
        """The value closest to x that explains y."""
        return y if self.distance == "identity" else self._clip(x, y)

    def _clip(self, x: Tensor, y: Tensor) -> Tensor:
        low, high = self.cell(y)
        return torch.minimum(torch.maximum(x, low), high)
