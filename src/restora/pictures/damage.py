"""Truncated files: what of them can be decoded, and how much is lost."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from restora.pictures import pillow, png

BLANK = 128  # of all channels, where libjpeg has no data
TOO_MUCH = 0.9


@dataclass(frozen=True)
class Mended:
    """Bytes that can be decoded by lenient decoders, and what there is to say of them."""

    data: bytes
    note: str


def mend(data: bytes, max_pixels: float) -> Mended | None:
    """A JPEG or PNG of which a part can be read, of at most so many pixels; None for others."""
    if data.startswith(png.MAGIC):
        try:
            data, lost = png.mended(data, max_pixels)
        except ValueError:
            return None
        return _mended(data, lost, "black")
    if data.startswith(b"\xff\xd8"):
        try:
            return _mended(data, _blank(data, max_pixels), "grey")
        except (OSError, SyntaxError, ValueError):
            return None
    return None


def _mended(data: bytes, lost: float, colour: str) -> Mended | None:
    if lost > TOO_MUCH:
        return None
    share = f"the last {max(lost, 0.01):.0%} of it is lost, and {colour}" if lost else "its end is missing"
    return Mended(data, f"truncated or damaged; {share}")


def _blank(data: bytes, max_pixels: float) -> float:
    """The share of the last rows that are of the colour of missing data."""
    with pillow.lenient():
        picture = pillow.open_head(io.BytesIO(data))
        if picture.width * picture.height > max_pixels:
            raise ValueError("too large")
        rows = np.asarray(picture.convert("RGB"))
    filled = np.flatnonzero((rows != BLANK).any((1, 2)))
    return 1 - (filled[-1] + 1) / len(rows) if filled.size else 1.0
