"""Solving A C A^T + sigma^2 I = M for a covariance C = U^T diag(g) U + R with a few strong directions.

    B = A U^T,   P = B diag(g) B^T + tau I,   P^-1 v = (v - B h (h B^T B h + tau I)^-1 h B^T v) / tau

h is diag(g)^(1/2), and tau what the rest and the noise come to on average. A good prior has thousands of
times more variance along U than across it; without the preconditioner P, conjugate gradients would take an
iteration for each of its directions or more. B^T B depends on A alone, and serves any weights g. Without
directions see `restora.gaussian.stationary`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from restora.gaussian.conjugate_gradient import conjugate_gradient
from restora.gaussian.covariance import Covariance

if TYPE_CHECKING:
    from restora.degradations.base import Degradation

Operator = Callable[[Tensor], Tensor]


class Observed:
    """Directions U (r, C, H, W) as `degradation` sees them; for many covariances that share them.

    runs: so many images in a row have the same A, where a degradation has one for each image.
    """

    def __init__(self, degradation: Degradation, directions: Tensor, batch: int, runs: int = 1):
        self.degradation, self.directions = degradation, directions
        self.U, self.B = directions.flatten(1), None
        self.systems, rank = degradation, len(directions)
        if not rank:
            self.gram = self.U.new_zeros(1, 0, 0)
        elif degradation.take(torch.zeros(2, dtype=torch.long)) is degradation:  # all have the same A
            self.B = degradation.A(directions).flatten(1)
            self.gram = (self.B @ self.B.T)[None]
        else:
            self.systems = degradation.take(torch.arange(0, batch, runs))
            alone = (self.systems.take(torch.full((rank,), i)) for i in range(batch // runs))
            seen = (one.A(directions).flatten(1) for one in alone)
            self.gram = torch.stack([B @ B.T for B in seen])

    def along(self, v: Tensor) -> Tensor:
        """B^T v, (B, r), of observations v (B, ...)."""
        if self.B is not None:
            return v.flatten(1) @ self.B.T
        return self.degradation.A_adjoint(v).flatten(1) @ self.U.T

    def across(self, weights: Tensor) -> Tensor:
        """B times weights (B, r): observations, each (m,) or as A gives them."""
        if self.B is not None:
            return weights @ self.B
        return self.degradation.A((weights @ self.U).view(-1, *self.directions.shape[1:]))

    def solve(self, C: Covariance, residual: Tensor, tolerance: float) -> Tensor:
        """M^-1 residual, (B, ...), until what is unexplained of it is `tolerance` of it.

        An observation's result does not depend on the rest of its batch.
        """
        model, noise = self.degradation, self.degradation.sigma**2
        if not len(C.weights):
            return model.solve_stationary(C, residual, tolerance)

        def system(v: Tensor) -> Tensor:
            rest = model.A(C.rest(model.A_adjoint(v))) + noise * v
            return rest + self.across(C.weights * self.along(v)).view_as(v)

        return conjugate_gradient(
            system, residual, tolerance, preconditioner=self._preconditioner(C, residual)
        )

    def _preconditioner(self, C: Covariance, like: Tensor) -> Operator:
        h, groups = C.weights.sqrt(), len(self.gram)
        tau = self._average(C)
        eye = torch.eye(len(h)).to(h)
        root = torch.linalg.cholesky(h.unsqueeze(1) * self.gram * h + tau.view(-1, 1, 1) * eye)
        each = tau.repeat_interleave(len(like) // groups).view(-1, *[1] * (like.ndim - 1))

        def inverse(v: Tensor) -> Tensor:
            weights = (h * self.along(v)).view(groups, -1, len(h)).mT
            found = torch.cholesky_solve(weights, root).mT.reshape(-1, len(h))
            return (v - self.across(h * found).view_as(v)) / each

        return inverse

    def _average(self, C: Covariance) -> Tensor:
        """(systems,): mean diagonal of A R A^T + sigma^2 I, by a random probe, the same for all."""
        probe = torch.randn(self.directions.shape[1:], generator=torch.Generator().manual_seed(0))
        v = self.systems.A(probe.to(self.U).expand(len(self.gram), *probe.shape))
        total = (v * self.systems.A(C.rest(self.systems.A_adjoint(v)))).flatten(1).sum(1)
        norm = v.square().flatten(1).sum(1)
        return (total / norm + self.degradation.sigma**2).clamp(min=torch.finfo(v.dtype).eps)
