"""Photon noise: each value counts photons, and is the noisier the brighter it is.

    y = P(k max(u, 0)) / k + sigma e,   P Poisson, k = `peak` photons for white
    p(y | u) ~ N(y; u, s(u)),   s(u) = max(u, 0) / k + sigma^2   (Foi et al., IEEE TIP 2008)

E[u | y] for u ~ N(m, v) is integrated value by value: Gauss-Hermite nodes about the answer for s at the
present estimate, weighted by how far p(y | u) there is from what they were laid out for.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from restora.noise.anscombe import Anscombe
from restora.noise.base import Noise, StandIn, Whitens
from restora.noise.gaussian import GaussianNoise
from restora.noise.quadrature import hermite
from restora.noise.truncated import unclipped
from restora.operators.arithmetic import as_tensor
from restora.operators.identity import Identity
from restora.options import option
from restora.random import Generators, poisson, randn

NODES = 12
LEAST = 1e-6  # variance of the noise where there is no light


@dataclass(eq=False)
class PoissonNoise(Noise):
    """Photon noise, plus Gaussian read-out noise with standard deviation `sigma`."""

    peak: float = option(30.0, "photons counted for a white value", 1, 1e6)
    sigma: float = option(0.0, "standard deviation of the read-out noise, full scale = 1", 0, 1)

    @property
    def level(self) -> float:
        return self.sigma

    @property
    def reach(self) -> float:
        return (1 / self.peak + self.sigma**2) ** 0.5

    @property
    def steady(self) -> bool:
        return False

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        y = poisson(self.peak * u.clamp(min=0), generator) / self.peak
        return y + self.sigma * randn(y.shape, generator, like=y) if self.sigma > 0 else y

    def variance(self, u: Tensor) -> Tensor:
        """s(u), at least 1e-6."""
        return (u.clamp(min=0) / self.peak + self.sigma**2).clamp(min=LEAST)

    def posterior(self, m: Tensor, v: float | Tensor, y: Tensor) -> Tensor:
        """Exact, but for the normal form of p(y | u)."""
        v = as_tensor(v, m).expand_as(m)
        mean, _ = self._moments(m, torch.where(v > 0, v, 1), y)
        return torch.where(v > 0, mean, m)

    def draw(self, m: Tensor, v: float | Tensor, y: Tensor, generator: Generators = None) -> Tensor:
        """A draw of a normal variable with the posterior's mean and variance."""
        v = as_tensor(v, m).expand_as(m)
        mean, spread = self._moments(m, torch.where(v > 0, v, 1), y)
        u = mean + spread.sqrt() * randn(m.shape, generator, like=m)
        return torch.where(v > 0, u, m)

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        """Gaussian noise of the variance that the mean of m and y would have."""
        return StandIn(Identity(), GaussianNoise(self.variance((m + y) / 2).sqrt()), y)

    @property
    def stabilizer(self) -> Anscombe:
        return Anscombe(self.peak, self.sigma)

    @property
    def whitens(self) -> Whitens:
        return "level"

    def white(self, y: Tensor) -> Tensor:
        """That of the mean brightness."""
        return self.variance(y.flatten(1).mean(1)).sqrt()

    @property
    def precedes(self) -> bool:
        return True

    def unclipped(self, y: Tensor, u: Tensor) -> Tensor:
        """As of Gaussian noise; but no count is below 0, unless the read-out has noise."""
        low = -torch.inf if self.sigma > 0 else 0.0
        return unclipped(y, u, self.variance(u).sqrt(), low)

    def _moments(self, m: Tensor, v: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of x given y for x ~ N(m, v)."""
        centre = y
        for _ in range(3):
            s = self.variance(centre)
            centre = (v * y + s * m) / (v + s)
        width = (v * s / (v + s)).sqrt()
        nodes, log_weights = (torch.from_numpy(a).to(m).view(-1, *[1] * m.ndim) for a in hermite(NODES))
        x = centre + width * nodes
        s = self.variance(x)
        log = log_weights - (x - m).square() / (2 * v) - (y - x).square() / (2 * s) - s.log() / 2
        weight = torch.softmax(log, 0)
        mean = (weight * x).sum(0)
        return mean, (weight * (x - mean).square()).sum(0)
