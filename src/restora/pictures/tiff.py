"""TIFF files as stacks: the planes of every series, in the order of the file, and what their tags say.

- SamplesPerPixel: the samples of a pixel are its channels, interleaved or in planes (PlanarConfiguration);
  ExtraSamples says that the last of them is alpha.
- ImageJ and OME files, and others of tifffile that name their axes: the axis C is channels.
- Any other axis, and pages of which nothing is said: planes of their own.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import numpy as np

from restora.errors import ImageError
from restora.limits import BYTES, INFLATED, VALUES, BoundError
from restora.pictures import tiff_chain

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_CHANNELS = 16
ALPHA = (1, 2)  # of ExtraSamples: associated and unassociated
WHITE, GREY, RGB = 0, 1, 2  # of PhotometricInterpretation
DESCRIPTION, ORIENTATION, XMP, EXIF, GPS, ICC = 270, 274, 700, 34665, 34853, 34675
REMADE = frozenset(
    {*range(254, 260), 262, 263, 266, 273, ORIENTATION, *range(277, 285), *range(288, 293), 296}
    | {317, *range(320, 331), 338, 339, 340, 341, 347, *range(512, 522), *range(529, 533), EXIF, GPS, ICC}
)
"""Tags that say how pixels are stored: they are written anew, not copied."""

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # silent; damage is reported by restora


Directories = Callable[[int], dict[int, dict[int, Any]]]  # the EXIF and GPS tags of a page


@dataclass(frozen=True)
class Page:
    """The tags of a page: (code, type, count, bytes) of those that are copied, and what becomes of others."""

    tags: tuple[tuple[int, int, int, bytes], ...] = ()
    descriptions: tuple[bytes, ...] = ()
    resolution: tuple[tuple[int, int], tuple[int, int], int] | None = None
    directories: dict[int, dict[int, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Planes of one size: `axes` and `shape` of their array, and its pages. turn: the orientation that the
    file asks for. alpha: of ExtraSamples, 0 for none."""

    axes: str
    shape: tuple[int, ...]
    pages: tuple[Page, ...]
    turn: int = 1
    alpha: int = 0
    compressed: bool = False
    is_rgb: bool = False

    @property
    def others(self) -> tuple[int, ...]:
        """Sizes of the axes that tell planes apart."""
        return tuple(n for axis, n in zip(self.axes, self.shape, strict=True) if axis not in "CSYX")

    @property
    def count(self) -> int:
        return math.prod(self.others)

    def planes(self, values: np.ndarray) -> np.ndarray:
        """(N, H, W, C), samples after channels."""
        names = [axis for axis in self.axes if axis not in "CSYX"]
        order = names + [axis for axis in "YXCS" if axis in self.axes]
        moved = values.transpose([self.axes.index(axis) for axis in order])
        height, width = (self.shape[self.axes.index(axis)] for axis in "YX")
        return moved.reshape(self.count, height, width, -1)


@dataclass(frozen=True)
class Layout:
    """How the planes of a file are arranged in it."""

    series: tuple[Series, ...]
    order: Literal["<", ">"] = "<"
    big: bool = False

    def place(self, i: int) -> tuple[Series, int]:
        """The series of plane i, and its place there."""
        for series in self.series:
            if i < series.count:
                return series, i
            i -= series.count
        raise IndexError(i)


