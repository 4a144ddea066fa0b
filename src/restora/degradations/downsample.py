"""Super-resolution: each observed pixel is the average of a box of n x n pixels.

y = A x + sigma e,   A A^T = I / n^2,   A^dagger = n^2 A^T (replication)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.degradations.base import Degradation, Shape, one_of, option
from restora.errors import ShapeError
from restora.random import Window


@dataclass(eq=False)
class Downsample(Degradation):
    """Box average by `scale`: (B, C, H, W) -> (B, C, H/scale, W/scale). ShapeError unless both divide."""

    scale: int = field(default=4, metadata=option("reduction of each side, in pixels a pixel", 1, 1024))

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Downsample:
        fitting = [scale for scale in (2, 4, 8) if not any(side % scale for side in image_shape[1:])]
        return cls(one_of(fitting or [1], generator))

    @property
    def grain(self) -> int:
        return self.scale

    @property
    def gram(self) -> float:
        return 1 / self.scale**2

    def A(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        return F.avg_pool2d(x, self.scale)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.A_dagger(y) / self.scale**2

    def A_dagger(self, y: Tensor) -> Tensor:
        return y.repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Degradation, Tensor]:
        return self, window.coarser(self.scale).of(y)

    def observed_shape(self, image_shape: Shape) -> Shape:
        *channels, height, width = image_shape
        if height % self.scale or width % self.scale:
            raise ShapeError(
                f"scale: expected an image whose sides divide by {self.scale}, got {height}x{width} "
                f"(height x width); crop it to {height - height % self.scale}x{width - width % self.scale}"
            )
        return (*channels, height // self.scale, width // self.scale)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        *kept, height, width = observed_shape
        return (*kept, height * self.scale, width * self.scale)
