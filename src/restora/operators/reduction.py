"""Fewer pixels: each is a weighted mean of the pixels about it.

    A x = R x R^T,   R the reduction of an axis (`restora.operators.resize`)

box      the average of n x n pixels: A A^T = I / n^2, A^+ = n^2 A^T (replication)
others   A A^T = R R^T (x) R R^T = V diag(l_i l_j) V^T: A^+ and the prox are products with V
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from restora.errors import ShapeError
from restora.operators.arithmetic import divide, shares
from restora.operators.base import Operator, Shape
from restora.operators.resize import Kernel, eigen, gains, reduction
from restora.options import option
from restora.random import Window


@dataclass(eq=False)
class Reduction(Operator):
    """Reduction by `scale`: (B, C, H, W) to (B, C, H/scale, W/scale).

    Raises:
        ShapeError: unless `scale` divides both sides.
    """

    scale: int = option(4, "reduction factor for each side", 1, 1024)
    weights: Kernel = option(
        "box", "how the image is reduced: box average, bicubic (antialiased) or gaussian"
    )

    @property
    def grain(self) -> int:
        return self.scale

    @property
    def gram(self) -> float | None:
        return 1 / self.scale**2 if self.weights == "box" else None

    @property
    def picture(self) -> bool:
        return True

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        if self.weights == "box":
            return F.avg_pool2d(x, self.scale)
        rows, columns = self._reductions(x, x.shape[-2], x.shape[-1])
        return rows @ x @ columns.T

    def adjoint(self, u: Tensor) -> Tensor:
        if self.weights == "box":
            return self.pseudo_inverse(u) / self.scale**2
        rows, columns = self._reductions(u, u.shape[-2] * self.scale, u.shape[-1] * self.scale)
        return rows.T @ u @ columns

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        if self.weights == "box":
            return u.repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)
        return self.adjoint(self._divide(u, 1, 0))

    def prox(self, z: Tensor, u: Tensor, gamma: float | Tensor) -> Tensor:
        if self.weights == "box":
            return super().prox(z, u, gamma)
        data, prior = shares(gamma, z)
        return z + self.adjoint(self._divide(data * (u - self(z)), data, prior))

    def _divide(self, u: Tensor, data: float | Tensor, prior: float | Tensor) -> Tensor:
        """(data A A^T + prior I)^-1 u."""
        size = u.shape[-2] * self.scale, u.shape[-1] * self.scale
        (low, V), (across, W) = (eigen(side, self.scale, self.weights) for side in size)
        V, W = V.to(u), W.to(u)
        products = (low.view(-1, 1) * across).to(u)
        return V @ divide(V.T @ u @ W, data * products + prior) @ W.T

    def _reductions(self, like: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        rows, columns = (reduction(side, self.scale, self.weights).to(like) for side in (height, width))
        return rows, columns

    def spectrum(self, spectrum: Tensor) -> Tensor:
        """Exact for `box`, which puts each frequency on one of the lower ones."""
        rows, columns = (gains(side, self.scale, self.weights).to(spectrum) for side in spectrum.shape[-2:])
        return rows @ spectrum @ columns.T

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
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
