"""The linear estimate of one task as one matrix, for as many observations as training needs.

    L(y) = project(mean + K (y - A mean)),   K = C A^T (A C A^T + sigma^2 I)^-1

The same estimate as `Degradation.lmmse`, which solves a system for every batch; one with the same A for all
its images can be solved once. K is m x d for observations of m values, at 64x64 up to 600 MB, and four times
that for a while. A hole's values, and whatever else is not observed, make the system singular: JITTER of its
mean variance is added.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restora.degradations import Degradation, whitened
from restora.priors.gaussian import GaussianPrior

JITTER = 1e-6
PART = 256


class GainMatrix:
    """L of observations y (B, ...), for a degradation that is the same for all images."""

    @torch.no_grad()
    def __init__(self, gaussian: GaussianPrior, degradation: Degradation):
        self.mean, self.degradation = gaussian.mean, degradation
        shape = degradation.operator.observed_shape(gaussian.image_shape)
        model, y = self._model(self.mean[None], self.mean.new_zeros(1, *shape))
        shape = tuple(y.shape[1:])
        covariance, m, d = gaussian.covariance, math.prod(shape), self.mean.numel()
        across, system = self.mean.new_empty(m, d), self.mean.new_empty(m, m)
        for rows in torch.arange(m, device=self.mean.device).split(PART):
            units = torch.nn.functional.one_hot(rows, m).to(self.mean).view(-1, *shape)
            spread = covariance(model.A_adjoint(units))
            across[rows], system[rows] = spread.flatten(1), model.A(spread).flatten(1)
        diagonal = system.diagonal()
        diagonal += model.sigma**2 + JITTER * diagonal.mean()
        self.K = torch.cholesky_solve(across, torch.linalg.cholesky(system))

    @torch.no_grad()
    def __call__(self, y: Tensor) -> Tensor:
        mean = self.mean.expand(len(y), -1, -1, -1)
        model, observed = self._model(mean, y)
        residual = (observed - model.A(mean)).flatten(1)
        return self.degradation.project(mean + (residual @ self.K).view_as(mean), y)

    def _model(self, mean: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        return whitened(*self.degradation.gaussian(mean, y))
