"""File <-> tensor, one picture at a time; `restora.pictures.document` has whole files.

- 8-bit grey, RGB, palette, CMYK: read as they look, divided by 255.
- 16-bit grey or colour PNG and TIFF: read at full depth, divided by 65535, and written back as 16 bits.
- float TIFF: values are taken as they are; NaN, infinity or values far outside [0, 1] are refused.
- TIFF of 2 to 16 channels, 8 or 16 bits or float: samples of a pixel, or pages that ImageJ, OME or tifffile
  metadata call channels (`restora.pictures.tiff`). 2 and more than 3 channels are written as TIFF.
- other pages or frames: the first one is read.
- alpha, where the file says that it is: the picture is laid over white; opaque alpha changes nothing.
- EXIF orientation: applied, so that the picture is upright.
- grey files are repeated to three channels where colour is needed; colour becomes BT.601 luma where
  grey is needed. No other number of channels is made of another.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from torch import Tensor

from restora.errors import OutputError
from restora.limits import MAX_PIXELS
from restora.pictures import encoding, tiff_writing
from restora.pictures.colour import convert, to_integers, to_uint8
from restora.pictures.decoding import decode
from restora.pictures.document import Document
from restora.pictures.file import File, contents
from restora.pictures.formats import TIFF, WRITTEN, of_suffix
from restora.pictures.picture import Picture as Picture

Source = Path | str | bytes | File
TIFF_SUFFIXES = TIFF.suffixes


def read(
    source: Source,
    channels: int | None = None,
    name: str | None = None,
    max_pixels: float = MAX_PIXELS,
) -> Picture:
    """Decode the first image of a file, or of the bytes of a file.

    Args:
        source: a path, or bytes.
        channels: the number of channels of the result, as for `convert`; None keeps those of the file.
        name: its name in messages.
        max_pixels: refuse larger images, by their header.

    Raises:
        ImageError: for a file that is missing, not an image, truncated, too large, contains values that are
            not finite, or cannot be converted to `channels`.
    """
    name = name or name_of(source, "image")
    picture = load(source, name, max_pixels).picture()
    return Picture(convert(picture.over_white(), channels, name), picture.bits, picture.alpha)


def load(
    source: Source,
    name: str | None = None,
    max_pixels: float = MAX_PIXELS,
    *,
    partial: bool = False,
    turn: bool = True,
    axes: str | None = None,
) -> Document:
    """The whole file; the last arguments are those of `decoding.decode`. ImageError as for `read`."""
    name = name or name_of(source, "image")
    if isinstance(source, File):
        data = source.read(name, max_pixels)
    else:
        data = source if isinstance(source, bytes) else contents(Path(source), name, max_pixels)[0]
    return decode(data, name, max_pixels, partial=partial, turn=turn, axes=axes)


def name_of(source: Source, other: str) -> str:
    """What messages call it: its path, or `other` for bytes."""
    return other if isinstance(source, bytes) else str(source.path if isinstance(source, File) else source)


def size(path: Path | str) -> tuple[int, int] | None:
    """(height, width) of the upright picture, from its file's head; None where it cannot be read."""
    return File(Path(path)).head.size


def write(path: Path | str, image: Tensor, bits: int = 8) -> None:
    """Write an image in the format of the suffix of `path`.

    The image is written to a temporary file and then renamed, so no half-written image remains.

    Args:
        path: the file; its suffix is one of `WRITTEN`.
        image: (C, H, W) in [0, 1]; it is clipped and rounded. Only TIFF supports 2 or more than 3 channels.
        bits: 8 or 16; formats other than PNG and TIFF support only 8.

    Raises:
        OutputError: if it cannot be written, and for NaN.
    """
    path = Path(path) if isinstance(path, str) else path
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise OutputError(f"{path}: unknown suffix {suffix!r}; expected one of {', '.join(WRITTEN)}")
    if suffix not in TIFF_SUFFIXES and result_suffix(len(image)) == TIFF_SUFFIXES[0]:
        raise OutputError(f"{path}: {suffix} has 1 or 3 channels, got {len(image)}; write a .tif")
    if not image.isfinite().all():
        raise OutputError(f"{path}: the image has NaN or infinite values, so it was not written")
    encoding.save(path, lambda: encode(image, suffix, bits))


def encode(image: Tensor, suffix: str, bits: int = 8) -> bytes:
    """The bytes of an image file in the format of `suffix`, one of `WRITTEN`; arguments as for `write`."""
    format = of_suffix(suffix)
    assert format is not None
    deep = 16 if bits == 16 and format.depth > 8 else 8
    values = to_integers(image.detach().double(), deep).cpu().numpy()
    if format is TIFF:
        return tiff_writing.encode_plain(values)
    return encoding.encode([values.transpose(1, 2, 0)], format, encoding.PLAIN)


def result_suffix(channels: int) -> str:
    """Of a result with so many channels: .png, or .tif for those that a PNG cannot have."""
    return ".png" if channels in (1, 3) else TIFF_SUFFIXES[0]


def to_pil(image: Tensor) -> Image.Image:
    """Convert (C, H, W) in [0, 1] to an 8-bit PIL image, clipped and rounded."""
    return encoding.to_pil(to_uint8(image.detach()).permute(1, 2, 0).cpu().numpy())
