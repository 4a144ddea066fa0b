"""Pictures made of pictures: grids of samples and labelled contact sheets."""

from __future__ import annotations

import torch
from torch import Tensor


def grid(images: Tensor, columns: int, gap: int = 2) -> Tensor:
    """(N, C, H, W) in [0, 1] -> one (C, H', W') picture, row by row on white."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    sheet = torch.ones(channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    for i, tile in enumerate(images.clamp(0, 1)):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[:, top : top + height, left : left + width] = tile
    return sheet
