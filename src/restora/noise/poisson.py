"""Photon noise: each value counts photons, and is the noisier the brighter it is.

    y = P(k max(u, 0)) / k + sigma e,   P Poisson, k = `peak` photons for white
    c y = P(k/c max(c u, 0)) / (k/c) + c sigma e
    p(y | u) ~ N(y; u, s(u)),   s(u) = max(u, 0) / k + sigma^2   (Foi et al., IEEE TIP 2008)

E[u | y] for u ~ N(m, v) is integrated value by value: Gauss-Hermite nodes about the answer for s at the
present estimate, weighted by how far p(y | u) there is from what they were laid out for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from restora.errors import OptionError
from restora.noise.anscombe import Anscombe
from restora.noise.base import Noise, StandIn, Whitens
from restora.noise.gaussian import GaussianNoise
from restora.noise.quadrature import hermite
from restora.noise.truncated import unclipped
from restora.operators.arithmetic import as_tensor, per_image
from restora.operators.identity import Identity
from restora.options import option
from restora.random import Generators, poisson, randn

NODES = 12
LEAST = 1e-6  # variance of the noise where there is no light


@dataclass(eq=False)
class PoissonNoise(Noise):
    """Photon noise, plus Gaussian read-out noise with standard deviation `sigma`.

    Args:
        peak: a number, or a list or a tensor (B,), one per image.
        sigma: the same.
    """

    peak: float | Tensor = option(30.0, "photons counted for a white value", 1, 1e6)
    sigma: float | Tensor = option(0.0, "standard deviation of the read-out noise, full scale = 1", 0, 1)

    def __post_init__(self) -> None:
        for name in ("peak", "sigma"):
            if isinstance(given := getattr(self, name), list | np.ndarray):
                setattr(self, name, torch.as_tensor(given, dtype=torch.float32))
        super().__post_init__()
        for name, least in (("peak", LEAST), ("sigma", 0.0)):
            value = torch.as_tensor(getattr(self, name))
            if value.ndim > 1 or not bool((value >= least).all()):
                raise OptionError(
                    f"expected a number above 0, or a tensor of one per image, got {value.tolist()!r:.60}",
                    name,
                )

    @property
    def level(self) -> float:
        return float(torch.as_tensor(self.sigma).mean())

    @property
    def reach(self) -> float:
        return float(torch.as_tensor((1 / self.peak + self.sigma**2) ** 0.5).max())

    @property
    def steady(self) -> bool:
        return False

    @property
    def shared(self) -> bool:
        return all(torch.as_tensor(value).numel() == 1 for value in (self.peak, self.sigma))

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        peak, sigma = self._numbers(u)
        y = poisson(peak * u.clamp(min=0), generator) / peak
        return y + sigma * randn(y.shape, generator, like=y) if self.level > 0 else y

    def variance(self, u: Tensor) -> Tensor:
        """s(u), at least 1e-6."""
        peak, sigma = self._numbers(u)
        return (u.clamp(min=0) / peak + sigma**2).clamp(min=LEAST)

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
    def stabilizer(self) -> Anscombe | None:
        return Anscombe(float(self.peak), float(self.sigma)) if self.shared else None

    @property
    def whitens(self) -> Whitens:
        return "level"

    def white(self, y: Tensor) -> Tensor:
        """That of the mean brightness."""
        return self.variance(y.flatten(1).mean(1)).sqrt()

    @property
    def precedes(self) -> bool:
        return not isinstance(self.sigma, Tensor)

    def scaled(self, factors: Tensor) -> PoissonNoise:
        """The noise of c y, for the factors c (B,) of the images."""
        return PoissonNoise(as_tensor(self.peak, factors) / factors, as_tensor(self.sigma, factors) * factors)

    def take(self, index: Tensor) -> Noise:
        many = [name for name in self._tensors() if len(getattr(self, name)) > 1]
        chosen = {name: getattr(self, name)[index.to(getattr(self, name).device)] for name in many}
        return replace(self, **chosen) if chosen else self

    def unclipped(self, y: Tensor, u: Tensor) -> Tensor:
        """As of Gaussian noise; but no count is below 0, unless the read-out has noise."""
        low = -torch.inf if self.level > 0 else 0.0
        return unclipped(y, u, self.variance(u).sqrt(), low)

    def _numbers(self, u: Tensor) -> list[Tensor]:
        """`peak` and `sigma`, to broadcast with u (B, ...)."""
        return [per_image(as_tensor(value, u), u) for value in (self.peak, self.sigma)]

    def _moments(self, m: Tensor, v: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of x given y for x ~ N(m, v)."""
        centre = y
        for _ in range(3):
            s = self.variance(centre)
            centre = (v * y + s * m) / (v + s)
        width = (v * s / (v + s)).sqrt()
        nodes, log_weights = (torch.from_numpy(a).to(m) for a in hermite(NODES))
        m, v, y = m[..., None], v[..., None], y[..., None]
        x = centre[..., None] + width[..., None] * nodes
        s = self.variance(x)
        log = log_weights - (x - m).square() / (2 * v) - (y - x).square() / (2 * s) - s.log() / 2
        weight = torch.softmax(log, -1)
        mean = (weight * x).sum(-1)
        return mean, (weight * (x - mean[..., None]).square()).sum(-1)
