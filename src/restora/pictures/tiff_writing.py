"""Planes -> a TIFF with the pages of another: the same axes, tags and descriptions, in the same order."""

from __future__ import annotations

import io
import json
import math
import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from restora.pictures import pillow
from restora.pictures.document import Document
from restora.pictures.metadata import Metadata
from restora.pictures.tiff import DESCRIPTION, EXIF, GPS, REMADE, XMP, Layout, Page, Series

UNASSOCIATED, UNSPECIFIED = 2, 0
INCH, LONG = 2, 4
_SIZE = re.compile(rb'((?:Physical)?Size)([XY])="([0-9.eE+-]+)"')


def encode(arrays: list[np.ndarray], document: Document, metadata: Metadata, alpha: bool) -> bytes:
    """`arrays`: the planes (H, W, C) of a result, one for each of the document's. alpha: whether the last
    channel is."""
    import tifffile

    layout = document.layout or _layout_of(document, metadata)
    stream = io.BytesIO()
    big = layout.big or sum(array.nbytes for array in arrays) > 2**32 - 2**25
    pages: list[Page] = []
    with tifffile.TiffWriter(stream, bigtiff=big, byteorder=layout.order) as file:
        start = 0
        for series in layout.series:
            part = _Part(series, np.stack(arrays[start : start + series.count]), alpha)
            start += series.count
            for page, rest, values in _runs(series.pages, part.pages):
                file.write(values, **part.options(page, rest), **_icc(metadata))
                pages += [page, *rest]
    return _finished(stream, pages, layout.order)


def encode_plain(array: np.ndarray) -> bytes:
    """(C, H, W) of 8 or 16 bits -> the bytes of a TIFF: grey, RGB, or of ImageJ, a page a channel."""
    import tifffile

    stream = io.BytesIO()
    if len(array) in (1, 3):
        page = array[0] if len(array) == 1 else array.transpose(1, 2, 0)
        kind = "rgb" if len(array) == 3 else "minisblack"
        tifffile.imwrite(stream, page, photometric=kind, metadata=None)
    else:
        pages = array[None, None, ..., None]
        tifffile.imwrite(stream, pages, imagej=True, metadata={"axes": "TZCYXS", "mode": "composite"})
    return stream.getvalue()


def _runs(pages: tuple[Page, ...], values: np.ndarray) -> Iterator[tuple[Page, tuple[Page, ...], np.ndarray]]:
    """A page, those that follow it and say nothing of their own, and the values of all.

    They are stored one after the other, as readers of stacks (ImageJ, tifffile) expect.
    """
    first, rest = pages[0], pages[1:] or (Page(resolution=pages[0].resolution),) * (len(values) - 1)
    plain = all(page == rest[0] and not page.descriptions and not page.directories for page in rest)
    if plain and rest and first.resolution == rest[0].resolution and {*rest[0].tags} <= {*first.tags}:
        yield first, rest, values
    else:
        for page, value in zip(pages, values, strict=True):
            yield page, (), value


def _icc(metadata: Metadata) -> dict[str, Any]:
    return {"iccprofile": metadata.icc} if metadata.icc else {}


class _Part:
    """The pages of a series with new values, `planes` (N, H, W, C)."""

    def __init__(self, series: Series, planes: np.ndarray, alpha: bool):
        self.series = series
        sizes = dict(zip(series.axes, series.shape, strict=True))
        old, count = (sizes.get("C", 1), sizes.get("S", 1)), planes.shape[-1]
        self.same = math.prod(old) == count
        channels, samples = old if self.same else (1, count)
        self.is_rgb = series.is_rgb if self.same else count - alpha == 3
        names = [axis for axis in series.axes if axis not in "CSYX"] + ["Y", "X", "C", "S"]
        values = planes.reshape(*series.others, *planes.shape[1:3], channels, samples)
        order = [axis for axis in series.axes if axis != "S"]
        missing = [axis for axis in "C" if axis not in order]
        values = values.transpose([names.index(axis) for axis in (*missing, *order, "S")])
        values = values.reshape(values.shape[len(missing) :])
        self.axes = [*order, "S"] if samples > 1 else order
        self.shape: tuple[int, ...] = values.shape[: len(self.axes)]
        inside = 3 if samples > 1 or order[-1] != "X" else 2
        self.samples = self.shape[-1] if inside == 3 else 1
        self.pages = values.reshape(-1, *self.shape[-inside:])
        height, width = (sizes[axis] for axis in "YX")
        self.ratio = planes.shape[1] / height, planes.shape[2] / width
        if series.turn in (5, 6, 7, 8):
            self.ratio = planes.shape[1] / width, planes.shape[2] / height
        self.extra = self._extra(alpha)

    def _extra(self, alpha: bool) -> list[int]:
        extra = self.samples - (3 if self.is_rgb else 1)
        last = [self.series.alpha or UNASSOCIATED] if alpha and extra else []
        return [UNSPECIFIED] * (extra - len(last)) + last

    def options(self, page: Page, rest: tuple[Page, ...]) -> dict[str, Any]:
        """The arguments of tifffile's `write`, for a page and the rest of its run."""
        texts = [text for text in map(self._described, page.descriptions[:2]) if text]
        more = [(DESCRIPTION - 1, 2, len(texts[0]) + 1, texts[0] + b"\0", True)] if len(texts) > 1 else []
        links = [(code - 1, LONG, 1, 0, True) for code in page.directories]
        found = {
            "photometric": "rgb" if self.is_rgb else "minisblack",
            "metadata": None,
            "software": False,
            "extratags": [
                *((*tag, bool(rest) and tag not in rest[0].tags) for tag in page.tags),
                *more,
                *links,
            ],
            "compression": "zlib" if self.series.compressed else None,
            **_resolution(page, self.ratio, self.series.turn),
        }
        found |= {"description": texts[-1]} if texts else {}
        found |= {"planarconfig": "contig"} if self.samples > 1 else {}
        return found | ({"extrasamples": self.extra} if self.extra else {})

    def _described(self, text: bytes) -> bytes:
        """An image description, with the sizes that are in it as they are now."""
        if text.startswith(b'{"shape"'):
            known = json.loads(text) | {"shape": list(self.shape)}
            known |= {"axes": "".join(self.axes)} if "axes" in known else {}
            return json.dumps(known).encode()
        if b"<OME" in text[:1000]:
            return _SIZE.sub(self._sized, text) if self.same else b""
        return text

    def _sized(self, found: re.Match[bytes]) -> bytes:
        what, axis, value = found.groups()
        ratio = self.ratio[axis == b"X"]
        new = f"{float(value) / ratio:.12g}" if what.startswith(b"Phys") else f"{round(int(value) * ratio)}"
        return what + axis + b'="' + new.encode() + b'"' if ratio != 1 else found.group()


