"""The prox of an operator that is not linear, by Newton's method on its tangents (Gauss and Newton).

    x <- x + s (argmin_v gamma/2 |A x + J (v - x) - u|^2 + 1/2 |v - z|^2 - x)

s is 1, or halved until the objective itself, at v in place of the tangent, does not rise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from restora.operators.base import Operator

TANGENTS = 8  # of each prox
HALVINGS = 5  # of each step, at most


def newton(
    operator: Operator, z: Tensor, u: Tensor, gamma: float | Tensor, weights: tuple[Tensor, Tensor]
) -> Tensor:
    """`Operator.prox`, about. weights: of |A x - u|^2 and |x - z|^2, finite, as gamma to 1."""

    def objective(x: Tensor) -> Tensor:
        data, prior = (w.view(-1, 1, 1, 1) if w.ndim else w for w in weights)
        misfit = (operator(x) - u).square().flatten(1).sum(1).view(-1, 1, 1, 1)
        return data * misfit + prior * (x - z).square().flatten(1).sum(1).view(-1, 1, 1, 1)

    x, least = z, objective(z)
    for _ in range(TANGENTS):
        tangent, offset = operator.tangent(x)
        step = tangent.prox(z, u - offset, gamma) - x
        for _ in range(HALVINGS):
            rises = ~(objective(x + step) <= least)
            if not bool(rises.any()):
                break
            step = torch.where(rises, step / 2, step)
        moved = x + step
        reached = objective(moved)
        better = reached <= least
        x, least = torch.where(better, moved, x), torch.where(better, reached, least)
    return x
