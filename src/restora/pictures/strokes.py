"""What is painted: in an array of brightness, or over a copy of a photo. Arrays alone, no files.

Soft edges count as painted, the noise of compression does not. Both are faint, but an edge climbs steadily to
the paint that it belongs to; the waves that a JPEG has around an edge do not (grey reconstruction, Vincent
1993).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Level = NDArray[np.float32]
Pixels = NDArray[np.bool_]

FAINT = 40 / 255
"""Waves of compression around an edge from black to white are fainter than this."""
STEADY = 2  # values of faint paint; compression leaves more
RIM = 2  # pixels: so near the paint, what is faint is its edge
FEW = 4  # values of a mask that is drawn in some
NEAR = 16 / 255  # two values that may be the same, compressed
DARK = 0.1


def grown(mask: Pixels, pixels: float) -> Pixels:
    """`mask` and all that is at most so many pixels away from it."""
    if pixels <= 0 or not mask.any():
        return mask
    return ndimage.distance_transform_edt(~mask) <= pixels


def painted(level: Level) -> Pixels:
    """Pixels of (H, W) brightness in [0, 1] that are not black, except for the noise of compression."""
    level = np.maximum(level - ground(level), 0)
    above, strong = level > 0, level > FAINT
    if not strong.any() or (above == strong).all():
        return strong
    rim = grown(strong, max(RIM, 2 * _softness(level, strong)))
    stray = above & ~strong & ~rim & ~_climbs(level, strong)
    if values(level[stray]) <= STEADY:
        return above
    strong = _with(strong, level > 0.5)
    return strong | above & grown(strong, max(RIM, 2 * _softness(level, strong)))


def two_tone(level: Level) -> tuple[Pixels, str] | None:
    """Black and white, or a few values with black among them."""
    high = float(level.max())
    if level.min() == 0 and high > 0 and len(found := np.unique(level)) <= FEW:
        top = 255 if high * 255 > 0.99 else 65535
        known = ", ".join(f"{v * top:.0f}" for v in found)
        note = f"its values are {known} of {top}; all but 0 is missing"
        return level > 0, note if high < 0.5 else ""
    return (painted(level), "") if sum(shares(level)) > 0.98 else None


def soft(level: Level) -> tuple[Pixels, str] | None:
    """Black, and brushes that are not hard."""
    high = float(level.max())
    if high < 0.25 or level.min() > FAINT:
        return None
    black, white = shares(level / high)
    return (painted(level / high), "") if black + white > 0.75 else None


def shares(level: Level) -> tuple[float, float]:
    """Of black, and of white."""
    if not level.size:
        return 0.0, 0.0
    return float((level <= FAINT).mean()), float((level >= 1 - FAINT).mean())


def ground(level: Level) -> float:
    """The commonest of the faint values, of 255: the black of this array."""
    faint = np.round(level[level <= FAINT] * 255).astype(np.int64)
    return float(np.bincount(faint).argmax() / 255) if faint.size else 0.0


def values(level: Level) -> int:
    """How many different values of 255 there are."""
    return len(np.unique(np.round(level * 255)))


def is_copy(photo: Level, copy: Level, where: Pixels | None = None) -> bool:
    """Whether `copy` (C, H, W) mostly equals `photo`, judged where that is not dark, and at `where`."""
    lit = photo.max(0) > DARK
    lit = lit if where is None else lit & where
    return bool(lit.mean() > 0.01 and (_difference(photo, copy)[lit] <= NEAR).mean() > 0.5)


def strokes(photo: Level, copy: Level) -> Pixels:
    """Where `copy` (C, H, W), with strokes over it, differs from `photo` by more than compression does."""
    change = _difference(photo, copy)
    same = change[change <= NEAR]
    if same.size and np.percentile(same, 90) == 0:
        return change > 0
    noise = float(np.median(same)) if same.size else 0.0
    detail = ndimage.maximum_filter(photo, (1, 3, 3)) - ndimage.minimum_filter(photo, (1, 3, 3))
    usual = np.maximum(32 / 255, 8 * noise) + detail.max(0) / 4  # compression errs most where there is detail
    seeds = ndimage.uniform_filter(change, 3) > usual
    found = grown(seeds, RIM) & (change > max(4 / 255, 4 * noise))
    return ~grown(~grown(found, RIM), RIM)  # where the photo has the colour of the paint


def _difference(a: Level, b: Level) -> Level:
    """(H, W): the largest of the channels'."""
    return np.abs(a - b).max(0)


def _softness(level: Level, strong: Pixels) -> float:
    """Pixels that an edge takes from faint to half of white, usually."""
    border = strong & grown(~strong, 1)
    return float(np.median(ndimage.distance_transform_edt(level <= 0.5)[border])) if border.any() else 0.0


def _with(mask: Pixels, seeds: Pixels) -> Pixels:
    """The pieces of `mask` that have a seed."""
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    return np.isin(pieces, np.unique(pieces[mask & seeds])) & mask if count else mask


def _climbs(level: Level, strong: Pixels) -> Pixels:
    """Where a path that never descends leads to a strong pixel."""
    from skimage.morphology import reconstruction

    seeds = np.where(strong, level, np.minimum(level, 0))
    return reconstruction(seeds, level, method="dilation") >= level