def _resolution(page: Page, ratio: tuple[float, float], turn: int) -> dict[str, Any]:
    """The resolution of a page whose sides are `ratio` times what they were."""
    if page.resolution is None:
        return {}
    x, y, unit = page.resolution
    x, y = (y, x) if turn in (5, 6, 7, 8) else (x, y)
    return {"resolution": (_times(x, ratio[1]), _times(y, ratio[0])), "resolutionunit": unit}


def _times(value: tuple[int, int], ratio: float) -> tuple[int, int]:
    new = (Fraction(*value) * Fraction(ratio).limit_denominator(10_000)).limit_denominator(10**6)
    return value if ratio == 1 else (new.numerator, new.denominator)


def _layout_of(document: Document, metadata: Metadata) -> Layout:
    """Of a document that was no TIFF."""
    height, width, channels = pillow.upright(document.arrays[0], document.turn).shape
    resolution = None
    if metadata.dpi:
        x, y = (round(value * 1000) for value in metadata.dpi)
        resolution = (x, 1000), (y, 1000), INCH
    tags = [(XMP, 1, len(metadata.xmp), metadata.xmp)] if metadata.xmp else []
    descriptions: tuple[bytes, ...] = ()
    directories: dict[int, dict[int, Any]] = {}
    if metadata.exif:
        block = Image.Exif()
        block.load(metadata.exif)
        texts = {code: value.encode() for code, value in block.items() if isinstance(value, str)}
        descriptions = (texts.pop(DESCRIPTION),) if DESCRIPTION in texts else ()
        tags += [(code, 2, len(text) + 1, text + b"\0") for code, text in texts.items() if code not in REMADE]
        directories = {code: dict(found) for code in (EXIF, GPS) if (found := block.get_ifd(code))}
    page = Page(tuple(tags), descriptions, resolution, directories)
    axes, shape = ("IYXS", (len(document), height, width, channels))
    series = Series(axes, shape, (page,) * len(document), is_rgb=channels - document.has_alpha == 3)
    return Layout((series,))


def _finished(stream: io.BytesIO, pages: list[Page], order: str) -> bytes:
    """The file with what tifffile does not write: a second description, and the EXIF and GPS directories of a
    page, at the end. Their tags were written with the code before theirs, which keeps them in order."""
    import tifffile

    if not any(page.directories or len(page.descriptions) > 1 for page in pages):
        return stream.getvalue()
    stream.seek(0)
    with tifffile.TiffFile(stream, mode="r+") as file:
        for page, written in zip(pages, file.pages, strict=True):
            tags = written.aspage().tags
            for code, values in page.directories.items():
                place = file.filehandle.seek(0, io.SEEK_END)
                place += file.filehandle.write(b"\0" * (place % 2))
                head = b"II*\0\0\0\0\0" if order == "<" else b"MM\0*\0\0\0\0"
                directory = TiffImagePlugin.ImageFileDirectory_v2(head)
                directory.update(values)
                file.filehandle.write(directory.tobytes(place))
                file.filehandle.seek(tags[code - 1].offset)
                file.filehandle.write(struct.pack(f"{order}HHII", code, LONG, 1, place))
            if len(page.descriptions) > 1:
                file.filehandle.seek(tags[DESCRIPTION - 1].offset)
                file.filehandle.write(struct.pack(f"{order}H", DESCRIPTION))
        return stream.getvalue()
