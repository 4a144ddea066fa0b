"""Pixels that are likely no picture: salt and pepper, dead pixels, scratches. A proposal, for people to
look at.

impulse   a pixel that is black or white in all channels, far from the median of the nine about it
dead      a pixel far from that median, where the others agree
scratch   a thin stroke that is brighter or darker than what is on both sides of it, long and without branches
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from restora.inspection.sample import grey

FAR, AGREE = 0.25, 0.03  # from the median: of a pixel, and of the others (on average)
IMPULSES, BALANCE = 0.002, 0.2  # share of the pixels that is salt and pepper; the rarer of both, of all
ALONE, MANY = 0.45, 0.02  # of the black and white pixels; of all
DEAD = (3, 2e-3)  # at least so many, and no more than this share
WORKING = 1_500_000  # pixels on which strokes are looked for
WIDEST = 7  # pixels across a stroke, at most
CONTRAST, DEVIATIONS, TONE = 0.12, 6.0, 0.02
LENGTH, SLIM = 0.12, 8.0  # of the diagonal; length over thickness
STROKES = (0.0002, 0.08)  # share of the picture that scratches take


class Impulses(NamedTuple):
    """Shares of the pixels that are salt or pepper, that are dead, and that are black or white at all."""

    salt: float
    pepper: float
    dead: float
    cut: float

    @property
    def share(self) -> float:
        return self.salt + self.pepper

    @property
    def found(self) -> bool:
        """Whether it is salt and pepper: both, enough of them, and few black and white places beside."""
        both = self.share > IMPULSES and min(self.salt, self.pepper) > BALANCE * self.share
        return both and (self.share > ALONE * self.cut or self.share > MANY)


def find_impulses(tiles: Tensor) -> Impulses:
    """Those of tiles (N, C, h, w)."""
    white, black = (tiles >= 1).all(1), (tiles <= 0).all(1)
    far = (tiles - _median(tiles)).abs().amin(1) > FAR
    return Impulses(
        *(part.float().mean().item() for part in (white & far, black & far, _dead(tiles), white | black))
    )


def find_marks(pixels: Tensor, look: bool = True) -> tuple[Tensor | None, int, int]:
    """The proposal (1, H, W) for a picture (C, H, W), 1 where it is likely damaged, None where nothing is;
    how many dead pixels there are, and how many scratches. look: whether dead pixels are looked
    for, which takes longest in a large picture."""
    dead = _dead(pixels[None])[0] if look else torch.zeros(pixels.shape[1:], dtype=torch.bool)
    count = int(dead.sum())
    if not DEAD[0] <= count <= DEAD[1] * dead.numel():
        dead, count = torch.zeros_like(dead), 0
    strokes, scratches = _strokes(pixels)
    marks = dead | strokes
    return (marks[None].float() if bool(marks.any()) else None), count, scratches


def _median(tiles: Tensor) -> Tensor:
    """Of the nine pixels about each."""
    import cv2

    count, channels, height, width = tiles.shape
    flat = tiles.movedim(1, 0).reshape(channels, count * height, width).contiguous().numpy()
    found = np.stack([cv2.medianBlur(np.ascontiguousarray(plane), 3) for plane in flat])
    return torch.from_numpy(found).view(channels, count, height, width).movedim(0, 1)


def _dead(tiles: Tensor) -> Tensor:
    """(N, h, w): far from the median, among pixels that agree."""
    median = grey(_median(tiles))
    away = (grey(tiles) - median).abs()
    own = away > FAR
    others = (9 * F.avg_pool2d(away, 3, 1, 1) - away) / 8
    level = F.max_pool2d(median, 3, 1, 1) + F.max_pool2d(-median, 3, 1, 1)
    return (own & (others < AGREE) & (level < FAR / 2))[:, 0]


def _strokes(pixels: Tensor) -> tuple[Tensor, int]:
    """(H, W), and how many."""
    size = pixels.shape[-2:]
    by = max(1, round(math.sqrt(size[0] * size[1] / WORKING)))
    small = F.avg_pool2d(grey(pixels[None]), by)[0, 0].contiguous().numpy()
    nothing = torch.zeros(size, dtype=torch.bool)
    if min(small.shape) < 4 * WIDEST:
        return nothing, 0
    mask, count = np.zeros(small.shape, np.uint8), 0
    for sign in (1, -1):
        own, number = _thin(np.ascontiguousarray(sign * small))
        mask, count = mask | own, count + number
    if not STROKES[0] <= mask.mean() <= STROKES[1]:
        return nothing, 0
    found = torch.from_numpy(mask)[None, None].float()
    found = F.max_pool2d(found, 3, 1, 1)
    return F.interpolate(found, size=tuple(size), mode="nearest")[0, 0] > 0, count


def _thin(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Strokes that are brighter than both sides, and of one tone, as a branch in the light is not."""
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDEST, WIDEST))
    hat = cv2.morphologyEx(image, cv2.MORPH_TOPHAT, kernel)
    limit = max(CONTRAST, DEVIATIONS * float(np.median(hat)) / 0.6745)
    bright = (hat > limit).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    least = LENGTH * math.hypot(*image.shape)
    found = np.zeros(image.shape, np.uint8)
    number = 0
    for k in range(1, count):
        left, top, width, height, area = stats[k]
        length = math.hypot(width, height)
        if length < least or length * length < SLIM * area:
            continue
        place = slice(top, top + height), slice(left, left + width)
        window = labels[place] == k
        values = image[place][window]
        if np.median(np.abs(values - np.median(values))) < TONE:
            found[place] |= window.astype(np.uint8)
            number += 1
    return found, number
