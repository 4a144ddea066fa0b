"""Salt and pepper noise: some pixels are black or white, whatever was there.

y = m (x + sigma e) + (1 - m) s,   P(m = 0) = `share`, s in {0, 1} equally likely

Pixel by pixel, and in all channels. A pixel that was hit tells nothing of the image, and shows that it was:
what is left is inpainting, with the mask read off y.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from restora.degradations.base import option
from restora.degradations.identity import Identity
from restora.degradations.mask import Mask
from restora.degradations.truncated import normal_cdf
from restora.errors import MaskError
from restora.random import Generators, randn


@dataclass(eq=False)
class Impulse(Identity):
    """A `share` of the pixels becomes 0 or 1 in all channels; where the image itself is, it counts as hit."""

    linear: ClassVar[bool] = False
    blind: ClassVar[bool] = True

    share: float = field(default=0.1, metadata=option("share of the pixels that are hit", 0, 0.99))

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        y = super().forward(x, generator)
        place = normal_cdf(randn(x[:, :1].shape, generator, like=x))
        return torch.where(place < self.share, (place < self.share / 2).to(y), y)

    def given(self, y: Tensor) -> Mask:
        """Inpainting of the pixels that were hit. MaskError for an image in which every pixel looks so."""
        hit = (y == 0).all(1, keepdim=True) | (y == 1).all(1, keepdim=True)
        if hit.flatten(1).all(1).any():
            raise MaskError(
                "every pixel is black or white, as if hit by an impulse; expected some that are not. "
                "Is it a picture of two levels?"
            )
        return Mask(~hit, sigma=self.sigma).to(y)
