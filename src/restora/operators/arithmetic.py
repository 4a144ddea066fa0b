"""Small arithmetic that formulas of many operators share."""

from __future__ import annotations

import torch
from torch import Tensor


def as_tensor(value: float | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def shares(gamma: float | Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """gamma/(1 + gamma) and 1/(1 + gamma): the weights of data and prior, finite for gamma in [0, inf]."""
    gamma = as_tensor(gamma, like)
    return 1 / (1 + 1 / gamma), 1 / (1 + gamma)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """numerator / denominator, and 0 where the denominator is 0 (the pseudo-inverse of a diagonal)."""
    positive = denominator > 0
    return torch.where(positive, numerator / torch.where(positive, denominator, 1), 0)


def per_image(value: Tensor, u: Tensor) -> Tensor:
    """One number an image, (B, 1, 1, 1), shaped to broadcast with u (B, ...)."""
    return value if value.ndim == 0 else value.view(-1, *[1] * (u.ndim - 1))
