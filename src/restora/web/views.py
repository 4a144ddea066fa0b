"""What a browser can show of a picture: the file itself if it can, else a PNG made of it; and small ones."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from restora.figure import STD_SCALES, visible
from restora.pictures import colour, image
from restora.pictures.atomic import atomic
from restora.pictures.file import File
from restora.pictures.formats import AVIF, GIF, JPEG, PNG, WEBP
from restora.pictures.pillow import ORIENTATION, open_head
from restora.web.pictures import DECODING

SHOWN = {JPEG: "image/jpeg", PNG: "image/png", WEBP: "image/webp", GIF: "image/gif", AVIF: "image/avif"}
SIDE = 768  # of an intermediate picture


def shown(path: Path, max_pixels: int) -> tuple[Path, str]:
    """A file that browsers show upright, and its media type."""
    format = File(path).head.format
    if format in SHOWN and (format is JPEG or _is_upright(path)):
        return path, SHOWN[format]
    made = path.parent / "views" / f"{path.name}.png"
    if not made.exists():
        _write(made, _pil(_pixels(path, max_pixels)), "PNG")
    return made, SHOWN[PNG]


def small(path: Path, side: int, max_pixels: int) -> Path:
    """A JPEG of it with at most so many pixels a side."""
    made = path.parent / "views" / f"{path.name}-{side}.jpg"
    if not made.exists():
        picture = _pil(reduced(_pixels(path, max_pixels)[None], side)[0])
        _write(made, picture, "JPEG", quality=85)
    return made


def map_of(numbers: Path, max_pixels: int) -> tuple[Path, float]:
    """The standard deviation in the TIFF `numbers` in colours, and the value of the brightest of them."""
    from matplotlib import colormaps

    values = image.load(numbers, max_pixels=max_pixels).picture().pixels.double().square().mean(0).sqrt()
    top = values.flatten().kthvalue(math.ceil(0.998 * values.numel())).values.item()
    scale = next((scale for scale in STD_SCALES if scale >= top), STD_SCALES[-1])
    colours = colormaps["viridis"]((values / scale).clamp(0, 1).numpy(), bytes=True)[..., :3]
    made = numbers.parent / "views" / f"{numbers.stem}.png"
    _write(made, Image.fromarray(np.ascontiguousarray(colours)), "PNG")
    return made, scale


def intermediate(x: Tensor, y: Tensor) -> bytes:
    """A restoration under way (C, H, W) as a JPEG; where a large one is not begun yet, its observation y."""
    now = visible(reduced(x[None], SIDE)).float()
    if y.ndim == 3 and len(y) in (1, 3):
        seen = F.interpolate(visible(y[None]).float(), now.shape[-2:], mode="area")
        now = now.where(now.abs().amax(1, keepdim=True) > 0, seen.expand_as(now) if len(y) == 1 else seen)
    stream = io.BytesIO()
    _pil(now[0]).save(stream, "JPEG", quality=80)
    return stream.getvalue()


def reduced(x: Tensor, side: int) -> Tensor:
    """x (B, C, H, W) with at most `side` pixels a side."""
    height, width = x.shape[-2:]
    longest = max(height, width)
    if longest <= side:
        return x
    return F.interpolate(x, [max(1, n * side // longest) for n in (height, width)], mode="area")


def _pixels(path: Path, max_pixels: int) -> Tensor:
    with DECODING:
        return image.load(path, max_pixels=max_pixels, partial=True).picture().over_white()


def _pil(pixels: Tensor) -> Image.Image:
    values = colour.to_uint8(visible(pixels).clone()).cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)


def _is_upright(path: Path) -> bool:
    with open_head(path) as picture:
        return Image.Image.getexif(picture).get(ORIENTATION, 1) == 1


def _write(path: Path, picture: Image.Image, format: str, **options: int) -> None:
    with atomic(path) as part:
        picture.save(part, format, **options)
