"""The regression of images x on others, g, along the principal directions of g, for a `Correction`.

x = m + P^T V (g - m_g) + r,   P = (V S_gg V^T + ridge I)^-1 V S_gx
"""

from __future__ import annotations

import torch
from torch import Tensor

from restora.pictures.colour import to_unit
from restora.training.principal import principal

SHARE = 1e-3  # ridge, in mean variances along V: few photographs say little
PART = 512


def regression(g: Tensor, x: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """m, m_g, V and P of `Correction` from pairs, integers (N, C, H, W), and their mirror images.

    Mirrored, directions are even or odd: they are found apart, and the `rank` of most variance are kept.
    """
    mean, origin = (_mean(images) for images in (x, g))
    sample = _centred(g[:: -(-len(g) // (16 * PART))], origin)
    halves = [principal((sample + s * sample.flip(-1)) / 2, rank) for s in (1, -1)]
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
    totals = [to_unit(part).double().sum(0) for part in images.split(PART)]
    mean = (torch.stack(totals).sum(0) / len(images)).float()
    return (mean + mean.flip(-1)) / 2


def _centred(images: Tensor, mean: Tensor) -> Tensor:
    return to_unit(images) - mean
