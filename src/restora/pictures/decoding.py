"""The bytes of a picture file -> its values: what `restora.pictures.image.read` begins with."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from restora.errors import ImageError
from restora.pictures import tiff

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MAX_PIXELS = 64_000_000
ORIENTATION = 0x0112
_LOCK = threading.Lock()  # while a setting of Pillow's is another


def decode(data: bytes, name: str, max_pixels: float) -> tuple[np.ndarray, np.ndarray | None, int]:
    """(H, W, C) float32 in [0, 1]; alpha (H, W, 1), None where all is opaque; and the depth."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array, alpha = _stored(data, name, max_pixels)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image; expected one of {', '.join(SUFFIXES)}") from error
    except Exception as error:  # decoders raise anything on damaged data, from struct.error to cv2.error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: truncated or damaged ({reason})") from error
    bits = 8 if array.dtype == np.uint8 else 16
    scaled = _scale(array, name)
    if not alpha:
        return scaled, None, bits
    return scaled[..., :-1], scaled[..., -1:] if (scaled[..., -1] < 1).any() else None, bits


def _stored(data: bytes, name: str, max_pixels: float) -> tuple[np.ndarray, bool]:
    """(H, W, C) upright, with the values of the file, and whether its last channel is alpha."""
    found = tiff.find(io.BytesIO(data))
    if found and found.is_special:
        return _of_channels(found, name, max_pixels)
    array = _of_picture(data, name, found, max_pixels)
    return array, array.shape[2] in (2, 4)


def _of_channels(found: tiff.Channels, name: str, max_pixels: float) -> tuple[np.ndarray, bool]:
    check_size(found.size, name, max_pixels)
    array = found.array(name, tiff.MAX_CHANNELS * max_pixels)
    return _upright(array, found.orientation), found.has_alpha


def _of_picture(data: bytes, name: str, found: tiff.Channels | None, max_pixels: float) -> np.ndarray:
    """Grey or RGB, perhaps with alpha, as Pillow or OpenCV decode it; else a TIFF as tifffile does."""
    try:
        picture = open_head(io.BytesIO(data))
    except UnidentifiedImageError:
        if data[:4] not in tiff.MAGIC:
            raise
        check_size(_tiff_size(data), name, max_pixels)
        try:
            return _decode_deep(data)
        except OSError:
            if found is None:
                raise
            return _of_channels(found, name, max_pixels)[0]
    check_size(picture.size, name, max_pixels)
    picture.load()
    deep = _depth(picture, data) > 8 and picture.mode in ("RGB", "RGBA")
    array = _decode_deep(data) if deep else _to_array(picture)
    if deep and picture.format == "PNG" and data[25] == 4:  # grey and alpha, decoded as RGBA
        array = array[..., [0, 3]]
    return _upright(array, orientation(picture))


def open_head(source: Path | str | BinaryIO) -> Image.Image:
    """As Pillow's open, of any size: who decodes the pixels has a limit of his own."""
    with _LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def check_size(size: tuple[int, int], name: str, max_pixels: float) -> None:
    """ImageError for a picture of (width, height) `size` that has more pixels."""
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: {width}x{height} is {width * height / 1e6:.4g} megapixels; "
            f"at most {max_pixels / 1e6:g} are accepted. Crop or scale it first, or raise "
            "max_pixels"
        )


def _tiff_size(data: bytes) -> tuple[int, int]:
    """(width, height) of a TIFF that Pillow has no mode for."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    stream = io.BytesIO(data)
    stream.seek(directory.next)
    directory.load(stream)
    return directory[256], directory[257]


def _depth(picture: Image.Image, data: bytes) -> int:
    """Bits a channel, which Pillow hides for colour: PNG header byte, TIFF BitsPerSample."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return max(picture.tag_v2.get(258, (8,)))
    return data[24] if picture.format == "PNG" else 8


def orientation(picture: Image.Image) -> int:
    """EXIF orientation; 1 where there is none, it is damaged, or Pillow has turned the picture (TIFF)."""
    with contextlib.suppress(Exception):
        return picture.getexif().get(ORIENTATION, 1)
    return 1


def _decode_deep(data: bytes) -> np.ndarray:
    """Colour of more than 8 bits through OpenCV, since Pillow would keep only 8. Turns a TIFF upright."""
    import cv2

    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if array is None:
        raise OSError("cannot be decoded")
    return array[..., [2, 1, 0, 3][: array.shape[2]]] if array.ndim == 3 else array[..., None]


def _to_array(picture: Image.Image) -> np.ndarray:
    """(H, W, C): 8 bits for C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; deep grey as Pillow has it."""
    if picture.mode.startswith(("I", "F")):
        return np.asarray(picture)[..., None]
    mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
    if "A" in picture.getbands() or "transparency" in picture.info:
        mode += "A"
    array = np.asarray(picture.convert(mode))
    return array[..., None] if array.ndim == 2 else array


def _scale(array: np.ndarray, name: str) -> np.ndarray:
    """Stored values -> float32, full scale at 1."""
    if array.dtype == np.uint8:
        return np.divide(array, 255, dtype=np.float32)
    if array.dtype.kind not in "iuf":
        raise ImageError(f"{name}: values of type {array.dtype}; expected 8 or 16 bits a channel, or floats")
    low, high = array.min(), array.max()
    if array.dtype.kind in "iu":
        if low < 0 or high > 65535:
            raise ImageError(f"{name}: integers from {low} to {high}; expected 8 or 16 bits a channel")
        return np.divide(array, 65535, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ImageError(f"{name}: has NaN or infinite values; expected finite numbers in [0, 1]")
    if low < -0.5 or high > 1.5:
        raise ImageError(
            f"{name}: float values from {low:.4g} to {high:.4g}; expected [0, 1]. Rescale it first"
        )
    return array.astype(np.float32)


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (TIFF 6.0 tag 274) on (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array
