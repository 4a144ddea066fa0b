"""What quality a picture was once compressed with, from the lattice of its block cosines.

A coefficient that JPEG rounded is a whole number of steps q, also after the file was decoded and stored
otherwise: cos(2 pi c / q) is 1 but for the rounding to bytes, and 0 on average for any other picture.
Coefficients of index 0 tell nothing, as those of smooth pictures are small anyway. The quality is that
whose tables fit best (`restora.operators.codec`), the chroma subsampling the one on whose planes they do.

Source: Fan and de Queiroz, "Identification of bitmap compression history", IEEE TIP 2003.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from restora.operators import codec
from restora.operators.coefficients import Transform

LOWEST, HIGHEST = 5, 97  # qualities that are looked for
FEWEST, REPEATED, FREQUENCIES = 40, 4, 6  # coefficients that tell, in all and of a frequency; frequencies
SEEN, CHROMA_SEEN = 0.55, 0.35  # mean cosines that are a lattice
CHROMA_BETTER = 0.15  # than that of the usual subsampling
INDICES = 12.5


class Lattice(NamedTuple):
    """quality: libjpeg's. match: the mean cosine, 1 for a perfect lattice. subsampling: of chroma."""

    quality: int
    match: float
    subsampling: codec.Subsampling


def quality_of(tables: Tensor) -> tuple[int, float]:
    """The libjpeg quality nearest to tables (2, 8, 8), and by how much they differ: the mean ratio, less
    1."""
    errors = [
        ((tables.float() - known).abs() / known).mean().item() for known in map(codec.tables, range(1, 101))
    ]
    best = min(range(100), key=lambda i: errors[i])
    return best + 1, errors[best]


def find_lattice(tiles: Tensor) -> Lattice | None:
    """That of parts (N, C, H, W) of a picture of bytes, cut at whole blocks of 16 pixels; None where there is
    none."""
    if min(tiles.shape[-2:]) < 2 * codec.BLOCK or tiles.shape[1] not in (1, 3):
        return None
    luma = luma_blocks(tiles)
    scores = {quality: _match(luma, codec.tables(quality)[0]) for quality in range(LOWEST, HIGHEST + 1)}
    best = max(scores, key=lambda quality: (round(scores[quality], 2), -quality))
    if scores[best] < SEEN:
        return None
    return Lattice(best, scores[best], _subsampling(tiles, best))


def luma_blocks(tiles: Tensor) -> Tensor:
    """The coefficients of the luma of parts (N, C, H, W): (N, rows, columns, 8, 8), in bytes."""
    return _blocks(Transform("4:4:4").read(tiles - 128 / 255)[0])


def _subsampling(tiles: Tensor, quality: int) -> codec.Subsampling:
    """The one on whose planes chroma has a lattice; libjpeg's default, where none does."""
    if tiles.shape[1] == 1:
        return "4:4:4"
    table = codec.tables(quality)[1]
    scores: dict[codec.Subsampling, float] = {}
    for name, (rows, columns) in codec.FACTORS.items():
        height, width = (
            side // (8 * f) * 8 * f for side, f in zip(tiles.shape[-2:], (rows, columns), strict=True)
        )
        planes = Transform(name).read(tiles[..., :height, :width] - 128 / 255)[1:]
        inner = [
            _blocks(plane)[:, 1:-1, 1:-1] for plane in planes
        ]  # borders of a tile are none of the picture
        scores[name] = sum(_match(part, table) for part in inner if part.numel()) / 2
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > max(CHROMA_SEEN, scores["4:2:0"] + CHROMA_BETTER) else "4:2:0"


def _blocks(plane: Tensor) -> Tensor:
    """(N, 1, H, W) of coefficients -> (N, rows, columns, 8, 8), in bytes."""
    return 255 * plane[:, 0].unflatten(-1, (-1, 8)).unflatten(-3, (-1, 8)).movedim(-3, -2)


def _match(blocks: Tensor, table: Tensor) -> float:
    """The mean cosine of all coefficients of an index from 1 to 12, or its median over frequencies, if that
    is less; 0 where they are too few. A gradient fits by chance, but at few frequencies."""
    index = blocks / table
    counted = (index.abs() > 0.5) & (index.abs() < INDICES) & (table > 1)
    counted[..., 0, 0] = False
    cosines = torch.where(counted, (2 * math.pi * index).cos(), 0).flatten(0, -3).sum(0)
    counts = counted.flatten(0, -3).sum(0)
    told = counts >= REPEATED
    if int(counts.sum()) < FEWEST or int(told.sum()) < FREQUENCIES:
        return 0.0
    middle = (cosines[told] / counts[told]).median()
    return min((cosines.sum() / counts.sum()).item(), middle.item())
