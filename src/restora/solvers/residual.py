"""What a generator cannot draw, as a smooth random field.

    x* = G(z) + r,   r ~ N(0, v C),   C = T^T diag(1 / (|f|^2 + f0^2)) T  x  (a 1 1^T + b I)

T is the cosine transform, f the frequency in cycles a picture, and the last factor ties the channels: a
residual is smooth, as natural images are, and mostly a change of brightness. C has unit mean variance. The
cosine transform has free borders, so that with f0 -> 0 and one channel, E[r | r known outside a hole] is the
membrane of Poisson blending (Perez et al., SIGGRAPH 2003); this carries it over to any degradation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from restora.gaussian.cosine import dct, idct
from restora.gaussian.covariance import Covariance


@dataclass(frozen=True)
class SmoothField(Covariance):
    """v C on images (B, C, H, W). `scale`: v, (B, 1, 1, 1). `cutoff`: f0; `grey`: the share of the variance,
    in [0, 1), that is common to the channels."""

    scale: float | Tensor = 1.0
    cutoff: float = 0.5
    grey: float = 0.9

    def __call__(self, x: Tensor) -> Tensor:
        """v C x."""
        smooth = idct(self._spectrum(x) * dct(x))
        channels = x.shape[1]
        common = smooth.mean(1, keepdim=True) * channels
        return self.scale * (self.grey * common + (1 - self.grey) * smooth)

    def _spectrum(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        down = torch.arange(height, dtype=x.dtype, device=x.device).view(-1, 1) / 2
        across = torch.arange(width, dtype=x.dtype, device=x.device) / 2
        power = 1 / (down.square() + across.square() + self.cutoff**2)
        return power / power.mean()
