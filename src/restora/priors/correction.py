"""What an image g = G(E(y)) of a generator tells of the image x behind it, as if both were Gaussian.

    x = m + P^T V (g - m_g) + r,   r ~ N(0, R)

V are the principal directions of g, (k, d); P^T V (g - m_g) is the regression of x on what g has along them,
so that g counts as far as it was right on photographs, and is shrunk to their mean m else. R is the
covariance of what is left. With k = 0, g does not count.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from restora.gaussian.covariance import LowRank
from restora.priors import packing
from restora.priors.gaussian import GaussianPrior


class Correction(nn.Module):
    """origin: m_g, (C, H, W). directions: V, (k, C, H, W). images: P, (k, C, H, W), what a step along each
    direction means for x. residual: mean m and covariance R. Images in [0, 1]."""

    origin: Tensor
    directions: Tensor
    images: Tensor

    def __init__(self, origin: Tensor, directions: Tensor, images: Tensor, residual: GaussianPrior):
        super().__init__()
        self.residual = residual
        for name, value in {"origin": origin, "directions": directions, "images": images}.items():
            self.register_buffer(name, value)

    def predict(self, g: Tensor) -> Tensor:
        """E[x | g], (B, C, H, W)."""
        weights = (g - self.origin).flatten(1) @ self.directions.flatten(1).T
        return self.residual.mean + (weights @ self.images.flatten(1)).view_as(g)

    def grey(self) -> Correction:
        """Of images g and x whose channels are all equal, by the mean of those of x."""
        parts = self.origin.mean(0, keepdim=True), self.directions.sum(1, keepdim=True)
        return Correction(*parts, self.images.mean(1, keepdim=True), self.residual.grey())

    @property
    def covariance(self) -> LowRank:
        """R."""
        return self.residual.covariance

    def pack(self) -> dict[str, Tensor]:
        rows = {"directions": packing.pack(self.directions), "images": packing.pack(self.images)}
        return {"origin": self.origin.half(), **packing.join(residual=self.residual.pack(), **rows)}

    def unpack(self, tensors: dict[str, Tensor]) -> None:
        width = self.origin.shape[-1]
        for name in ("directions", "images"):
            setattr(self, name, packing.unpack(packing.part(tensors, name), width))
        self.origin = tensors["origin"].float()
        self.residual.unpack(packing.part(tensors, "residual"))

    def config(self) -> dict[str, Any]:
        return {"residual": self.residual.config(), "directions": len(self.directions)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Correction:
        residual = GaussianPrior.from_config(config["residual"])
        rows = torch.zeros(config["directions"], *residual.image_shape)
        return cls(torch.zeros(residual.image_shape), rows, rows.clone(), residual)
