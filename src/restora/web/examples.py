"""Pictures to try the page on: public-domain photographs that scikit-image ships, damaged by restora."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from restora import random
from restora.degradations import Mask, named
from restora.pictures import colour, image

SIDE = 512
THUMB = 160


@dataclass(frozen=True, eq=False)
class Example:
    """source: the name of the photograph in skimage.data. task, options: what was done to it."""

    name: str
    title: str
    credit: str
    source: str
    task: str
    options: dict[str, Any] = field(default_factory=dict)
    suffix: str = ".png"

    @property
    def file(self) -> str:
        return f"{self.name}{self.suffix}"


EXAMPLES = (
    Example(
        "scratched-portrait",
        "A scratched portrait",
        "Eileen Collins, NASA, public domain",
        "astronaut",
        "inpaint",
        {"hole": "scratches"},
    ),
    Example(
        "noisy-cat",
        "A noisy cat",
        "Chelsea, by Stéfan van der Walt, CC0",
        "chelsea",
        "denoise",
        {"sigma": 0.1},
    ),
    Example(
        "compressed-rocket",
        "A rocket, compressed too much",
        "SpaceX, public domain",
        "rocket",
        "jpeg",
        {"quality": 12},
        ".jpg",
    ),
    Example(
        "small-coffee",
        "A coffee cup, too small",
        "Rachel Michetti, public domain",
        "coffee",
        "superres",
        {"scale": 4, "kernel": "bicubic"},
    ),
)


def find(name: str) -> Example | None:
    return next((example for example in EXAMPLES if example.name == name), None)


@lru_cache(maxsize=len(EXAMPLES))
def made(example: Example) -> tuple[bytes, bytes | None]:
    """The file, and that of its mask if it has one."""
    clean = _photo(example.source)
    if example.suffix == ".jpg":
        stream = io.BytesIO()
        quality = example.options["quality"]
        _pil(clean).save(stream, "JPEG", quality=quality)
        return stream.getvalue(), None
    degradation = named.build(example.task, clean.shape[-2:], example.options)
    y = degradation(clean[None], random.generators([0], 1))[0]
    if not isinstance(degradation, Mask):
        return image.encode(y, example.suffix), None
    missing = 1 - degradation.mask[0]
    scratched = y + missing * (0.75 + 0.25 * clean.mean())
    return image.encode(scratched, example.suffix), image.encode(missing, ".png")


@lru_cache(maxsize=len(EXAMPLES))
def thumbnail(example: Example) -> bytes:
    """A JPEG of it."""
    picture = Image.open(io.BytesIO(made(example)[0])).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    stream = io.BytesIO()
    resample = Image.Resampling.LANCZOS if side > THUMB else Image.Resampling.NEAREST
    square = picture.crop((left, top, left + side, top + side)).resize((THUMB, THUMB), resample)
    square.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _photo(source: str) -> Tensor:
    """(3, H, W), at most SIDE pixels a side and a multiple of 8."""
    from skimage import data

    load: Callable[[], np.ndarray] = getattr(data, source)
    picture = Image.fromarray(load()).convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    width, height = (side - side % 8 for side in picture.size)
    array = np.asarray(picture.crop((0, 0, width, height)))
    return torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 255


def _pil(x: Tensor) -> Image.Image:
    return Image.fromarray(colour.to_uint8(x.clone()).permute(1, 2, 0).numpy())
