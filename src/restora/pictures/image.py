"""File <-> tensor: the only image input and output in the package.

What is done with each kind of file:

- 8-bit grey, RGB, palette, CMYK: read as they look, divided by 255.
- 16-bit grey or colour PNG and TIFF: read at full depth, divided by 65535, and written back as 16 bits.
- float TIFF: values are taken as they are; NaN, infinity or values far outside [0, 1] are refused.
- TIFF of 2 to 16 channels, 8 or 16 bits or float: samples of a pixel, or pages that ImageJ, OME or tifffile
  metadata call channels (`restora.pictures.tiff`). 2 and more than 3 channels are written as TIFF.
- other pages or frames: the first one is read.
- alpha, where the file says that it is: the picture is laid over white; opaque alpha changes nothing.
- EXIF orientation: applied, so that the picture is upright; it is not written again.
- grey files are repeated to three channels where colour is needed; colour becomes BT.601 luma where
  grey is needed. No other number of channels is made of another.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from restora.errors import OutputError
from restora.pictures import tiff
from restora.pictures.atomic import atomic
from restora.pictures.colour import convert, to_integers, to_uint8
from restora.pictures.decoding import MAX_PIXELS, SUFFIXES, decode
from restora.pictures.file import File, contents

Source = Path | str | bytes | File
TIFF_SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True)
class Picture:
    """A decoded file: `pixels` (C, H, W) in [0, 1], C = 1 grey, 3 RGB, else as many as the file has, and its
    depth in bits (8 or 16). `alpha` (1, H, W), None where all is opaque; the pixels are laid over white."""

    pixels: Tensor
    bits: int = 8
    alpha: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[-2], self.pixels.shape[-1]


def read(
    source: Source,
    channels: int | None = None,
    name: str | None = None,
    max_pixels: float = MAX_PIXELS,
) -> Picture:
    """Decode a file or its bytes. `channels` is the number wanted, as `convert` has it; None keeps them.

    Raises ImageError, in one line, for a file that is missing, not an image, truncated, has more than
    `max_pixels` pixels, by its head alone, has non-finite values, or other channels than wanted.
    """
    name = name or name_of(source, "image")
    colour, alpha, bits = load(source, name, max_pixels)
    pixels = colour if alpha is None else colour * alpha + (1 - alpha)
    return Picture(convert(pixels, channels, name), bits, alpha)


def load(source: Source, name: str, max_pixels: float = MAX_PIXELS) -> tuple[Tensor, Tensor | None, int]:
    """The colours (C, H, W) of a file; alpha (1, H, W), None where all is opaque; its depth."""
    if isinstance(source, File):
        data = source.read(name, max_pixels)
    else:
        data = source if isinstance(source, bytes) else contents(Path(source), name, max_pixels)[0]
    colour, alpha, bits = decode(data, name, max_pixels)
    return _planes(colour), None if alpha is None else _planes(alpha), bits


def _planes(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))


def name_of(source: Source, other: str) -> str:
    """What messages call it: its path, or `other` for bytes."""
    return other if isinstance(source, bytes) else str(source.path if isinstance(source, File) else source)


def size(path: Path | str) -> tuple[int, int] | None:
    """(height, width) of the upright picture, from its file's head; None where it cannot be read."""
    return File(Path(path)).head.size


def write(path: Path | str, image: Tensor, bits: int = 8) -> None:
    """Write (C, H, W) in [0, 1], clipped and rounded, as the format that the suffix of `path` names.

    The file is written beside its place and renamed, so no half-written picture is ever left.
    16 bits are kept for PNG and TIFF; other formats have 8. 2 and more than 3 channels are for TIFF alone.
    Raises OutputError, for NaN too.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"{path}: unknown suffix {suffix!r}; expected one of {', '.join(SUFFIXES)}")
    if suffix not in TIFF_SUFFIXES and result_suffix(len(image)) == TIFF_SUFFIXES[0]:
        raise OutputError(f"{path}: {suffix} has 1 or 3 channels, got {len(image)}; write a .tif")
    if not image.isfinite().all():
        raise OutputError(f"{path}: the picture has NaN or infinite values, so it was not written")
    try:
        data = encode(image, suffix, bits)
    except (OSError, ValueError) as error:  # a size that the format cannot have, say
        raise OutputError(f"{path}: cannot be encoded as {suffix} ({error})") from error
    with atomic(path) as part:
        part.write_bytes(data)


def encode(image: Tensor, suffix: str, bits: int = 8) -> bytes:
    """(C, H, W) in [0, 1] -> the bytes of a file in the format of `suffix`, one of `SUFFIXES`."""
    if suffix in TIFF_SUFFIXES and result_suffix(len(image)) in TIFF_SUFFIXES:
        return tiff.encode(to_integers(image.detach(), bits).cpu().numpy())
    if bits == 16 and suffix in (".png", *TIFF_SUFFIXES):
        return _encode_deep(image, suffix)
    options = {"quality": 95} if suffix in (".jpg", ".jpeg", ".webp") else {}
    stream = io.BytesIO()
    to_pil(image).save(stream, format=Image.registered_extensions()[suffix], **options)
    return stream.getvalue()


def _encode_deep(image: Tensor, suffix: str) -> bytes:
    import cv2

    array = to_integers(image.detach().double(), 16).permute(1, 2, 0).cpu().numpy()
    ok, buffer = cv2.imencode(suffix, array[..., ::-1])
    if not ok:
        raise ValueError("OpenCV refused it")
    return buffer.tobytes()


def result_suffix(channels: int) -> str:
    """Of a result with so many channels: .png, or .tif for those that a PNG cannot have."""
    return ".png" if channels in (1, 3) else TIFF_SUFFIXES[0]


def to_pil(image: Tensor) -> Image.Image:
    """(C, H, W) in [0, 1] -> an 8-bit PIL picture, clipped and rounded."""
    array = to_uint8(image.detach()).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
