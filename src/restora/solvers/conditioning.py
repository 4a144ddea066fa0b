"""What the observation adds to a flow's estimate: the posterior of x ~ N(x_hat, C_t) given y.

    x_hat = D_t(w),   E[x | w, y] = x_hat + C_t A^T (A C_t A^T + sigma^2 I)^-1 (y - A x_hat)

C_t is the covariance of x given w: that of the prior's Gaussian, n^2 S (t^2 S + n^2 I)^-1 with n = (1 - t) s;
or nu^2 I with nu = n / sqrt(t^2 + (1 - t)^2). A draw is the same about a draw of x and of the noise
(Papandreou and Yuille, NIPS 2010). For the quantiser see `Quantize.condition`, `Degradation.tangent` and, for
its draws, `Quantize.draw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import PairingError
from restora.gaussian.system import Observed
from restora.priors.flow import SCALE, FlowPrior

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
        """E[x | y] for x ~ N(x_hat, C_t), (B, C, H, W); where A is neither linear nor `linearised`, C_t
        counts as c_t^2 I."""
        if self.covariance == "isotropic" or not (self.degradation.linear or self.degradation.linearised):
            return self.degradation.condition(x_hat, self._variance(t), y)
        assert self.prior.wiener is not None
        C = self.prior.wiener.covariance(t)
        if self._seen is None:
            model = self.degradation.tangent(x_hat, y)[0]
            self._seen = Observed(model, C.directions, len(y), self.runs)
        return self.degradation.lmmse(x_hat, C, y, self._seen, self.tolerance)

    def draw(self, x_hat: Tensor, t: float, y: Tensor, streams: Sequence[torch.Generator]) -> Tensor:
        """A draw of x given y, one stream an image.

        Where A is not linear, what C_t has along its directions is drawn first, whatever y is, and its rest,
        taken for white, given y: were all of C_t white, draws would have no errors in common with their
        neighbours, which the next step would average away, and be too sure.
        """
        if self.covariance == "isotropic":
            return self.degradation.draw(x_hat, self._variance(t), y, streams)
        assert self.prior.wiener is not None
        C = self.prior.wiener.covariance(t)
        if not self.degradation.linear:
            x = x_hat + C.draw_along(len(x_hat), streams)
            return self.degradation.draw(x, C.rest_variance, y, streams)
        x = x_hat + C.draw(len(x_hat), streams)
        return self.mean(x, t, self.degradation.perturb(x, y, streams)[1])

    def _variance(self, t: float) -> float:
        """Of a value: c_t^2, or nu^2."""
        if self.covariance == "isotropic":
            return _isotropic(t)
        assert self.prior.wiener is not None
        return self.prior.wiener.error(t) ** 2


def _isotropic(t: float) -> float:
    """nu^2."""
    return ((1 - t) * SCALE) ** 2 / (t**2 + (1 - t) ** 2)
