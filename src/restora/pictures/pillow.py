"""What Pillow and OpenCV decode, as arrays (H, W, C) with the values of the file."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from restora.pictures import profiles
from restora.pictures.formats import FORMATS

ORIENTATION = 0x0112
_LOCK = threading.RLock()  # while a setting of Pillow's is another


def open_head(source: Path | str | BinaryIO) -> Image.Image:
    """As Pillow's open, of any size: who decodes the pixels has a limit of his own."""
    with _LOCK:
        Image.init()
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source, formats=[known.name for known in FORMATS if known.name in Image.OPEN])
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextlib.contextmanager
def lenient() -> Iterator[None]:
    """Pillow decodes what there is of a truncated file."""
    with _LOCK:
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def frames(picture: Image.Image) -> int:
    """How many there are."""
    return getattr(picture, "n_frames", 1)


def orientation(picture: Image.Image) -> int:
    """EXIF orientation; 1 where there is none, it is damaged, or Pillow has turned the picture (TIFF)."""
    with contextlib.suppress(Exception):
        found = picture.getexif().get(ORIENTATION, 1)
        return found if found in range(1, 9) else 1
    return 1


def depth(picture: Image.Image, data: bytes) -> int:
    """Bits a channel, which Pillow hides for colour: PNG header byte, TIFF BitsPerSample."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return max(picture.tag_v2.get(258, (8,)))
    return data[24] if picture.format == "PNG" else 8


def to_array(picture: Image.Image) -> np.ndarray:
    """8 bits for C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; deep grey as Pillow has it.

    A palette of greys is grey; CMYK and Lab are as they look in sRGB.
    """
    clear = picture.info.get("transparency")
    if picture.mode.startswith(("I", "F")):
        deep = np.asarray(picture)[..., None]
        if not isinstance(clear, int) or picture.mode == "F":
            return deep
        return np.concatenate([deep, np.where(deep == clear, 0, 65535).astype(deep.dtype)], axis=2)
    if picture.mode in ("CMYK", "LAB"):
        return np.asarray(profiles.to_rgb(picture, picture.info.get("icc_profile") or b""))
    if picture.mode == "1":
        picture = _of_bits(picture, clear)
    mode = "L" if picture.mode in ("L", "LA") else "RGB"
    if "A" in picture.getbands() or "a" in picture.getbands() or clear is not None:
        mode += "A"
    array = np.asarray(picture.convert(mode))
    array = array[..., None] if array.ndim == 2 else array
    return without_colour(array) if picture.mode in ("P", "PA") else array


def _of_bits(picture: Image.Image, clear: int | None) -> Image.Image:
    grey = picture.convert("L")
    grey.info.pop("transparency", None)
    if clear is not None:
        grey.putalpha(grey.point(lambda value: 0 if (value > 0) == bool(clear) else 255))
    return grey


def without_colour(array: np.ndarray) -> np.ndarray:
    """RGB or RGBA of greys alone -> grey, with alpha if it has that."""
    rgb = array[..., :3]
    is_grey = array.shape[-1] >= 3 and (rgb == rgb[..., :1]).all()
    return np.concatenate([array[..., :1], array[..., 3:]], axis=-1) if is_grey else array


def decode_deep(data: bytes, page: int | None = None) -> np.ndarray:
    """Colour of more than 8 bits through OpenCV, since Pillow would keep only 8. Turns a TIFF upright."""
    import cv2

    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    raw = np.frombuffer(data, np.uint8)
    try:
        if page is None:
            array = cv2.imdecode(raw, flags)
        else:
            _, pages = cv2.imdecodemulti(raw, flags, range=(page, page + 1))
            array = pages[0] if pages else None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if array is None:
        raise OSError("cannot be decoded")
    return array[..., [2, 1, 0, 3][: array.shape[2]]] if array.ndim == 3 else array[..., None]


def upright(array: np.ndarray, turn: int) -> np.ndarray:
    """Undo an EXIF orientation (TIFF 6.0 tag 274) on (H, W, C)."""
    if turn in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array
