"""Pixels that are likely no picture: salt and pepper, dead pixels, scratches. A proposal, for people to
look at.

impulse   a pixel that is black or white in all channels, far from the median of the nine about it
dead      a pixel far from that median, where the others agree
scratch   a thin stroke, nearly white or black, away from what is on both sides of it, long and without
          branches
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from restora.inspection.sample import Sample, grey

FAR, DEVIANT = 0.25, 8  # from the median; of the deviations that all pixels have, which may be noise
AGREE = 1 / 12  # of it, what the others about a dead pixel are away on average
QUARTILE = 0.6745  # the median of |e|, e ~ N(0, 1)
IMPULSES, BALANCE = 0.002, 0.2  # share of the pixels that is salt and pepper; the rarer of both, of all
ALONE, MANY = 0.45, 0.02  # of the black and white pixels; of all
DEAD = (3, 2e-3)  # at least so many, and no more than this share
STRAY = 0.005  # of all pixels that are far from the median: so many look dead by chance
WIDEST = 7  # pixels across a stroke, at most
CONTRAST, DEVIATIONS, TONE = 0.12, 6.0, 0.05
NEUTRAL = 0.06  # largest less smallest channel of a stroke, which has no colour of its own
LIGHT, DARK, AWAY = 0.7, 0.2, 0.25  # how light or dark it is, and how far from what it lies on
LENGTH, SLIM = 0.16, 16.0  # of the diagonal; length over thickness
FRAME = 2  # pixels from the border of the picture, where a stroke along it is a frame
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
        *(part.float().mean().item() for part in (white & far, black & far, _dead(tiles)[0], white | black))
    )


def find_marks(sample: Sample, look: bool = True) -> tuple[Tensor | None, int, int]:
    """The proposal (1, H, W) for a picture of one channel or three, 1 where it is likely damaged, None where
    nothing is; how many dead pixels there are, and how many scratches. look: whether dead pixels are looked
    for, which takes longest in a large picture."""
    dead, far = torch.zeros(sample.size, dtype=torch.bool), 0
    if look:
        (dead,), far = _dead(sample.picture.pixels[None])
    count = int(dead.sum())
    if not DEAD[0] + STRAY * far <= count <= DEAD[1] * dead.numel():
        dead, count = torch.zeros_like(dead), 0
    strokes, scratches = _strokes(sample.small, sample.size)
    marks = dead | strokes
    return (marks[None].float() if bool(marks.any()) else None), count, scratches


def _median(tiles: Tensor) -> Tensor:
    """Of the nine pixels about each."""
    import cv2

    count, channels, height, width = tiles.shape
    flat = tiles.movedim(1, 0).reshape(channels, count * height, width).contiguous().numpy()
    found = np.stack([cv2.medianBlur(np.ascontiguousarray(plane), 3) for plane in flat])
    return torch.from_numpy(found).view(channels, count, height, width).movedim(0, 1)


def _dead(tiles: Tensor) -> tuple[Tensor, int]:
    """(N, h, w): far from the median, among pixels that agree; and how many are far from it at all."""
    median = grey(_median(tiles))
    away = (grey(tiles) - median).abs()
    noise = away.flatten()[:: 1 + away.numel() // 100_000].median() / QUARTILE
    own = (away > FAR) & (away > DEVIANT * noise)
    others = (9 * F.avg_pool2d(away, 3, 1, 1) - away) / 8
    level = F.max_pool2d(median, 3, 1, 1) + F.max_pool2d(-median, 3, 1, 1)
    return (own & (others < AGREE * away) & (level < FAR / 2))[:, 0], int((away > FAR).sum())


def _strokes(small: Tensor, size: tuple[int, int]) -> tuple[Tensor, int]:
    """Those of a picture (C, h, w), for one of (H, W) `size`: (H, W), and how many."""
    level, spread = (
        part.contiguous().numpy() for part in (grey(small[None])[0, 0], small.amax(0) - small.amin(0))
    )
    nothing = torch.zeros(size, dtype=torch.bool)
    if min(level.shape) < 4 * WIDEST:
        return nothing, 0
    mask, count = np.zeros(level.shape, np.uint8), 0
    for sign in (1, -1):
        own, number = _thin(level, spread, sign)
        mask, count = mask | own, count + number
    if not STROKES[0] <= mask.mean() <= STROKES[1]:
        return nothing, 0
    found = torch.from_numpy(mask)[None, None].float()
    found = F.max_pool2d(found, 3, 1, 1)
    return F.interpolate(found, size=size, mode="nearest")[0, 0] > 0, count


def _thin(level: np.ndarray, spread: np.ndarray, sign: int) -> tuple[np.ndarray, int]:
    """Strokes that are lighter than both sides (darker, if `sign` is -1), nearly white or black, without
    colour, and of one tone, as a branch in the light is not."""
    import cv2

    image = np.ascontiguousarray(sign * level)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDEST, WIDEST))
    hat = cv2.morphologyEx(image, cv2.MORPH_TOPHAT, kernel)
    limit = max(CONTRAST, DEVIATIONS * float(np.median(hat)) / QUARTILE)
    bright = (hat > limit).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    least = LENGTH * math.hypot(*image.shape)
    found = np.zeros(image.shape, np.uint8)
    number = 0
    for k in range(1, count):
        left, top, width, height, area = stats[k]
        length = math.hypot(width, height)
        if length < least or length * length < SLIM * area or _frames(stats[k], image.shape):
            continue
        place = slice(top, top + height), slice(left, left + width)
        window = labels[place] == k
        tone = np.median(image[place][window])
        even = np.median(np.abs(image[place][window] - tone)) < TONE
        end = tone >= LIGHT if sign > 0 else -tone <= DARK
        colourless = np.median(spread[place][window]) <= NEUTRAL
        if even and end and colourless and np.median(hat[place][window]) >= AWAY:
            found[place] |= window.astype(np.uint8)
            number += 1
    return found, number


def _frames(box: np.ndarray, size: tuple[int, ...]) -> bool:
    """Whether what is in (left, top, width, height, ...) is a thin line beside the border it follows."""
    left, top, width, height = box[:4].tolist()
    beside = width < WIDEST and min(left, size[1] - left - width) <= FRAME
    return beside or (height < WIDEST and min(top, size[0] - top - height) <= FRAME)
