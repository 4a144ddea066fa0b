"""A preconditioner for A C A^T + sigma^2 I where the largest directions of C are known.

    C = F^T F + rest,   B = A F^T,   P = B B^T + tau I,   P^-1 u = (u - B (B^T B + tau I)^-1 B^T u) / tau

tau is what the rest and the noise come to on average. A good prior has thousands of times more variance along
F than across it, and without this, conjugate gradients would take an iteration for each of its rows or more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from restora.degradations.base import Degradation

Operator = Callable[[Tensor], Tensor]


def deflation(degradation: Degradation, system: Operator, factors: Tensor, like: Tensor) -> Operator:
    """P^-1 on observations of the shape of `like` (B, ...); `system` is A C A^T + sigma^2 I, `factors` is F,
    (r, C, H, W). An observation's result does not depend on the rest of its batch."""
    F = factors.flatten(1)

    def along(u: Tensor) -> Tensor:
        return degradation.A_adjoint(u).flatten(1) @ F.T

    def across(weights: Tensor) -> Tensor:
        return degradation.A((weights @ F).view(-1, *factors.shape[1:]))

    count = 1 if _is_shared(degradation) else len(like)
    tau = _average(degradation, system, along, factors, count).view(-1, *[1] * (like.ndim - 1))
    gram = _gram(degradation, factors, count) + tau.view(-1, 1, 1) * torch.eye(len(F)).to(F)
    root = torch.linalg.cholesky(gram)

    def inverse(u: Tensor) -> Tensor:
        if len(root) == 1:  # one system, many right sides
            weights = torch.cholesky_solve(along(u).T, root[0]).T
        else:
            weights = torch.cholesky_solve(along(u).unsqueeze(-1), root).squeeze(-1)
        return (u - across(weights)) / tau

    return inverse


def _average(
    degradation: Degradation, system: Operator, along: Operator, factors: Tensor, batch: int
) -> Tensor:
    """(B,): mean diagonal of system - B B^T over what A observes, by a random probe, the same for all."""
    probe = torch.randn(factors.shape[1:], generator=torch.Generator().manual_seed(0)).to(factors)
    u = degradation.A(probe.expand(batch, -1, -1, -1))
    total = (u * system(u)).flatten(1).sum(1) - along(u).square().sum(1)
    norm = u.square().flatten(1).sum(1)
    return (total / norm).clamp(min=torch.finfo(u.dtype).eps)


def _is_shared(degradation: Degradation) -> bool:
    """Whether all images of the batch have the same A."""
    return degradation.take(torch.zeros(2, dtype=torch.long)) is degradation


def _gram(degradation: Degradation, factors: Tensor, count: int) -> Tensor:
    """B^T B, (count, r, r): of the first image, or of each."""
    first = torch.zeros(len(factors), dtype=torch.long, device=factors.device)
    observed = (degradation.take(first + i).A(factors).flatten(1) for i in range(count))
    return torch.stack([B @ B.T for B in observed])