class Reader:
    """An open TIFF. Raises what tifffile raises for a damaged one."""

    def __init__(self, data: bytes | BinaryIO):
        import tifffile

        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        tiff_chain.check(stream)
        stream.seek(0)
        self.file = tifffile.TiffFile(stream)
        self.series = [series for series in self.file.series if series.ndim >= 2]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the first plane, as stored."""
        page = self.series[0].keyframe
        return page.imagewidth, page.imagelength

    @property
    def turn(self) -> int:
        return _turn(self.series[0].keyframe)

    @property
    def planes(self) -> int:
        return sum(series.size // _inner(series) for series in self.series)

    def check(self, name: str, max_pixels: float) -> None:
        """ImageError for channels or values that are too many, or planes that are in other files."""
        for series in self.series:
            sizes = dict(zip(series.axes, series.shape, strict=True))
            colours = sizes.get("C", 1) * sizes.get("S", 1) - _alpha(series.keyframe)
            if colours > MAX_CHANNELS:
                raise ImageError(
                    f"{name}: {colours} channels; at most {MAX_CHANNELS} are accepted. Keep some of them"
                )
            if len(series.pages) > 1 and any(page is None for page in series.pages):
                raise ImageError(
                    f"{name}: some of its planes are in other files; save the whole stack as one file"
                )
        counts = [math.prod(series.shape) for series in self.series]
        room = sum(n * series.dtype.itemsize for n, series in zip(counts, self.series, strict=True))
        if sum(counts) > (most := VALUES * max_pixels) or room > BYTES * max_pixels:
            shapes = ", ".join(f"{series.shape} {series.dtype}" for series in self.series)
            raise ImageError(
                f"{name}: {shapes} values; at most {most:g} are accepted, of {BYTES * max_pixels:g} bytes. "
                "Take a part, or raise max_pixels"
            )

    def layout(self, axes: Sequence[str], shapes: Sequence[tuple[int, ...]], of: Directories) -> Layout:
        """Of values of these axes and shapes, one for each series."""
        tags = _Tags(of, self.file.filehandle.size + INFLATED)
        parts = zip(self.series, axes, shapes, strict=True)
        found = tuple(_series(series, names, shape, tags) for series, names, shape in parts)
        return Layout(found, self.file.byteorder, self.file.is_bigtiff)

    def notes(self, name: str) -> tuple[str, ...]:
        """What of it is not read."""
        reduced = any(len(getattr(series, "levels", [0])) > 1 for series in self.series)
        return (f"{name}: its reduced copies (a pyramid) are left out",) if reduced else ()

    @property
    def icc(self) -> bytes:
        tag = self.series[0].keyframe.tags.get(ICC)
        return bytes(tag.value) if tag and isinstance(tag.value, bytes) else b""


def check_axes(axes: str, series: Any, name: str) -> str:
    """ImageError where they are not those of values of such a shape."""
    names = axes.upper()
    if len(names) != series.ndim or not {"Y", "X"} <= set(names) or len(set(names)) != len(names):
        raise ImageError(
            f"{name}: axes {axes!r} for values of shape {series.shape}, {series.axes!r} in the file; "
            f"expected {series.ndim} different letters, with Y and X among them"
        )
    return names


def _series(series: Any, axes: str, shape: tuple[int, ...], tags: _Tags) -> Series:
    key = series.keyframe
    pages = [page.aspage() for page in series.pages if page is not None]
    return Series(
        axes,
        shape,
        tuple(map(tags.read, pages)),
        _turn(key),
        key.extrasamples[-1] if _alpha(key) else 0,
        key.compression != 1,
        key.photometric not in (WHITE, GREY) and "S" in axes,
    )


def _inner(series: Any) -> int:
    return math.prod(n for axis, n in zip(series.axes, series.shape, strict=True) if axis in "CSYX")


def _turn(page: Any) -> int:
    tag = page.tags.get(ORIENTATION)
    return int(tag.value) if tag else 1


def _alpha(page: Any) -> bool:
    return page.extrasamples[-1:] in ((kind,) for kind in ALPHA)


class _Tags:
    """Those of pages; together of at most `most` bytes, since pages may share the place of a long one."""

    def __init__(self, directories: Directories, most: int):
        self.directories, self.left = directories, most

    def read(self, page: Any) -> Page:
        tags, descriptions = [], []
        stream = page.parent.filehandle
        for tag in page.tags:
            if tag.code in REMADE:
                continue
            self.left -= tag.valuebytecount
            if self.left < 0:
                raise BoundError("its pages share their tags; save it again")
            stream.seek(tag.valueoffset)
            value = stream.read(tag.valuebytecount)
            if tag.code == DESCRIPTION:
                descriptions.append(value.rstrip(b"\0"))
            else:
                tags.append((tag.code, int(tag.dtype), tag.count, value))
        own = self.directories(page.index) if {EXIF, GPS} & {tag.code for tag in page.tags} else {}
        return Page(tuple(tags), tuple(descriptions), _resolution(page), own)


def _resolution(page: Any) -> tuple[tuple[int, int], tuple[int, int], int] | None:
    x, y, unit = (page.tags.get(code) for code in (282, 283, 296))
    with contextlib.suppress(TypeError, ValueError):
        if x and y and len(x.value) == len(y.value) == 2 and all(n > 0 for n in (*x.value, *y.value)):
            return tuple(x.value), tuple(y.value), int(unit.value) if unit else 2
    return None


def open_tiff(source: bytes | BinaryIO) -> Reader | None:
    """None where it is no TIFF, or too damaged to tell; BoundError for too many pages."""
    head = source[:4] if isinstance(source, bytes) else source.read(4)
    if head not in MAGIC:
        return None
    if not isinstance(source, bytes):
        source.seek(0)
    try:
        reader = Reader(source)
        return reader if reader.series else None
    except BoundError:
        raise
    except Exception:  # whatever is wrong with it, other decoders find the words
        return None
