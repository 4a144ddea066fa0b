"""Photon noise: each value counts photons, and is the noisier the brighter it is.

    y = P(k max(x, 0)) / k + sigma e,   P Poisson, k = `peak` photons for white;   A = I
    p(y | x) ~ N(y; x, s(x)),   s(x) = max(x, 0) / k + sigma^2   (Foi et al., IEEE TIP 2008)

E[x | y] for x ~ N(m, v) is integrated value by value: Gauss-Hermite nodes about the answer for s at the
present estimate, weighted by how far p(y | x) there is from what they were laid out for. The tangent at x is
y / s^(1/2) = x / s^(1/2) + e.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from restora.degradations.base import Degradation, Shape, as_tensor, option, uniform
from restora.degradations.identity import Identity
from restora.degradations.quadrature import hermite
from restora.degradations.truncated import unclipped
from restora.gaussian import stationary
from restora.gaussian.covariance import Covariance
from restora.random import Generators, poisson, randn

NODES = 12
LEAST = 1e-6  # variance of the noise where there is no light


@dataclass(eq=False)
class Poisson(Identity):
    """Photon noise, and Gaussian noise of standard deviation `sigma` from reading the sensor out."""

    linear: ClassVar[bool] = False

    peak: float = field(default=30.0, metadata=option("photons that a white value counts", 1, 1e6))

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Poisson:
        return cls(10 ** uniform(0.7, 3, generator), sigma=uniform(0, 0.05, generator))

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        y = poisson(self.peak * x.clamp(min=0), generator) / self.peak
        return y + self.sigma * randn(y.shape, generator, like=y) if self.sigma > 0 else y

    def noise(self, x: Tensor) -> Tensor:
        """s(x), the variance of y."""
        return (x.clamp(min=0) / self.peak + self.sigma**2).clamp(min=LEAST)

    def white_noise(self, y: Tensor) -> Tensor:
        """That of the mean brightness."""
        return self.noise(y.flatten(1).mean(1)).sqrt()

    def unclipped(self, y: Tensor, x: Tensor) -> Tensor:
        """As of `AdditiveNoise`; but no count is below 0, unless the read-out has noise."""
        low = -torch.inf if self.sigma > 0 else 0.0
        return unclipped(y, x, self.noise(x).sqrt(), low)

    def condition(self, x_hat: Tensor, variance: float | Tensor, y: Tensor) -> Tensor:
        """E[x | y] when x ~ N(x_hat, variance I), but for the normal form of p(y | x)."""
        variance = as_tensor(variance, x_hat).expand_as(x_hat)
        mean, _ = self._moments(x_hat, torch.where(variance > 0, variance, 1), y)
        return torch.where(variance > 0, mean, x_hat)

    def draw(
        self, x_hat: Tensor, variance: float | Tensor, y: Tensor, generator: Generators = None
    ) -> Tensor:
        """A draw of a normal variable with the posterior's mean and variance."""
        variance = as_tensor(variance, x_hat).expand_as(x_hat)
        mean, spread = self._moments(x_hat, torch.where(variance > 0, variance, 1), y)
        x = mean + spread.sqrt() * randn(x_hat.shape, generator, like=x_hat)
        return torch.where(variance > 0, x, x_hat)

    def _moments(self, m: Tensor, v: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of x given y for x ~ N(m, v)."""
        centre = y
        for _ in range(3):
            s = self.noise(centre)
            centre = (v * y + s * m) / (v + s)
        width = (v * s / (v + s)).sqrt()
        nodes, log_weights = (torch.from_numpy(a).to(m).view(-1, *[1] * m.ndim) for a in hermite(NODES))
        x = centre + width * nodes
        s = self.noise(x)
        log = log_weights - (x - m).square() / (2 * v) - (y - x).square() / (2 * s) - s.log() / 2
        weight = torch.softmax(log, 0)
        mean = (weight * x).sum(0)
        return mean, (weight * (x - mean).square()).sum(0)

    def tangent(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        gain = self.noise((x + y) / 2).rsqrt()
        return Scaled(gain, sigma=1.0), gain * y

    def model_variance(self, x: Tensor, y: Tensor) -> Tensor:
        return ((y - x).square() - self.noise(x)).flatten(1).mean(1).clamp(min=0)


@dataclass(eq=False)
class Scaled(Degradation):
    """Every value times a `gain` of its own, (B, C, H, W): A = A^T = diag(gain)."""

    gain: Tensor = field(repr=False)

    @property
    def gram(self) -> Tensor:
        return self.gain.square()

    def A(self, x: Tensor) -> Tensor:
        return self.gain * x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.gain * y

    def solve_stationary(self, C: Covariance, residual: Tensor, tolerance: float) -> Tensor:
        """A C A^T + sigma^2 I = A (C + N) A, the noise N taken for the same everywhere."""
        noise = self.sigma**2 * self.gram.reciprocal().mean((1, 2, 3)).view(-1, 1, 1, 1, 1)
        nearly = stationary.inverse(C.spectrum, noise)
        return stationary.solve(self, C, residual, tolerance, lambda v: nearly(v / self.gain) / self.gain)

    def take(self, index: Tensor) -> Scaled:
        return replace(self, gain=self.gain[index.to(self.gain.device)])
