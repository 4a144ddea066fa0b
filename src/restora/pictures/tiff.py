"""TIFFs of channels: what their metadata say is a channel, and files that say it.

- SamplesPerPixel: the samples of a pixel are its channels, interleaved or in planes (PlanarConfiguration);
  ExtraSamples says that the last of them is alpha.
- ImageJ and OME files, and others of tifffile that name their axes: the axis C is channels.
- Any other axis, and pages of which nothing is said: the first one is read.
"""

from __future__ import annotations

import io
import logging
import math
from typing import Any, BinaryIO

import numpy as np

from restora.errors import ImageError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_CHANNELS = 16
ALPHA = (1, 2)  # of ExtraSamples: associated and unassociated
GREY, RGB = 1, 2  # of PhotometricInterpretation
SEPARATE = 2  # of PlanarConfiguration
ORIENTATION = 274

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it says of damage is for no one


class Channels:
    """A TIFF as its metadata describe it. Raises what tifffile raises for a damaged one."""

    def __init__(self, file: BinaryIO):
        import tifffile

        self.series = tifffile.TiffFile(file).series[0]
        self.page: Any = self.series.keyframe
        self.sizes = dict(zip(self.series.axes, self.series.shape, strict=True))
        self.count = self.sizes.get("C", 1) * self.sizes.get("S", 1)

    @property
    def has_alpha(self) -> bool:
        return self.page.extrasamples[-1:] in ((kind,) for kind in ALPHA)

    @property
    def colours(self) -> int:
        """How many channels it has beside alpha."""
        return self.count - self.has_alpha

    @property
    def is_special(self) -> bool:
        """Whether other decoders would take it for something else, or not take it: pages that are channels,
        samples that are neither grey nor RGB, deep ones in planes."""
        if self.sizes.get("C", 1) > 1:
            return True
        page = self.page
        if page.photometric == GREY:
            return page.samplesperpixel > 1
        unknown = len(page.extrasamples) > self.has_alpha
        return page.photometric == RGB and (
            unknown or (page.planarconfig == SEPARATE and page.bitspersample > 8)
        )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.page.imagewidth, self.page.imagelength

    @property
    def orientation(self) -> int:
        tag = self.page.tags.get(ORIENTATION)
        return tag.value if tag else 1

    def array(self, name: str, most: float) -> np.ndarray:
        """(H, W, C) as stored, of the first place on every other axis. ImageError for more than MAX_CHANNELS
        channels, more than `most` values in all, or a compression that cannot be undone."""
        if self.colours > MAX_CHANNELS:
            raise ImageError(
                f"{name}: {self.colours} channels; at most {MAX_CHANNELS} are accepted. Keep some of them"
            )
        if math.prod(self.series.shape) > most:
            raise ImageError(
                f"{name}: {self.series.shape} values; at most {most:g} are accepted. Take a part"
            )
        try:
            values = self.series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise ImageError(
                f"{name}: compressed with {self.page.compression.name}, which only the package imagecodecs "
                "undoes; save it uncompressed or with Deflate"
            ) from error
        values = values[tuple(slice(None) if axis in "CSYX" else 0 for axis in self.series.axes)]
        axes = [axis for axis in self.series.axes if axis in "CSYX"]
        values = values.transpose([axes.index(axis) for axis in "YXCS" if axis in axes])
        return values.reshape(*values.shape[:2], -1)


def find(file: BinaryIO) -> Channels | None:
    """Of any file, from its head, while it is open; None where it is no TIFF, or too damaged to tell."""
    if file.read(4) not in MAGIC:
        return None
    file.seek(0)
    try:
        return Channels(file)
    except Exception:  # whatever is wrong with it, other decoders find the words
        return None


def encode(array: np.ndarray) -> bytes:
    """(C, H, W) of 8 or 16 bits -> the bytes of an ImageJ TIFF, a page a channel."""
    import tifffile

    stream = io.BytesIO()
    pages = array[None, None, ..., None]
    tifffile.imwrite(stream, pages, imagej=True, metadata={"axes": "TZCYXS", "mode": "composite"})
    return stream.getvalue()
