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

from restora.covariance import Covariance
from restora.priors import packing
from restora.priors.gaussian import GaussianPrior

SHARE = 1e-3  # of the variance along the mean direction, added to that along all: few photographs say little
PART = 512


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

    @property
    def covariance(self) -> Covariance:
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


def regression(g: Tensor, x: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """m, m_g, V and P of `Correction` from pairs, uint8 (N, C, H, W), and their mirror images.

    Mirrored, directions are even or odd: they are found apart, and the `rank` of most variance are kept.
    """
    mean, origin = (_mean(images) for images in (x, g))
    sample = _centred(g[:: -(-len(g) // (16 * PART))], origin)
    halves = [_directions((sample + s * sample.flip(-1)) / 2, rank) for s in (1, -1)]
    values, rows = torch.cat([v for v, _ in halves]), torch.cat([r for _, r in halves])
    V = rows[values.argsort(descending=True)[:rank]]
    signs = torch.where((V * V.flip(-1)).flatten(1).sum(1) < 0, -1.0, 1.0)
    gram, cross = torch.zeros(len(V), len(V)), torch.zeros(len(V), mean.numel())
    for a, b in zip(g.split(PART), x.split(PART), strict=True):
        weights = _centred(a, origin).flatten(1) @ V.flatten(1).T
        centred = _centred(b, mean)
        gram += weights.T @ weights + (signs * weights).T @ (signs * weights)
        cross += weights.T @ centred.flatten(1) + (signs * weights).T @ centred.flip(-1).flatten(1)
    ridge = SHARE * gram.diagonal().mean() if len(V) else 0.0
    P = torch.linalg.solve(gram + ridge * torch.eye(len(V)), cross).view_as(V)
    return mean, origin, V, P


def _mean(images: Tensor) -> Tensor:
    """Of images and their mirror images, (C, H, W)."""
    total = torch.stack([part.float().sum(0) for part in images.split(PART)]).double().sum(0)
    mean = (total / (255 * len(images))).float()
    return (mean + mean.flip(-1)) / 2


def _centred(images: Tensor, mean: Tensor) -> Tensor:
    return images.float() / 255 - mean


def _directions(images: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The variances along the first principal directions of images about 0, and these, (k, C, H, W)."""
    rank = min(rank, len(images), images[0].numel())
    torch.manual_seed(0)
    _, values, rows = torch.svd_lowrank(images.flatten(1), rank, niter=4)
    return values.square(), rows.T.reshape(-1, *images.shape[1:])
