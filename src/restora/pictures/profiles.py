"""ICC profiles, which stay with the values that they explain; and what is done where they cannot stay.

Values are restored as the file has them: what happened to a picture, such as JPEG or rounding, happened to
these values, and a conversion would cut the colours beyond sRGB. Where a result has other channels than its
file, or a format holds no profile, the values become those of sRGB.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

GREY, RGB = "GRAY", "RGB"


def space(icc: bytes) -> str:
    """The colours that a profile explains: GRAY, RGB, CMYK; empty for none."""
    return icc[16:20].decode("latin-1").strip() if len(icc) >= 128 else ""


def to_srgb(picture: Image.Image, icc: bytes) -> Image.Image | None:
    """A picture of 8 bits in RGB, as it looks with its profile; None where that cannot be used."""
    return _convert(picture, io.BytesIO(icc))


def fits(icc: bytes, channels: int) -> bool:
    """Whether it is a profile for so many channels."""
    return (space(icc), channels) in ((GREY, 1), (RGB, 3))


def _convert(picture: Image.Image, source: Any) -> Image.Image | None:
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        profile = ImageCms.ImageCmsProfile(source)
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, profile, target, intent, outputMode="RGB", flags=flags)
    except (ImageCms.PyCMSError, ValueError, TypeError, OSError):
        return None


def to_rgb(picture: Image.Image, icc: bytes) -> Image.Image:
    """A picture of CMYK or Lab in sRGB: as its profile says, if it has one."""
    if picture.mode == "LAB":
        seen = _convert(picture, ImageCms.createProfile("LAB"))
    else:
        seen = to_srgb(picture, icc) if space(icc) == "CMYK" else None
    return seen or picture.convert("RGB")


def fit(array: np.ndarray, icc: bytes) -> tuple[np.ndarray, bytes]:
    """(H, W, C) in [0, 1], C = 1 grey or 3 RGB, and the profile of its file -> both, fitting each other."""
    kind = space(icc)
    if kind == RGB:
        return (np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array), icc
    if kind == GREY and array.shape[2] == 1:
        return array, icc
    return (_of_grey(array, icc) if kind == GREY else array), b""


def _of_grey(array: np.ndarray, icc: bytes) -> np.ndarray:
    """Values that mean what a grey profile says -> sRGB."""
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    seen = to_srgb(levels, icc)
    if seen is None:
        return array
    curve = np.asarray(seen)[0, :, 1] / 255
    return np.interp(array, np.linspace(0, 1, 256), curve).astype(array.dtype)


def without(array: np.ndarray, icc: bytes, gamma: bytes = b"") -> np.ndarray:
    """(H, W, C) in [0, 1] -> the values of sRGB, of 8 bits where it has a profile. gamma: of a PNG's chunk
    gAMA."""
    if space(icc):
        integers = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
        picture = Image.fromarray(integers[..., 0] if array.shape[2] == 1 else integers)
        seen = to_srgb(picture, icc)
        return array if seen is None else (np.asarray(seen) / np.float32(255))[..., -array.shape[2] :]
    exponent = int.from_bytes(gamma, "big") / 100_000
    if not 0.1 < exponent < 3 or abs(exponent - 0.45455) < 0.01:
        return array
    linear = np.clip(array, 0, 1) ** (1 / exponent)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
