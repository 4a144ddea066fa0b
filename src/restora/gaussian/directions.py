"""A few directions of images as an operator sees them, and the preconditioner that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from restora.gaussian.covariance import LowRank

if TYPE_CHECKING:
    from restora.gaussian.system import LinearMap, System

Function = Callable[[Tensor], Tensor]
LARGEST = 2**27  # values of B that are kept


class Directions:
    """Directions U (r, C, H, W) as a system sees them, B = A U^T, in units of the noise where it differs.

    B itself is kept where all images have the same A, and it is not too large.
    """

    def __init__(self, system: System, directions: Tensor):
        self.system, self.directions, self.U = system, directions, directions.flatten(1)
        self.B: Tensor | None = None
        self.gram: Tensor | None = None

    def prepare(self, batch: int) -> Tensor:
        """B^T B, (1 or groups, r, r)."""
        operator, gain, runs, rank = self.system.operator, self.system.gain, self.system.runs, len(self.U)
        if self.gram is not None:
            return self.gram
        first = operator if operator.shared else operator.take(torch.zeros(1, dtype=torch.long))
        size = first(self.directions[:1]).numel()
        if operator.shared and (gain is None or len(gain) == 1):
            if rank * size > LARGEST:
                self.gram = self._by_parts(operator, gain, size)[None]
                return self.gram
            self.B = self.system._A(self.directions).flatten(1)
            self.gram = (self.B @ self.B.T)[None]
            return self.gram
        found = []
        for i in range(0, batch, runs):
            if rank * size > LARGEST:
                one = None if gain is None else gain[min(i, len(gain) - 1), None]
                found.append(self._by_parts(operator.take(torch.tensor([i])), one, size))
                continue
            seen = operator.take(torch.full((rank,), i))(self.directions)
            B = (seen if gain is None else gain[min(i, len(gain) - 1)] * seen).flatten(1)
            found.append(B @ B.T)
        self.gram = torch.stack(found)
        return self.gram

    def _by_parts(self, operator: LinearMap, gain: Tensor | None, size: int) -> Tensor:
        """B^T B for one image, from A^T A U^T of so many directions at a time that they fit into memory."""
        found = []
        for part in self.directions.split(max(1, LARGEST // 8 // size)):
            each = operator if operator.shared else operator.take(torch.zeros(len(part), dtype=torch.long))
            seen = each(part)
            found.append(each.adjoint(seen if gain is None else gain.square() * seen).flatten(1) @ self.U.T)
        gram = torch.cat(found)
        return (gram + gram.T) / 2

    def along(self, v: Tensor) -> Tensor:
        """B^T v, (B, r), of observations v (B, ...)."""
        if self.B is not None:
            return v.flatten(1) @ self.B.T
        return self.system._adjoint(v).flatten(1) @ self.U.T

    def across(self, weights: Tensor, like: Tensor) -> Tensor:
        """B times weights (B, r), shaped like observations."""
        if self.B is not None:
            return (weights @ self.B).view_as(like)
        return self.system._A((weights @ self.U).view(-1, *self.directions.shape[1:]))

    def product(self, weights: Tensor, v: Tensor) -> Tensor:
        """B diag(weights) B^T v."""
        self.prepare(len(v))
        return self.across(weights * self.along(v), v)

    def preconditioner(self, C: LowRank, like: Tensor) -> Function:
        h, gram = C.weights.sqrt(), self.prepare(len(like))
        tau = self._average(C, like)
        groups, eye = len(tau), torch.eye(C.rank).to(h)
        root = torch.linalg.cholesky(h.unsqueeze(1) * gram * h + tau.view(-1, 1, 1) * eye)
        each = tau.repeat_interleave(len(like) // groups).view(-1, *[1] * (like.ndim - 1))

        def inverted(v: Tensor) -> Tensor:
            weights = (h * self.along(v)).view(groups, -1, C.rank).mT
            found = torch.cholesky_solve(weights, root).mT.reshape(-1, C.rank)
            return (v - self.across(h * found, v)) / each

        return inverted

    def _average(self, C: LowRank, like: Tensor) -> Tensor:
        """(groups,): mean diagonal of A R A^T + N, by a random probe, the same for all."""
        assert self.gram is not None
        system, groups = self.system, len(self.gram)
        noise = torch.as_tensor(1.0 if system.gain is not None else system.noise.variance).to(like).flatten()
        if len(noise) > 1:
            groups, noise = len(like) // system.runs, noise[:: system.runs]
        probe = torch.randn(self.directions.shape[1:], generator=torch.Generator().manual_seed(0))
        rows = torch.arange(groups) * system.runs
        operator = system.operator.take(rows) if len(self.gram) > 1 else system.operator
        one = type(system)(operator, system.noise)
        if system.gain is not None:
            one.gain = system.gain[rows] if len(system.gain) > 1 else system.gain
        v = one._A(probe.to(self.U).expand(groups, *probe.shape))
        total = (v * one._A(C.rest(one._adjoint(v)))).flatten(1).sum(1)
        norm = v.square().flatten(1).sum(1)
        return (total / norm + noise).clamp(min=torch.finfo(v.dtype).eps)
