"""The transform of JPEG: full-range YCbCr, planes of smaller chroma, and blocks of 8x8 cosines.

    (Y, Cb, Cr) = M (R, G, B)     BT.601, as JFIF has it; without the offsets
    c = DCT of each 8x8 block, orthonormal;   chroma: of the means of `factors` pixels

A decoder enlarges chroma with the weights (3, 1)/4 an axis ("fancy upsampling", libjpeg), so that the mean of
what it gives is (1, 6, 1)/8 of the plane, border repeated: 3/4 + cos(pi k/N)/4 in the cosine basis, inverted
there. Images are whole blocks here. Source: ITU-T T.81 and T.871.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.errors import ShapeError
from restora.gaussian.cosine import cosines, dct, idct
from restora.pictures.colour import LUMA

Factors = tuple[int, int]
Subsampling = Literal["4:2:0", "4:2:2", "4:4:4"]
FACTORS: dict[Subsampling, Factors] = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}
"""Rows and columns of pixels that share a chroma value."""

BLOCK = 8
LUMA_TABLE = """
    16 11 10 16 24 40 51 61   12 12 14 19 26 58 60 55   14 13 16 24 40 57 69 56   14 17 22 29 51 87 80 62
    18 22 37 56 68 109 103 77   24 35 55 64 81 104 113 92   49 64 78 87 103 121 120 101
    72 92 95 98 112 100 103 99"""
CHROMA_TABLE = """
    17 18 24 47 99 99 99 99   18 21 26 66 99 99 99 99   24 26 56 99 99 99 99 99   47 66 99 99 99 99 99 99
    99 99 99 99 99 99 99 99   99 99 99 99 99 99 99 99   99 99 99 99 99 99 99 99   99 99 99 99 99 99 99 99"""


def tables(quality: int) -> Tensor:
    """(2, 8, 8), of luma and chroma, whole numbers from 1 to 255: those of Annex K as libjpeg scales them."""
    usual = torch.tensor([int(word) for text in (LUMA_TABLE, CHROMA_TABLE) for word in text.split()])
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((usual * percent + 50) // 100).clamp(1, 255).view(2, BLOCK, BLOCK).float()


def tile(table: Tensor, plane: int, like: Tensor) -> Tensor:
    """That of a plane, 0 for luma and 1 or 2 for chroma, of (B, 2, 8, 8), for each block of `like`."""
    rows, columns = (side // BLOCK for side in like.shape[-2:])
    return table[:, min(plane, 1), None].to(like).repeat(1, 1, rows, columns)


def colours(channels: int, like: Tensor) -> Tensor:
    """M (planes, channels): rows Y, Cb, Cr of RGB; a grey image is its own luma. ShapeError for others."""
    if channels not in (1, 3):
        raise ShapeError(f"JPEG: expected an RGB or a grey image, got {channels} channels; convert it first")
    if channels == 1:
        return like.new_ones(1, 1)
    (red, _, blue), eye = LUMA, torch.eye(3, dtype=torch.float64)
    y = torch.tensor(LUMA, dtype=torch.float64)
    return torch.stack([y, (eye[2] - y) / (2 * (1 - blue)), (eye[0] - y) / (2 * (1 - red))]).to(like)


def blocks(planes: Tensor) -> Tensor:
    """(B, C, H, W) -> the coefficients of its blocks, each in the place of its block."""
    return _each(cosines(BLOCK, planes), planes)


def unblocks(coefficients: Tensor) -> Tensor:
    """The inverse of `blocks`, and its transpose."""
    return _each(cosines(BLOCK, coefficients).T, coefficients)


def _each(basis: Tensor, x: Tensor) -> Tensor:
    parts = x.unflatten(-1, (-1, BLOCK)) @ basis.T
    columns = parts.flatten(-2).unflatten(-2, (-1, BLOCK))
    return (basis @ columns).flatten(-3, -2)


def means(planes: Tensor, factors: Factors) -> Tensor:
    """(..., H, W) -> (..., H / rows, W / columns)."""
    return F.avg_pool2d(planes, factors) if math.prod(factors) > 1 else planes


def repeat(planes: Tensor, factors: Factors) -> Tensor:
    """Each value for all the pixels that share it: the pseudo-inverse of `means`."""
    return planes.repeat_interleave(factors[0], -2).repeat_interleave(factors[1], -1)


def enlarge(planes: Tensor, factors: Factors) -> Tensor:
    """As a decoder does it: the triangle (3, 1)/4, border repeated."""
    if math.prod(factors) == 1:
        return planes
    scale = (float(factors[0]), float(factors[1]))
    return F.interpolate(planes, scale_factor=scale, mode="bilinear", align_corners=False)


def shrink(planes: Tensor, factors: Factors) -> Tensor:
    """The inverse of `enlarge`, of what it gives; of anything else, about that."""
    small = means(planes, factors)
    if math.prod(factors) == 1:
        return small
    rows, columns = (_response(n, f).to(small) for n, f in zip(small.shape[-2:], factors, strict=True))
    return idct(dct(small) / (rows.view(-1, 1) * columns))


def _response(size: int, factor: int) -> Tensor:
    """What `means` of `enlarge` does to each cosine of an axis, (size,)."""
    k = torch.arange(size, dtype=torch.float64)
    return torch.ones_like(k) if factor == 1 else 0.75 + torch.cos(math.pi * k / size) / 4
