"""Denoising: the image itself, with noise.

y = x + sigma e,   A = A^T = A^dagger = I
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from restora.degradations.base import Shape, option, uniform
from restora.degradations.identity import Identity
from restora.degradations.truncated import unclipped


@dataclass(eq=False)
class AdditiveNoise(Identity):
    """White Gaussian noise of standard deviation `sigma` on every value."""

    sigma: float = field(
        default=0.1, metadata=option("standard deviation of the added Gaussian noise, full scale = 1", 0, 1)
    )

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> AdditiveNoise:
        return cls(10 ** uniform(-1.7, -0.4, generator))

    def white_noise(self, y: Tensor) -> Tensor:
        return y.new_full((len(y),), self.sigma)

    def unclipped(self, y: Tensor, x: Tensor) -> Tensor:
        """E[x + sigma e | x + sigma e < 0], or > 1, where y is 0 or 1, in images that are nowhere beyond."""
        return unclipped(y, x, y.new_full((), self.sigma)) if self.sigma > 0 else y
