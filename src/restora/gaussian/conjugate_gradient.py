"""Conjugate gradients, one system an image, solved side by side.

    M x = b,  M symmetric positive semi-definite;  r_k = b - M x_k, directions p_k conjugate in M

From x = 0 the iterates stay in the range of M, so that a singular consistent system gets its solution of
least norm; with a preconditioner P^-1, directions come from P^-1 r. Source: Hestenes and Stiefel, 1952.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def conjugate_gradient(
    M: Callable[[Tensor], Tensor],
    b: Tensor,
    tolerance: float | None = None,
    iterations: int = 1000,
    preconditioner: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """x with M(x) = b, for b (B, ...) and M acting on each image by itself.

    An image is done when |r| <= tolerance |b| (default eps^(3/4) of the dtype) and is not touched after
    that, so that its result does not depend on the rest of its batch. Stops after `iterations` in any case.
    `preconditioner`: symmetric and positive, the closer to M^-1 the fewer the iterations.
    """
    tolerance = torch.finfo(b.dtype).eps ** 0.75 if tolerance is None else tolerance
    apply = preconditioner or (lambda r: r)
    x, r, p = torch.zeros_like(b), b, b
    goal, rho = tolerance**2 * _dot(b, b), None
    active = torch.ones_like(goal, dtype=torch.bool)
    for _ in range(iterations):
        active = active & (_dot(r, r) > goal)
        if not active.any():
            break
        z = apply(r)
        rho, previous = _dot(r, z), rho
        p = z if previous is None else z + torch.where(active, rho / torch.where(active, previous, 1), 0) * p
        Mp = M(p)
        curvature = _dot(p, Mp)
        active = active & (curvature > 0)
        step = torch.where(active, rho / torch.where(active, curvature, 1), 0)
        x, r = x + step * p, r - step * Mp
    return x


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each image, shaped to broadcast against it."""
    return (a * b).flatten(1).sum(1).view(-1, *[1] * (a.ndim - 1))
