"""Denoising: the image itself, with noise.

y = x + sigma e,   A = A^T = A^dagger = I
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from restora.degradations.base import Degradation, option


@dataclass(eq=False)
class AdditiveNoise(Degradation):
    """White Gaussian noise of standard deviation `sigma` on every value."""

    sigma: float = field(
        default=0.1, metadata=option("standard deviation of the added Gaussian noise, full scale = 1", 0, 1)
    )

    @property
    def gram(self) -> float:
        return 1.0

    def A(self, x: Tensor) -> Tensor:
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y

    def A_dagger(self, y: Tensor) -> Tensor:
        return y
