"""A colour filter array: each pixel of a sensor sees one colour.

(A x)_ij = x_c(i, j),ij,   c the colour of the pixel in a pattern of 2x2,   A A^T = I
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from restora.operators.base import Shape
from restora.operators.luma import OneChannel
from restora.options import option

Pattern = Literal["RGGB", "BGGR", "GRBG", "GBRG"]
SHARES = (0.25, 0.5, 0.25)  # of the pixels that see red, green, blue


@dataclass(eq=False)
class Mosaic(OneChannel):
    """RGB (B, 3, H, W) -> the values of a Bayer sensor (B, 1, H, W)."""

    pattern: Pattern = option("RGGB", "colours of the first two pixels of the first row, then of the second")

    @property
    def gram(self) -> float:
        return 1.0

    @property
    def grain(self) -> int:
        return 2

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        return (self._filter(x) * x).sum(1, keepdim=True)

    def adjoint(self, u: Tensor) -> Tensor:
        self.image_shape(u.shape[1:])
        return self._filter(u) * u

    def spectrum(self, spectrum: Tensor) -> Tensor:
        """The spectrum of the mean of the colours, as if each value observed all of them by their share."""
        own = spectrum.diagonal(dim1=-4, dim2=-3).movedim(-1, -3)
        shares = torch.tensor(SHARES).to(spectrum).view(3, 1, 1)
        return (shares * own).sum(-3)[..., None, None, :, :]

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return super().image_shape(observed_shape)

    def _filter(self, like: Tensor) -> Tensor:
        """(3, H, W), 1 where the colour is seen."""
        height, width = like.shape[-2:]
        tile = torch.tensor([["RGB".index(c) for c in self.pattern[i : i + 2]] for i in (0, 2)])
        colours = tile.repeat(-(-height // 2), -(-width // 2))[:height, :width]
        return (colours == torch.arange(3).view(3, 1, 1)).to(like)
