"""The values of the pages of a TIFF: as tifffile decodes them, or Pillow or OpenCV where it does not."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np

from restora.errors import ImageError
from restora.pictures import pillow, profiles
from restora.pictures.tiff import EXIF, GPS, GREY, RGB, WHITE, Reader, check_axes


class Values(NamedTuple):
    """array: of the axes `axes`. full: the value that is white, 0 for floats. turned: whether upright."""

    array: np.ndarray
    axes: str
    full: int
    turned: bool = False


def values(reader: Reader, series: Any, data: bytes, axes: str | None, name: str) -> Values:
    """Of a series, one of the reader's; `axes` are those that the user says it has."""
    page = series.keyframe
    names = check_axes(axes, series, name) if axes else series.axes
    if page.photometric in (WHITE, GREY, RGB):
        try:
            return _plain(page, series.asarray(), names)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
    return _by_page(series, data, names, reader.icc, name)


def _plain(page: Any, found: np.ndarray, names: str) -> Values:
    bits = page.bitspersample
    if found.dtype.kind not in "buif":
        return Values(found, names, 0)
    if found.dtype.kind == "b" or bits < 8:
        found = (found.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
    integers = found.dtype.kind in "ui"
    full = 0 if not integers else 255 if found.dtype == np.uint8 else 2**bits - 1 if bits < 16 else 65535
    if page.photometric == WHITE and integers:
        found = (full - found.astype(np.int64)).astype(found.dtype)
    return Values(found, names, full)


def _by_page(series: Any, data: bytes, names: str, icc: bytes, name: str) -> Values:
    page = series.keyframe
    try:
        pages = [_page(data, page.index, page.bitspersample > 8, icc) for page in series.pages]
    except Exception as error:
        codec = page.compression.name
        raise ImageError(
            f"{name}: compressed with {codec}, which needs an optional package; install it with "
            "pip install 'restora[tiff]', or save it uncompressed or with Deflate"
        ) from error
    found = np.stack(pages)
    leading = "".join(axis for axis in names if axis not in "YXS")
    found = found.reshape(*series.shape[: len(leading)], *found.shape[1:])
    full = np.iinfo(found.dtype).max
    if found.shape[-1] == 1:
        return Values(found[..., 0], f"{leading}YX", full, True)
    return Values(found, f"{leading}YXS", full, True)


def _page(data: bytes, index: int, deep: bool, icc: bytes) -> np.ndarray:
    """(H, W, C) of one page."""
    picture = pillow.open_head(io.BytesIO(data))
    picture.seek(index)
    if deep and picture.mode in ("RGB", "RGBA"):
        return pillow.decode_deep(data, index)
    if picture.mode in ("CMYK", "LAB"):
        return np.asarray(profiles.to_rgb(picture, icc))
    return pillow.to_array(picture)


def directories(data: bytes, index: int) -> dict[int, dict[int, Any]]:
    """The EXIF and GPS tags of a page."""
    picture = pillow.open_head(io.BytesIO(data))
    picture.seek(index)
    exif = picture.getexif()
    return {code: dict(found) for code in (EXIF, GPS) if (found := exif.get_ifd(code))}
