"""Gaussian noise: y = u + e,  e ~ N(0, N).

N is one variance, one per image, one a value (a map), a covariance of the channels, or a spectrum: the
covariance of the channels at each frequency of the cosine transform.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from restora.errors import OptionError, ShapeError
from restora.gaussian.covariance import Covariance, Diagonal, Isotropic, Stationary, root
from restora.noise.base import Noise, StandIn, Whitens
from restora.noise.level import estimate_noise
from restora.noise.truncated import unclipped
from restora.operators.arithmetic import as_tensor
from restora.operators.identity import Identity
from restora.options import option
from restora.random import Generators, Window, randn

Sigma = float | Literal["auto"]
LEAST = 1e-6  # of standard deviations that have to be positive
RANGE = 1e-3  # of the largest variance: where others end, above 0 and below it, so that float32 can tell them


@dataclass(eq=False)
class GaussianNoise(Noise):
    """Gaussian noise with standard deviation `sigma`, or with a `covariance`.

    Args:
        sigma: a number; "auto" to estimate it from each observation; a list or a tensor (B,), one per image;
            or a map with the shape of y, (B or 1, ...), infinite where a value of y carries no information.
        covariance: (C, C) of the channels, or a spectrum (C, C, H, W): the covariance of the channels at each
            frequency of the cosine transform of y. It replaces sigma.
    """

    sigma: Sigma | Tensor = option(0.0, "standard deviation of the added Gaussian noise, full scale = 1", 0)
    covariance: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        given: object = self.sigma
        if isinstance(given, list | tuple) or (isinstance(given, np.ndarray) and given.ndim):
            self.sigma = torch.as_tensor(_numbers(given), dtype=torch.float32)
        if isinstance(self.sigma, Tensor) and self.sigma.ndim and not bool((self.sigma >= 0).all()):
            raise OptionError("sigma: expected standard deviations of at least 0, got negative ones or NaN")
        if isinstance(self.covariance, Tensor) and self.covariance.ndim not in (2, 4):
            shape = tuple(self.covariance.shape)
            raise ShapeError(f"covariance: expected (C, C) or (C, C, H, W), got {shape}")
        self._stationary: Stationary | None = None
        super().__post_init__()

    @property
    def level(self) -> float:
        if self.blind:
            return 0.0
        if isinstance(self.sigma, float) and self.covariance is None:
            return self.sigma
        return float(torch.as_tensor(self.N.variance).mean().sqrt())

    @property
    def reach(self) -> float:
        if isinstance(self.sigma, Tensor) and self.covariance is None:
            return float(self.sigma.max())
        return self.level

    @property
    def linear(self) -> bool:
        return not self.blind

    @property
    def blind(self) -> bool:
        return isinstance(self.sigma, str)

    @property
    def shared(self) -> bool:
        return not isinstance(self.sigma, Tensor) or len(self.sigma) == 1

    @property
    def N(self) -> Covariance:
        """The covariance of the noise, an operator on observations."""
        if self.covariance is not None:
            if self._stationary is None or self._stationary.spread.device != self.covariance.device:
                self._stationary = Stationary(root(self._spectrum))
            return self._stationary
        if isinstance(self.sigma, Tensor):
            many = self.sigma.ndim > 1
            return Diagonal(self.sigma.clamp(min=LEAST).square()) if many else Isotropic(self.sigma.square())
        if isinstance(self.sigma, str):
            raise OptionError(
                "sigma: 'auto' is estimated from an observation; expected a number to simulate noise"
            )
        return Isotropic(self.sigma**2)

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        if self.covariance is None and not isinstance(self.sigma, Tensor) and self.sigma == 0:
            return u
        return u + self.N.draw(u, generator)

    def posterior(self, m: Tensor, v: float | Tensor, y: Tensor) -> Tensor:
        v = as_tensor(v, m)
        return m + (v / (v + self._variances(m))).nan_to_num(0.0) * (y - m)

    def draw(self, m: Tensor, v: float | Tensor, y: Tensor, generator: Generators = None) -> Tensor:
        v, noise = as_tensor(v, m), self._variances(m)
        left = (v * (1 - v / (v + noise))).nan_to_num(0.0).sqrt()
        return self.posterior(m, v, y) + left * randn(m.shape, generator, like=m)

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        return StandIn(Identity(), self, y)

    @property
    def whitens(self) -> Whitens:
        if self.covariance is not None or not isinstance(self.sigma, Tensor) or self.sigma.ndim < 2:
            return "level"
        return "map" if self.sigma.ndim == 4 and bool(self.sigma.isfinite().all()) else "no"

    def white(self, y: Tensor) -> Tensor | None:
        """A map as it is; of a covariance or a spectrum the largest deviation: there is no more than that."""
        if self.covariance is None and isinstance(self.sigma, Tensor) and self.sigma.ndim > 1:
            usable = y.ndim == 4 and self.whitens == "map"
            return self.sigma.to(y).expand(len(y), -1, -1, -1) if usable else None
        if self.covariance is None:
            return as_tensor(self.sigma, y).expand(len(y))  # type: ignore[arg-type]
        return torch.linalg.eigvalsh(self._matrices).max().sqrt().to(y).expand(len(y))

    @property
    def beyond(self) -> GaussianNoise | None:
        """N' with N^-1 = N'^-1 + I / sigma^2, for the largest deviation sigma."""
        if self.covariance is None:
            return None
        values, vectors = torch.linalg.eigh(self._matrices)
        largest = values.max()
        if bool((values >= (1 - RANGE) * largest).all()):
            return None
        values = values.clamp(RANGE * largest, (1 - RANGE) * largest)
        left = vectors @ torch.diag_embed(1 / (1 / values - 1 / largest)) @ vectors.mT
        return GaussianNoise(covariance=left.movedim((-2, -1), (0, 1)).to(self.covariance))

    @property
    def _spectrum(self) -> Tensor:
        """The covariance as (C, C, H, W); H = W = 1 where it is the same at every frequency."""
        assert self.covariance is not None
        return self.covariance if self.covariance.ndim == 4 else self.covariance[..., None, None]

    @property
    def _matrices(self) -> Tensor:
        """(H, W, C, C) in float64."""
        return self._spectrum.movedim((0, 1), (-2, -1)).double()

    def unclipped(self, y: Tensor, u: Tensor) -> Tensor:
        """E[u + e | u + e < 0], or > 1, where y is 0 or 1, in images that are nowhere beyond."""
        sigma = self.white(y)
        if self.covariance is not None or sigma is None or not bool((sigma > 0).all()):
            return y
        return unclipped(y, u, sigma if sigma.ndim > 1 else sigma.view(-1, *[1] * (y.ndim - 1)))

    def given(self, y: Tensor) -> tuple[Noise, Tensor | None]:
        """As `estimate_noise` finds it, where it is "auto"; of several images the levels alone."""
        if not self.blind:
            return self, None
        found = estimate_noise(y)
        if len(found) == 1 and found[0].map is not None:
            return GaussianNoise(found[0].map[None].to(y)), None
        if len(found) == 1 and found[0].covariance is not None:
            return GaussianNoise(covariance=found[0].covariance.to(y)), None
        return GaussianNoise(torch.stack([estimate.sigma for estimate in found]).to(y).clamp(max=1)), None

    @property
    def follows(self) -> bool:
        return self.covariance is None and isinstance(self.sigma, float)

    @property
    def precedes(self) -> bool:
        return self.follows

    def scaled(self, factors: Tensor) -> GaussianNoise | None:
        """The noise of c y, for the factors c (B,) of the images; None where it has no such form."""
        if isinstance(self.sigma, str) or (self.covariance is not None and len(factors) > 1):
            return None
        if self.covariance is not None:
            return replace(self, covariance=self.covariance * factors.item() ** 2)
        if not isinstance(self.sigma, Tensor) and (len(factors) == 1 or self.sigma == 0):
            return replace(self, sigma=self.sigma * factors[0].item())
        sigma = as_tensor(self.sigma, factors)
        return replace(self, sigma=sigma * factors.view(-1, *[1] * (sigma.ndim - 1)))

    def take(self, index: Tensor) -> Noise:
        if self.shared:
            return self
        assert isinstance(self.sigma, Tensor)
        return replace(self, sigma=self.sigma[index.to(self.sigma.device)])

    def window(self, window: Window, size: tuple[int, int]) -> Noise:
        if self.covariance is not None and self.covariance.ndim == 4:
            found = Stationary(root(self.covariance)).sized(window)
            return replace(self, covariance=found.spectrum)
        if isinstance(self.sigma, Tensor) and self.sigma.ndim > 1 and tuple(self.sigma.shape[-2:]) == size:
            return replace(self, sigma=window.of(self.sigma))
        return self

    def wider(self, deviation: float) -> GaussianNoise:
        """This noise, and white noise of such a deviation."""
        if self.covariance is not None:
            eye = torch.eye(len(self.covariance)).to(self.covariance)
            white = deviation**2 * (eye[..., None, None] if self.covariance.ndim == 4 else eye)
            return GaussianNoise(covariance=self.covariance + white)
        assert not isinstance(self.sigma, str)
        return GaussianNoise((self.sigma**2 + deviation**2) ** 0.5)

    def _variances(self, like: Tensor) -> Tensor:
        """Of each value, whatever ties them."""
        N = self.N
        if isinstance(N, Stationary):
            values = N.spectrum.diagonal(dim1=0, dim2=1).mean((0, 1))
            return as_tensor(values, like).view(-1, 1, 1)
        assert isinstance(N, Diagonal | Isotropic)
        return N.of(like)


def _numbers(given: object) -> np.ndarray:
    """A list or an array of standard deviations. OptionError where it holds anything else."""
    try:
        return np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        raise OptionError(
            f"expected a number, 'auto', or one number per image; got {given!r}", "sigma"
        ) from None
