"""A file as a whole: its planes or frames, and all else that it carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from restora.errors import ImageError
from restora.pictures.formats import PICTURE, Format
from restora.pictures.metadata import Metadata
from restora.pictures.picture import Picture
from restora.pictures.tiff import Layout


@dataclass(frozen=True)
class Document:
    """A decoded file.

    Attributes:
        arrays: each plane or frame, (H, W, C), with the values of the file; upright except for `turn`.
        turn: an EXIF orientation that has not been applied yet.
        has_alpha: whether the last channel is transparency.
        full: the value of white; 0 for floats from 0 to 1.
        kind: the file format.
        layout: the layout of a TIFF.
        notes: messages for the user.
    """

    name: str
    arrays: Sequence[np.ndarray]
    has_alpha: bool
    full: int
    format: Format | None = None
    kind: str = PICTURE
    metadata: Metadata = field(default_factory=Metadata)
    layout: Layout | None = None
    turn: int = 1
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def channels(self) -> int:
        """Number of channels of a plane, without transparency."""
        return self.arrays[0].shape[2] - self.has_alpha

    @property
    def bits(self) -> int:
        """8 or 16; 16 also for floats."""
        return 8 if self.full == 255 else 16

    @property
    def dtype(self) -> np.dtype:
        return self.arrays[0].dtype

    def picture(self, i: int = 0) -> Picture:
        """Plane i as an image. ImageError for values that are not an image."""
        scaled = self._scaled(self.arrays[i])
        if not self.has_alpha:
            return Picture(_planes(scaled), self.bits)
        colour, alpha = _planes(scaled[..., :-1]), _planes(scaled[..., -1:])
        return Picture(colour, self.bits, alpha if bool((alpha < 1).any()) else None)

    def alpha(self, i: int) -> Tensor | None:
        """The transparency of a plane, (1, H, W), also if this plane is opaque."""
        return _planes(self._scaled(self.arrays[i][..., -1:])) if self.has_alpha else None

    def _scaled(self, array: np.ndarray) -> np.ndarray:
        """Stored values -> float32, full scale at 1."""
        if array.dtype == np.uint8:
            return np.divide(array, 255, dtype=np.float32)
        if array.dtype.kind not in "iuf":
            raise ImageError(
                f"{self.name}: values of type {array.dtype}; expected 8 or 16 bits a channel, or floats"
            )
        low, high = array.min(), array.max()
        if array.dtype.kind in "iu":
            if low < 0 or high > 65535:
                raise ImageError(
                    f"{self.name}: integers from {low} to {high}; expected 8 or 16 bits a channel"
                )
            return np.divide(array, self.full, dtype=np.float32)
        if not np.isfinite(array).all():
            raise ImageError(f"{self.name}: has NaN or infinite values; expected finite numbers in [0, 1]")
        if low < -0.5 or high > 1.5:
            raise ImageError(
                f"{self.name}: float values from {low:.4g} to {high:.4g}; expected [0, 1]. Rescale it first"
            )
        return array.astype(np.float32)


def _planes(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
