"""One grey value a pixel.

luma       A x = 0.299 R + 0.587 G + 0.114 B;  A A^T = |w|^2 I, w the weights (BT.601)
maximum    A x = max(R, G, B), the V of HSV; not linear
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from restora.errors import ShapeError
from restora.operators.arithmetic import shares
from restora.operators.base import Operator, Shape
from restora.pictures.colour import LUMA, luma


@dataclass(eq=False)
class OneChannel(Operator):
    """RGB (B, 3, H, W) -> (B, 1, H, W). ShapeError for an image without three channels."""

    @property
    def picture(self) -> bool:
        return True

    def observed_shape(self, image_shape: Shape) -> Shape:
        if len(image_shape) != 3 or image_shape[0] != 3:
            raise ShapeError(f"expected an RGB image (3, H, W), got {tuple(image_shape)}; convert it first")
        return (1, *image_shape[1:])

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        if len(observed_shape) != 3 or observed_shape[0] != 1:
            raise ShapeError(
                f"expected a grey image (1, H, W), got {tuple(observed_shape)}; convert it first"
            )
        return (3, *observed_shape[1:])


@dataclass(eq=False)
class Grey(OneChannel):
    """Grey, which tells nothing of colours."""


@dataclass(eq=False)
class Luma(Grey):
    """BT.601 luma: 0.299 R + 0.587 G + 0.114 B, (B, 3, H, W) to (B, 1, H, W)."""

    @property
    def gram(self) -> float:
        return sum(w * w for w in LUMA)

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        return luma(x)

    def adjoint(self, u: Tensor) -> Tensor:
        return u * torch.tensor(LUMA, dtype=u.dtype, device=u.device).view(3, 1, 1)

    def spectrum(self, spectrum: Tensor) -> Tensor:
        weights = torch.tensor(LUMA).to(spectrum)
        return torch.einsum("i,...ijhw,j->...hw", weights, spectrum, weights)[..., None, None, :, :]


@dataclass(eq=False)
class Maximum(Grey):
    """The largest channel, V of HSV: (B, 3, H, W) to (B, 1, H, W).

    A^T u is u/3 in each channel (the subgradient at a grey image), A^+ repeats u, and `prox` is exact.
    """

    @property
    def linear(self) -> bool:
        return False

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        return x.amax(1, keepdim=True)

    def adjoint(self, u: Tensor) -> Tensor:
        return u.expand(-1, 3, -1, -1) / 3

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        return u.expand(-1, 3, -1, -1)

    def prox(self, z: Tensor, u: Tensor, gamma: float | Tensor) -> Tensor:
        """The global minimum.

        If max z > u, the channels above a ceiling come down to it; else the largest channel goes up.
        """
        data, prior = shares(gamma, z)
        ranked, channel = z.sort(1, descending=True)
        count = torch.arange(1, 4, dtype=z.dtype, device=z.device).view(3, 1, 1)
        ceilings = (data * u + prior * ranked.cumsum(1)) / (data + prior * count)
        lowered = torch.minimum(z, torch.maximum(u, ceilings.amax(1, keepdim=True)))
        raised = z.scatter(1, channel[:, :1], ceilings[:, :1])
        return torch.where(ranked[:, :1] > u, lowered, raised)

    def tangent(self, x: Tensor) -> tuple[Operator, Tensor]:
        """The channel that is the largest in x; where several are, their mean."""
        chosen = (x == x.amax(1, keepdim=True)).to(x)
        return Channel(chosen / chosen.sum(1, keepdim=True)), x.new_zeros(())


@dataclass(eq=False)
class Channel(Operator):
    """One channel of each pixel: A x = sum_c chosen_c x_c.

    `chosen`: (B, C, H, W), 1 in one channel of each pixel and 0 in the others, or shares of several.
    """

    chosen: Tensor = field(repr=False)

    @property
    def gram(self) -> Tensor:
        return self.chosen.square().sum(1, keepdim=True)

    @property
    def shared(self) -> bool:
        return False

    def forward(self, x: Tensor) -> Tensor:
        return (self.chosen * x).sum(1, keepdim=True)

    def adjoint(self, u: Tensor) -> Tensor:
        return self.chosen * u

    def take(self, index: Tensor) -> Channel:
        return replace(self, chosen=self.chosen[index.to(self.chosen.device)])

    def observed_shape(self, image_shape: Shape) -> Shape:
        return (1, *image_shape[1:])

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return tuple(self.chosen.shape[1:])
