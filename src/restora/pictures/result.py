"""The result of a document: its planes, restored, with all that the file carried -> a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from restora.errors import OutputError
from restora.pictures import encoding, pillow, profiles, tiff_writing
from restora.pictures.document import Document
from restora.pictures.formats import STACK, TIFF, Format, of_suffix

SRGB = b"sRGB"


class Result:
    """Takes the planes of `document` in any order, and writes them to `path`, in the format of its suffix.

    quality: of lossy formats, from 1 to 100. numbers: the planes are 16-bit numbers, not pictures: without
    profile and alpha. opaque: without alpha alone. OutputError for a format that cannot hold such a document.
    """

    def __init__(
        self,
        path: Path,
        document: Document,
        quality: int | None = None,
        *,
        numbers: bool = False,
        opaque: bool = False,
    ):
        self.path, self.document, self.quality, self.numbers = path, document, quality, numbers
        self.has_alpha = document.has_alpha and not (numbers or opaque)
        format = of_suffix(path.suffix)
        if format is None or not format.written:
            raise OutputError(f"{path}: unknown suffix {path.suffix!r}")
        if document.kind not in format.kinds:
            hint = "tif" if document.kind == STACK else "png, webp or avif"
            raise OutputError(f"{path}: no {path.suffix} holds {document.kind}; choose the format {hint}")
        if self.has_alpha and not format.alpha:
            raise OutputError(
                f"{path}: {path.suffix} cannot store the transparency of this image; choose the format png"
            )
        self.format: Format = format
        self._arrays: dict[int, np.ndarray] = {}

    @property
    def notes(self) -> list[str]:
        """What is lost in this format."""
        lost = self.document.metadata.lost(self.format) if not self.numbers else []
        deep = self.document.bits > self.format.depth
        lost += [f"depth of more than {self.format.depth} bits"] * deep
        said = f"{self.document.name}: {self.path.suffix} does not hold its {' and '.join(lost)}"
        return [said] if lost else []

    def add(self, i: int, image: Tensor) -> None:
        """Plane i: (C, H, W) in [0, 1], in the place of the one that was read, of any size."""
        document = self.document
        if not image.isfinite().all():
            raise OutputError(f"{self.path}: the image has NaN or infinite values, so it was not written")
        array = image.detach().cpu().double().clamp(0, 1).permute(1, 2, 0).numpy()
        array = array if self.numbers else self._coloured(array)
        alpha = document.alpha(i) if self.has_alpha else None
        if alpha is not None:
            array = np.concatenate([array, _resized(alpha, array.shape[:2])], axis=2)
        self._arrays[i] = _stored(pillow.upright(array, document.turn), *self._depth())

    def shown(self) -> Tensor:
        """The first plane, of numbers: (C, H, W)."""
        return torch.from_numpy(self._arrays[0].astype(np.float32) / 65535).permute(2, 0, 1)

    def write(self) -> None:
        """OutputError where that fails; the file is whole or not there."""
        document = self.document
        arrays = [self._arrays[i] for i in range(len(document))]
        old = pillow.upright(document.arrays[0], document.turn).shape[:2]
        size = arrays[0].shape[:2]
        metadata = document.metadata.resized((size[0], size[1]), (old[0], old[1]))
        if self.numbers:
            metadata = encoding.PLAIN
        elif not profiles.fits(metadata.icc, arrays[0].shape[2] - self.has_alpha):
            metadata = encoding.without_profile(metadata)
        if self.format is TIFF:
            make = lambda: tiff_writing.encode(arrays, document, metadata, self.has_alpha)  # noqa: E731
        else:
            make = lambda: encoding.encode(arrays, self.format, metadata, self.quality)  # noqa: E731
        encoding.save(self.path, make)

    def _coloured(self, array: np.ndarray) -> np.ndarray:
        """With values that mean what the file will say they mean."""
        metadata = self.document.metadata
        if array.shape[2] not in (1, 3):
            return array
        array, icc = profiles.fit(array, metadata.icc)
        if icc and "ICC profile" not in self.format.carries:
            return profiles.without(array, icc)
        if not metadata.icc and "gamma" not in self.format.carries and SRGB not in metadata.gamma:
            return profiles.without(array, b"", metadata.gamma.get(b"gAMA", b""))
        return array

    def _depth(self) -> tuple[np.dtype, int]:
        """The type of the values to write, and the one that is white; 0 for floats."""
        document = self.document
        if self.numbers:
            return np.dtype(np.uint16), 65535
        if document.bits == 8 or self.format.depth == 8:
            return np.dtype(np.uint8), 255
        if self.format.depth == 16:
            return np.dtype(np.uint16), 65535
        return document.dtype, document.full


def _resized(alpha: Tensor, size: tuple[int, ...]) -> np.ndarray:
    """(1, H, W) -> (H', W', 1)."""
    if tuple(alpha.shape[-2:]) != tuple(size):
        alpha = F.interpolate(alpha[None], tuple(size), mode="bicubic", antialias=True)[0].clamp(0, 1)
    return alpha.permute(1, 2, 0).double().numpy()


def _stored(array: np.ndarray, dtype: Any, full: int) -> np.ndarray:
    if not full:
        return array.astype(dtype)
    return np.minimum(np.rint(array * full), np.iinfo(dtype).max).astype(dtype)
