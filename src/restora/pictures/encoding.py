"""Planes and metadata -> the bytes of a file, and bytes -> a file."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from restora.errors import OutputError
from restora.pictures import png
from restora.pictures.atomic import atomic
from restora.pictures.formats import AVIF, GIF, JPEG, PNG, WEBP, Format
from restora.pictures.metadata import Metadata

QUALITY = 95
LEVEL = 4  # of PNG: in half the time of 6, the usual one, files of photographs are 0.3 % larger
PLAIN = Metadata()


def encode(
    arrays: Sequence[np.ndarray], format: Format, metadata: Metadata, quality: int | None = None
) -> bytes:
    """Frames (H, W, C) of 8 bits, or one of 16 as PNG; C = 1 grey, 2 with alpha, 3 RGB, 4 RGBA."""
    options = metadata.options(format)
    if arrays[0].dtype == np.uint16:
        return png.encode(arrays[0], options)
    options |= _compression(format, quality)
    first, *others = (to_pil(array) for array in arrays)
    if others:
        options |= {"save_all": True, "append_images": others, **metadata.timing(format)}
    if others and format in (PNG, GIF):
        options |= {"disposal": 2 if format is GIF else 0, "blend": 0}
    stream = io.BytesIO()
    first.save(stream, format=format.name, **options)
    return stream.getvalue()


def _compression(format: Format, quality: int | None) -> dict[str, Any]:
    """Full chroma, and no loss where the format can do without and no quality is given."""
    if format is JPEG:
        return {"quality": quality or QUALITY, "subsampling": "4:4:4"}
    if format is AVIF:
        return {"quality": quality or QUALITY, "subsampling": "4:4:4"}
    if format is WEBP:
        return {"exact": True, **({"quality": quality} if quality else {"lossless": True})}
    return {"compress_level": LEVEL} if format is PNG else {}


def to_pil(array: np.ndarray) -> Image.Image:
    """(H, W, C) of 8 bits."""
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))


def without_profile(metadata: Metadata) -> Metadata:
    return replace(metadata, icc=b"")


def save(path: Path, make: Callable[[], bytes]) -> None:
    """Write the bytes that `make` makes beside `path`, and rename that file. OutputError where it fails."""
    try:
        data = make()
    except Exception as error:  # a size that the format cannot have, say, or damaged metadata
        raise OutputError(f"{path}: cannot be encoded as {path.suffix} ({error})") from error
    with atomic(path) as part:
        part.write_bytes(data)
