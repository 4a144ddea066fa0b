"""First-order optimisers of a batch of independent unknowns, from which rows can be dropped.

They act on one tensor element by element, so a row moves as it would alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Adam:
    """Adam (Kingma and Ba, ICLR 2015) on the rows of z (N, ...)."""

    def __init__(self, z: Tensor, betas: tuple[float, float] = (0.9, 0.999)):
        self.mean, self.square = torch.zeros_like(z), torch.zeros_like(z)
        self.betas, self.count = betas, 0

    def step(self, z: Tensor, gradient: Tensor, rate: float) -> Tensor:
        """The next z."""
        first, second = self.betas
        self.count += 1
        self.mean.lerp_(gradient, 1 - first)
        self.square.lerp_(gradient.square(), 1 - second)
        scale = math.sqrt(1 - second**self.count) / (1 - first**self.count)
        return z - rate * scale * self.mean / (self.square.sqrt() + 1e-8)

    def keep(self, rows: Tensor) -> None:
        self.mean, self.square = self.mean[rows], self.square[rows]


class Nesterov:
    """Nesterov's momentum as Yeh et al. released it, z clipped to [-clip, clip] at each step:
    v' = m v - rate g;  z' = z - m v + (1 + m) v'."""

    def __init__(self, z: Tensor, momentum: float = 0.9, clip: float = 1.0):
        self.velocity, self.momentum, self.clip = torch.zeros_like(z), momentum, clip

    def step(self, z: Tensor, gradient: Tensor, rate: float) -> Tensor:
        before = self.velocity
        self.velocity = self.momentum * before - rate * gradient
        z = z - self.momentum * before + (1 + self.momentum) * self.velocity
        return z.clamp(-self.clip, self.clip)

    def keep(self, rows: Tensor) -> None:
        self.velocity = self.velocity[rows]
