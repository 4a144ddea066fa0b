"""Denoising: the image itself, with noise.

y = x + sigma e,   A = A^T = A^dagger = I
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from restora.degradations.base import Shape, option, uniform
from restora.degradations.identity import Identity
from restora.degradations.noise_level import estimate_sigma
from restora.degradations.truncated import unclipped
from restora.errors import OptionError, ShapeError
from restora.random import Generators


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


@dataclass(eq=False)
class UnknownNoise(Identity):
    """White Gaussian noise of a level that `estimate_sigma` finds in the observation, of one image at a time.

    For restoring alone: OptionError where it is to simulate.
    """

    linear: ClassVar[bool] = False
    blind: ClassVar[bool] = True

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        raise OptionError(
            "sigma: expected a number to make noise with, got 'auto', which finds it in a noisy picture"
        )

    def given(self, y: Tensor) -> AdditiveNoise:
        if len(y) != 1:
            raise ShapeError(
                f"the level of the noise is found for one image at a time, got {len(y)}; restore them one by "
                "one, or give it: AdditiveNoise(sigma)"
            )
        return AdditiveNoise(min(1.0, estimate_sigma(y).item()))
