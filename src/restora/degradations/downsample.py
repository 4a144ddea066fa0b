"""Super-resolution: each observed pixel is a weighted mean of the pixels about it.

y = A x + sigma e,   A x = R x R^T, R the reduction of an axis (`restora.degradations.resize`)

box      the average of n x n pixels: A A^T = I / n^2, A^dagger = n^2 A^T (replication)
others   A A^T = R R^T (x) R R^T = V diag(l_i l_j) V^T: A^dagger and prox_l2 are products with V
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.degradations.base import Degradation, Shape, divide, one_of, option, shares
from restora.degradations.resize import Kernel, eigen, gains, reduction
from restora.errors import ShapeError
from restora.random import Window


@dataclass(eq=False)
class Downsample(Degradation):
    """Reduced by `scale`: (B, C, H, W) -> (B, C, H/scale, W/scale). ShapeError unless both divide."""

    scale: int = field(default=4, metadata=option("reduction of each side, in pixels a pixel", 1, 1024))
    kernel: Kernel = field(
        default="box", metadata=option("weights of the mean: box, bicubic (without aliases) or gaussian")
    )

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Downsample:
        fitting = [scale for scale in (2, 3, 4, 8) if not any(side % scale for side in image_shape[1:])]
        return cls(
            one_of(fitting or [1], generator), one_of(("box", "box", "bicubic", "gaussian"), generator)
        )

    @property
    def grain(self) -> int:
        return self.scale

    @property
    def gram(self) -> float | None:
        return 1 / self.scale**2 if self.kernel == "box" else None

    def A(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        if self.kernel == "box":
            return F.avg_pool2d(x, self.scale)
        rows, columns = self._reductions(x, x.shape[-2], x.shape[-1])
        return rows @ x @ columns.T

    def A_adjoint(self, y: Tensor) -> Tensor:
        if self.kernel == "box":
            return self.A_dagger(y) / self.scale**2
        rows, columns = self._reductions(y, y.shape[-2] * self.scale, y.shape[-1] * self.scale)
        return rows.T @ y @ columns

    def A_dagger(self, y: Tensor) -> Tensor:
        if self.kernel == "box":
            return y.repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)
        return self.A_adjoint(self._divide(y, 1, 0))

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        if self.kernel == "box":
            return super().prox_l2(z, y, gamma)
        data, prior = shares(gamma, z)
        return z + self.A_adjoint(self._divide(data * (y - self.A(z)), data, prior))

    def _divide(self, y: Tensor, data: float | Tensor, prior: float | Tensor) -> Tensor:
        """(data A A^T + prior I)^-1 y."""
        size = y.shape[-2] * self.scale, y.shape[-1] * self.scale
        (low, V), (across, W) = (eigen(side, self.scale, self.kernel) for side in size)
        V, W = V.to(y), W.to(y)
        products = (low.view(-1, 1) * across).to(y)
        return V @ divide(V.T @ y @ W, data * products + prior) @ W.T

    def _reductions(self, like: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        rows, columns = (reduction(side, self.scale, self.kernel).to(like) for side in (height, width))
        return rows, columns

    def observed_spectrum(self, spectrum: Tensor) -> Tensor:
        """Exact for `box`, which puts each frequency on one of the lower ones."""
        rows, columns = (gains(side, self.scale, self.kernel).to(spectrum) for side in spectrum.shape[-2:])
        return rows @ spectrum @ columns.T

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
