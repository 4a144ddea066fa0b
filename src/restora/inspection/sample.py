"""Parts of a picture that stand for all of it: tiles on a grid, cut at whole blocks of JPEG."""

from __future__ import annotations

import torch
from torch import Tensor

from restora.inspection.blur import SIDE
from restora.operators import codec
from restora.pictures.colour import luma

TILE, MOST = 256, 3  # pixels a side, and tiles a side
GRAIN = 2 * codec.BLOCK


def tiles(pixels: Tensor) -> Tensor:
    """Up to nine tiles (N, C, h, w) of a picture (C, H, W); none of one that is smaller than a block."""
    rows, columns = (_starts(side) for side in pixels.shape[-2:])
    height, width = (min(side // GRAIN * GRAIN, TILE) for side in pixels.shape[-2:])
    parts = [pixels[:, i : i + height, j : j + width] for i in rows for j in columns]
    return torch.stack(parts) if height and width else pixels.new_zeros(0, len(pixels), GRAIN, GRAIN)


def patches(parts: Tensor) -> Tensor:
    """(M, SIDE, SIDE) of the luma of tiles; half a patch apart where there are few."""
    if min(parts.shape[-2:]) < SIDE or not len(parts):
        return parts.new_zeros(0, SIDE, SIDE)
    step = SIDE if len(parts) > 4 else SIDE // 2
    return grey(parts)[:, 0].unfold(1, SIDE, step).unfold(2, SIDE, step).reshape(-1, SIDE, SIDE)


def mosaic(parts: Tensor) -> Tensor:
    """The tiles below each other, (C, N h, w)."""
    return parts.movedim(0, 1).flatten(1, 2)


def grey(parts: Tensor) -> Tensor:
    """(N, 1, h, w): luma, or the mean of channels that are no colours."""
    return luma(parts) if parts.shape[1] == 3 else parts.mean(1, keepdim=True)


def _starts(side: int) -> list[int]:
    count = min(MOST, -(-side // TILE))
    last = max(side - TILE, 0)
    return sorted({round(last * i / max(count - 1, 1)) // GRAIN * GRAIN for i in range(count)})
