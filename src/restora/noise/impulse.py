"""Salt and pepper: some pixels are black or white, whatever was there.

    y = m (u + sigma e) + (1 - m) s,   P(m = 0) = `share`, s in {0, 1} equally likely

Pixel by pixel, and in all channels. A pixel that was hit tells nothing of the image, and shows that it was:
what is left is Gaussian noise on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from restora.errors import MaskError
from restora.noise.base import Noise
from restora.noise.gaussian import GaussianNoise
from restora.noise.truncated import normal_cdf
from restora.options import option
from restora.random import Generators, randn


@dataclass(eq=False)
class ImpulseNoise(Noise):
    """Salt and pepper: a fraction `share` of the pixels becomes 0 or 1 in all channels.

    Pixels that are 0 or 1 in the clean image also count as hit.
    """

    share: float = option(0.1, "fraction of the pixels that are hit", 0, 0.99)
    sigma: float = option(
        0.0, "standard deviation of the Gaussian noise of all other pixels, full scale = 1", 0, 1
    )

    @property
    def level(self) -> float:
        return self.sigma

    @property
    def blind(self) -> bool:
        return True

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        y = GaussianNoise(self.sigma).simulate(u, generator)
        place = normal_cdf(randn(u[:, :1].shape, generator, like=u))
        return torch.where(place < self.share, (place < self.share / 2).to(y), y)

    def given(self, y: Tensor) -> tuple[Noise, Tensor | None]:
        """MaskError for an image in which every pixel looks as if it were hit."""
        hit = (y == 0).all(1, keepdim=True) | (y == 1).all(1, keepdim=True)
        if hit.flatten(1).all(1).any():
            raise MaskError(
                "every pixel is black or white, as if hit by an impulse; expected other values too. "
                "Is it a black-and-white image?"
            )
        return GaussianNoise(self.sigma), (~hit).to(y)

    @property
    def follows(self) -> bool:
        return True
