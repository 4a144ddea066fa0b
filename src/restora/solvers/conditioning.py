"""What the observation adds to a flow's estimate: the posterior of x ~ N(x_hat, C_t) given y.

    x_hat = D_t(w),   E[x | w, y] = x_hat + C_t A^T (A C_t A^T + sigma^2 I)^-1 (y - A x_hat)

C_t is the covariance of x given w: that of the prior's Gaussian, n^2 S (t^2 S + n^2 I)^-1 with n = (1 - t) s;
or nu^2 I with nu = n / sqrt(t^2 + (1 - t)^2). A draw is the same about a draw of x and of the noise
(Papandreou and Yuille, NIPS 2010). For the quantiser see `Quantize.condition`, `Degradation.tangent` and, for
its draws, `Quantize.draw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import PairingError
from restora.priors.flow import SCALE, FlowPrior

Covariance = Literal["prior", "isotropic"]


@dataclass(frozen=True)
class Conditioner:
    """How the estimates of `prior` are corrected by observations y (B, ...) of `degradation`."""

    prior: FlowPrior
    degradation: Degradation
    covariance: Covariance
    tolerance: float = 1e-2

    def __post_init__(self) -> None:
        if self.covariance == "prior" and self.prior.wiener is None:
            name = self.prior.name
            raise PairingError(
                f"prior {name!r} has no Gaussian to take a covariance from; use covariance=isotropic"
            )

    def mean(self, x_hat: Tensor, t: float, y: Tensor) -> Tensor:
        """E[x | y], (B, C, H, W), for x ~ N(x_hat, C_t)."""
        if self.covariance == "isotropic":
            return self.degradation.condition(x_hat, _isotropic(t), y)
        assert self.prior.wiener is not None
        C = self.prior.wiener.covariance(x_hat.new_tensor([t]))
        return self.degradation.lmmse(x_hat, C, y, C.factors(self.prior.image_shape), self.tolerance)

    def draw(self, x_hat: Tensor, t: float, y: Tensor, streams: Sequence[torch.Generator]) -> Tensor:
        """A draw of x given y, one stream an image; where A is not linear, with C_t taken for c_t^2 I."""
        if self.covariance == "isotropic" or not self.degradation.linear:
            return self.degradation.draw(x_hat, self._variance(t), y, streams)
        assert self.prior.wiener is not None
        x = x_hat + self.prior.wiener.covariance(x_hat.new_tensor([t])).draw(streams, x_hat)
        return self.mean(x, t, self.degradation.perturb(x, y, streams)[1])

    def _variance(self, t: float) -> float:
        """Of a value: c_t^2, or nu^2."""
        if self.covariance == "isotropic":
            return _isotropic(t)
        assert self.prior.wiener is not None
        return self.prior.wiener.error(torch.tensor([t]).to(self.prior.wiener.mean)).item() ** 2


def _isotropic(t: float) -> float:
    """nu^2."""
    return ((1 - t) * SCALE) ** 2 / (t**2 + (1 - t) ** 2)
