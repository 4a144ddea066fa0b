"""What the observation adds to a flow's estimate: the posterior of x ~ N(x_hat, C_t) given y.

    x_hat = D_t(w),   E[x | w, y] = x_hat + C_t A^T (A C_t A^T + N)^-1 (y - A x_hat)

C_t is the covariance of x given w: that of the prior's Gaussian, n^2 S (t^2 S + n^2 I)^-1 with n = (1 - t) s;
or, of a prior without one, nu^2 I with nu = n / sqrt(t^2 + (1 - t)^2), that of x ~ N(1/2, s^2 I). What is not
linear or Gaussian is up to `Degradation.condition` and `draw`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from restora.degradations import Degradation, lmmse, system_of
from restora.errors import PairingError
from restora.gaussian.covariance import Covariance, Isotropic, LowRank
from restora.gaussian.system import System
from restora.priors.flow import FlowPrior
from restora.random import Generators, Stream, randn

Source = Literal["auto", "prior", "isotropic"]


GREY = 0.5  # the mean of images of which nothing is known
LEAST = 1e-3  # of the share that is told


class Conditioner:
    """How the estimates of `prior` are corrected by observations y (B, ...) of `degradation`.

    covariance: `auto` is the Gaussian's where there is one. runs: so many rows of the batch in a row are of
    one image. tolerance: part of y - A x_hat that the linear solve may leave unexplained. PairingError if a
    Gaussian is asked for, and the prior has none.
    """

    def __init__(
        self,
        prior: FlowPrior,
        degradation: Degradation,
        covariance: Source = "auto",
        tolerance: float = 1e-2,
        runs: int = 1,
    ):
        if covariance == "auto":
            covariance = "isotropic" if prior.wiener is None else "prior"
        if covariance == "prior" and prior.wiener is None:
            raise PairingError(
                f"prior {prior.name!r} has no Gaussian model, which covariance=prior needs; "
                "use covariance=isotropic"
            )
        self.prior, self.degradation, self.covariance = prior, degradation, covariance
        self.tolerance, self.runs = tolerance, runs
        self._system: System | None = None

    def apart(self, count: int) -> list[Conditioner]:
        """One for all images of a batch, if they share the linear problem, else one for each."""
        degradation = self.degradation
        if count == 1 or (self._steady and degradation.operator.shared and degradation.noise.shared):
            return [self]
        own = self.covariance, self.tolerance, self.runs
        rows = torch.arange(count).split(1)
        return [Conditioner(self.prior, degradation.take(row), *own) for row in rows]

    def start(self, y: Tensor) -> Tensor:
        """The linear estimate, (B, C, H, W): E[x | y] for x ~ N(mean, C_0)."""
        shape = len(y), *self.prior.image_shape
        mean = y.new_full(shape, GREY)
        if self.covariance == "prior" and self.prior.gaussian is not None:
            mean = self.prior.gaussian.mean.to(y).expand(shape)
        C = self._given(0.0)
        return lmmse(self.degradation, mean, C, y, tolerance=self.tolerance, system=self.system(mean, y))

    def told(self, x: Tensor, y: Tensor) -> float:
        """The share of the coefficients of an image that y tells: tr(K A) / n, with K the gain of the linear
        estimate, but at least LEAST; by a probe of random signs, on the first image."""
        probe = signs(x.shape[1:]).to(x)[None]
        held = self._gain(x, y, lambda system: system.operator(probe))
        return max(float((probe * held).mean().detach()), LEAST)

    def noise(self, x: Tensor, y: Tensor) -> float:
        """The standard deviation of noise in what y tells of the linear estimate: sqrt(tr(K N K^T) / (n q)),
        with q the share that is told; by the same probes."""
        drawn = self._gain(x, y, lambda system: system.noise.draw(y[:1], torch.Generator().manual_seed(0)))
        return float((drawn.square().mean() / self.told(x, y)).sqrt().detach())

    def _gain(self, x: Tensor, y: Tensor, observed: Callable[[System], Tensor]) -> Tensor:
        """K times what is `observed` of the first image."""
        x, y = x[:1], y[:1]
        system = self.system(x, y) or system_of(self.degradation.gaussian(x, y)[0], self.runs)
        return system.mean(self._given(0.0), torch.zeros_like(x), observed(system), self.tolerance)

    def mean(self, x_hat: Tensor, t: float, y: Tensor, weight: float = 1.0) -> Tensor:
        """E[x | y] for x ~ N(x_hat, weight C_t), (B, C, H, W)."""
        system = self.system(x_hat, y)
        C = scaled(self._given(t), weight)
        return self.degradation.condition(x_hat, C, y, tolerance=self.tolerance, system=system)

    def level(
        self, x: Tensor, t: float, y: Tensor, streams: Sequence[Stream], number: int, draws: int = 1
    ) -> Tensor:
        """The estimate after x: E[x | x_hat, y], x_hat the mean of D_t over draws of noise about t x and over
        their opposites. number: of the level, which says how the network sees x. streams: one per image."""
        streams = [stream for stream in streams for _ in range(draws)]
        centre = t * x.repeat_interleave(draws, 0)
        noise = (1 - t) * self.prior.scale * randn(centre.shape, streams, like=x)
        pair = self.prior.denoise(centre + noise, t, 2 * number)
        pair = pair + self.prior.denoise(centre - noise, t, 2 * number + 1)
        return self.mean(pair.unflatten(0, (len(x), draws)).mean(1) / 2, t, y)

    def draw(self, x_hat: Tensor, t: float, y: Tensor, streams: Generators) -> Tensor:
        """A draw of x given y, one stream an image."""
        system = self.system(x_hat, y)
        C = self._given(t)
        return self.degradation.draw(x_hat, C, y, streams, tolerance=self.tolerance, system=system)

    def _given(self, t: float) -> LowRank | Isotropic:
        """C_t, of the prior's Gaussian at t = 0 its own."""
        if self.covariance == "isotropic":
            return Isotropic(_isotropic(t, self.prior.scale))
        assert self.prior.wiener is not None
        assert self.prior.gaussian is not None
        return self.prior.wiener.covariance(t) if t else self.prior.gaussian.covariance

    def system(self, x_hat: Tensor, y: Tensor) -> System | None:
        """What A makes of the directions, where that is the same at every level."""
        if self._system is None and self._steady:
            self._system = system_of(self.degradation.gaussian(x_hat, y)[0], self.runs)
        return self._system

    @property
    def _steady(self) -> bool:
        """Whether the linear problem is the same about every image."""
        return self.degradation.operator.linear and self.degradation.noise.steady


def signs(shape: Sequence[int]) -> Tensor:
    """-1 or 1, at random, but always the same."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(0)).sign()


def scaled(C: LowRank | Isotropic, factor: float) -> Covariance:
    """factor C."""
    if factor == 1:
        return C
    if isinstance(C, Isotropic):
        return Isotropic(C.value * factor)
    return LowRank(C.spread * factor**0.5, C.directions, C.weights * factor)


def _isotropic(t: float, scale: float) -> float:
    """nu^2."""
    return ((1 - t) * scale) ** 2 / (t**2 + (1 - t) ** 2)
