"""What the observation adds to a flow's estimate: the posterior of x ~ N(x_hat, C_t) given y.

    x_hat = D_t(w),   E[x | w, y] = x_hat + C_t A^T (A C_t A^T + sigma^2 I)^-1 (y - A x_hat)

C_t is the covariance of x given w: that of the prior's Gaussian, n^2 S (t^2 S + n^2 I)^-1 with n = (1 - t) s;
or nu^2 I with nu = n / sqrt(t^2 + (1 - t)^2). A draw is the same about a draw of x and of the noise
(Papandreou and Yuille, NIPS 2010). For the quantiser see `Quantize.condition` and `Degradation.tangent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.degradations.observed import Observed
from restora.errors import PairingError
from restora.priors.flow import SCALE, FlowPrior
from restora.random import randn

Covariance = Literal["prior", "isotropic"]


class Conditioner:
    """How the estimates of `prior` are corrected by observations y (B, ...) of `degradation`.

    runs: so many rows of the batch in a row are of one image. tolerance: part of y - A x_hat that the linear
    solve may leave unexplained. PairingError if the prior has no Gaussian to take a covariance from.
    """

    def __init__(
        self,
        prior: FlowPrior,
        degradation: Degradation,
        covariance: Covariance = "prior",
        tolerance: float = 1e-2,
        runs: int = 1,
    ):
        if covariance == "prior" and prior.wiener is None:
            raise PairingError(
                f"prior {prior.name!r} has no Gaussian to take a covariance from; use covariance=isotropic"
            )
        self.prior, self.degradation, self.covariance = prior, degradation, covariance
        self.tolerance, self.runs = tolerance, runs
        self._seen: Observed | None = None

    def mean(self, x_hat: Tensor, t: float, y: Tensor) -> Tensor:
        """E[x | y], (B, C, H, W), for x ~ N(x_hat, C_t)."""
        if self.covariance == "isotropic":
            return self.degradation.condition(x_hat, _isotropic(t), y)
        assert self.prior.wiener is not None
        C = self.prior.wiener.covariance(t)
        return self.degradation.lmmse(x_hat, C, y, self._observed(C.directions, len(y)), self.tolerance)

    def draw(self, x_hat: Tensor, t: float, y: Tensor, streams: Sequence[torch.Generator]) -> Tensor:
        """A draw of x given y, one stream an image; for linear degradations."""
        y = y - self.degradation.sigma * randn(y.shape, streams, like=y)
        if self.covariance == "isotropic":
            x_hat = x_hat + _isotropic(t) ** 0.5 * randn(x_hat.shape, streams, like=x_hat)
        else:
            assert self.prior.wiener is not None
            x_hat = x_hat + self.prior.wiener.covariance(t).draw(len(x_hat), streams)
        return self.mean(x_hat, t, y)

    def _observed(self, directions: Tensor, batch: int) -> Observed | None:
        """The prior's directions, looked at once; A of a degradation that is not linear changes with x."""
        if self._seen is None and self.degradation.linear:
            self._seen = Observed(self.degradation, directions, batch, self.runs)
        return self._seen


def _isotropic(t: float) -> float:
    """nu^2."""
    return ((1 - t) * SCALE) ** 2 / (t**2 + (1 - t) ** 2)
