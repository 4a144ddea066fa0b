"""Rounding: every value is known only to lie in the cell of its level.

    y = Q(u + sigma e),   Q(u) = round(u (L - 1)) / (L - 1) cut at 0 and 1
    cell(y) = [y - step/2, y + step/2] within [0, 1],   step = 1 / (L - 1)
    d(y, u) = sum max(0, |u - cell(y)|)^p,   E[u | y] = the mean of a Gaussian held to the cell

`sigma` is noise before the rounding (dither). An observation is first snapped to its nearest level, so that a
file whose levels are 64/255, 128/255, ... has the cells of 1/4, 1/2, ...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from restora.noise.base import Noise, StandIn, weighted_sum
from restora.noise.gaussian import GaussianNoise
from restora.noise.truncated import truncated_draw, truncated_mean
from restora.operators.arithmetic import as_tensor
from restora.operators.identity import Identity
from restora.options import option
from restora.random import Generators, randn

Distance = Literal["cell", "identity"]

LEAST = 1 / 255 / 12**0.5
"""The standard deviation of the noise that rounding to 8 bits leaves."""


@dataclass(eq=False)
class Rounding(Noise):
    """Rounding to the nearest of `levels` equal steps in [0, 1], per channel."""

    levels: int = option(5, "levels per channel, evenly spaced from 0 to 1", 2, 65536)
    distance: Distance = option(
        "cell", "misfit: distance to the cell of the level, or to the level (Yeh et al.)"
    )
    sigma: float = option(0.0, "standard deviation of the Gaussian noise before the rounding", 0, 1)

    @property
    def quadratic(self) -> bool:
        return False

    @property
    def level(self) -> float:
        return self.sigma

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        return self.snap(u + self.sigma * randn(u.shape, generator, like=u) if self.sigma > 0 else u)

    def snap(self, u: Tensor) -> Tensor:
        """The nearest level."""
        return self._index(u) / (self.levels - 1)

    def cell(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The lowest and the highest value in [0, 1] that become the level nearest to y."""
        index, last = self._index(y), self.levels - 1
        return ((index - 0.5) / last).clamp(min=0), ((index + 0.5) / last).clamp(max=1)

    def fidelity(self, u: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """sum_i weight_i d_i^p, d the distance of u to the cell of y (or to y, if `identity`): (B,)."""
        return weighted_sum(u - self._nearest(u, y), p, weight)

    def prox(self, u: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """Part of the way from u to its cell."""
        return u + (self._nearest(u, y) - u) / (1 + 1 / as_tensor(gamma, u))

    def posterior(self, m: Tensor, v: float | Tensor, y: Tensor) -> Tensor:
        """Exact. With w = u + sigma e of variance v + sigma^2: m + v / (v + sigma^2) (E[w | cell] - m)."""
        v, total = self._variances(m, v)
        mean = truncated_mean(m, total.sqrt(), *self._bounds(y))
        # With sigma = 0 the mean itself, free of rounding, so that it stays within its cell.
        found = m + v / total * (mean - m) if self.sigma > 0 else mean
        return torch.where(v > 0, found, m)

    def draw(self, m: Tensor, v: float | Tensor, y: Tensor, generator: Generators = None) -> Tensor:
        """Exact: a draw of w, and then of u given w."""
        v, total = self._variances(m, v)
        w = truncated_draw(m, total.sqrt(), *self._bounds(y), randn(m.shape, generator, like=m))
        if self.sigma > 0:
            left = (v / total).sqrt() * self.sigma
            w = m + v / total * (w - m) + left * randn(w.shape, generator, like=w)
        return torch.where(v > 0, w, m)

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        """The rounding taken for noise of variance step^2 / 12."""
        return StandIn(Identity(), GaussianNoise((self.rounding + self.sigma**2) ** 0.5), self.snap(y))

    def project(self, u: Tensor, y: Tensor) -> Tensor:
        """Held to the cells, unless there is dither."""
        return u if self.sigma > 0 else self._clip(u, y)

    @property
    def follows(self) -> bool:
        return True

    @property
    def rounding(self) -> float:
        """step^2 / 12: the variance of a uniform error of a cell's width."""
        return 1 / (12 * (self.levels - 1) ** 2)

    def _variances(self, m: Tensor, v: float | Tensor) -> tuple[Tensor, Tensor]:
        """Of u, and of w = u + sigma e; 1 where u is known."""
        v = as_tensor(v, m).expand_as(m)
        return v, torch.where(v > 0, v + self.sigma**2, 1)

    def _bounds(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Of w. u is held to [0, 1], but w is not, so with dither the two outer cells reach to infinity."""
        low, high = self.cell(y)
        if self.sigma == 0:
            return low, high
        return torch.where(low > 0, low, -torch.inf), torch.where(high < 1, high, torch.inf)

    def _index(self, u: Tensor) -> Tensor:
        return (u * (self.levels - 1)).round().clamp(0, self.levels - 1)

    def _nearest(self, u: Tensor, y: Tensor) -> Tensor:
        """The value closest to u that explains y."""
        return y if self.distance == "identity" else self._clip(u, y)

    def _clip(self, u: Tensor, y: Tensor) -> Tensor:
        low, high = self.cell(y)
        return torch.minimum(torch.maximum(u, low), high)
