"""Parts that stand for all of a picture: tiles on a grid, cut at whole blocks of JPEG, and a small copy.

A large file is turned into floats only there, which takes a tenth of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from restora.inspection.blur import SIDE
from restora.operators import codec
from restora.pictures.colour import luma
from restora.pictures.document import Document
from restora.pictures.picture import Picture

TILE, MOST = 256, 3  # pixels a side, and tiles a side
GRAIN = 2 * codec.BLOCK
WORKING = 1_500_000  # pixels of the small copy, at most


@dataclass(frozen=True)
class Sample:
    """What is looked at of a picture, or of the first one of a document."""

    source: Picture | Document

    @cached_property
    def picture(self) -> Picture:
        """All of it."""
        return self.source if isinstance(self.source, Picture) else self.source.picture()

    @property
    def bits(self) -> int:
        return self.source.bits

    @property
    def channels(self) -> int:
        if isinstance(self.source, Picture):
            return len(self.source.pixels)
        return self.source.arrays[0].shape[2] - self.source.has_alpha

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        if isinstance(self.source, Picture):
            return self.source.size
        height, width, _ = self.source.arrays[0].shape
        return height, width

    @cached_property
    def tiles(self) -> Tensor:
        """Up to nine tiles (N, C, h, w); none of a picture that is smaller than a block."""
        rows, columns = (_starts(side) for side in self.size)
        height, width = (min(side // GRAIN * GRAIN, TILE) for side in self.size)
        parts = [self.cut(i, j, height, width) for i in rows for j in columns]
        return torch.stack(parts) if height and width else torch.zeros(0, self.channels, GRAIN, GRAIN)

    @cached_property
    def small(self) -> Tensor:
        """(C, h, w), the means of squares of so many pixels that there are no more than WORKING of them."""
        by = max(1, round(math.sqrt(self.size[0] * self.size[1] / WORKING)))
        if self._file is None:
            return F.avg_pool2d(self.picture.pixels[None], by)[0]
        import cv2

        height, width = (side // by for side in self.size)
        array = np.ascontiguousarray(self._file.arrays[0][: height * by, : width * by])
        shrunk = np.asarray(cv2.resize(array, (width, height), interpolation=cv2.INTER_AREA))
        return _pixels(self._file, shrunk.reshape(height, width, -1))

    def cut(self, top: int, left: int, height: int, width: int) -> Tensor:
        """(C, height, width), a part of the picture."""
        rows, columns = slice(top, top + height), slice(left, left + width)
        if self._file is None:
            return self.picture.pixels[:, rows, columns]
        return _pixels(self._file, self._file.arrays[0][rows, columns])

    @property
    def _file(self) -> Document | None:
        """The document, if its values are of a type of which none can be wrong."""
        if isinstance(self.source, Document) and self.source.dtype in (np.uint8, np.uint16):
            return self.source
        return None


def _pixels(document: Document, array: np.ndarray) -> Tensor:
    """(C, h, w) of a part of the document."""
    return replace(document, arrays=(array,)).picture().pixels


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
