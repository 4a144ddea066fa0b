"""Masks that have a name: of a size (H, W) and their settings alone, so that whoever names one has the same.

Lines and letters grow with the image. For a small one they are drawn large, and then thresholded.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from restora import options
from restora.errors import OptionError
from restora.options import option
from restora.random import seed_of

Size = tuple[int, int]
FINE = 512  # pixels a side that are enough to draw on
SCRATCHED, LETTERS = 0.06, "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Hole:
    """What is missing. OptionError for a setting out of range."""

    hole: Literal["center", "pixels", "scratches", "text"] = option(
        "center", "a synthetic mask: half of each side, pixels, scratches or letters"
    )
    missing: float = option(0.5, "fraction of the pixels that `pixels` hides", 0.001, 0.999)
    hole_seed: int = option(0, "seed of the pixels, scratches or letters", 0)

    def __post_init__(self) -> None:
        options.check(self)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Hole:
        """The one that options of a task name. OptionError for a setting that it does not have."""
        given = {entry.name: options[entry.name] for entry in fields(cls) if entry.name in options}
        found = cls(**given)
        for name in given.keys() - {"hole"} - found.settings.keys():
            owners = " or ".join(hole for hole, (_, names) in HOLES.items() if name in names)
            raise OptionError(f"{name}: hole={found.hole} has no such setting; expected hole={owners}")
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """What it has beside its name."""
        return {name: getattr(self, name) for name in HOLES[self.hole][1]}

    @property
    def options(self) -> dict[str, Any]:
        """Its name and its settings, as those of a task."""
        return {"hole": self.hole, **self.settings}

    def mask(self, size: Size) -> Tensor:
        """(1, 1, H, W), 1 where observed; drawn once for pictures of one size, and not to be written to."""
        return _draw(self, size)


def center(size: Size, hole: Size | None = None) -> Tensor:
    """A hole of (h, w) pixels, or half of each side, in the middle."""
    height, width = hole or (size[0] // 2, size[1] // 2)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    mask = torch.ones(1, 1, *size)
    mask[..., top : top + height, left : left + width] = 0
    return mask


def pixels(size: Size, missing: float, seed: int) -> Tensor:
    """Exactly this share of the pixels, but that one at least is observed."""
    count = size[0] * size[1]
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed_of("hole", seed)))
    mask = torch.ones(count)
    mask[order[: min(round(missing * count), count - 1)]] = 0
    return mask.view(1, 1, *size)


def scratches(size: Size, seed: int) -> Tensor:
    """Hairlines, straight or a little bent, 1 to 3 pixels wide at 64, until `SCRATCHED` of all is covered."""
    draw, (sheet, pen, scale) = random.Random(seed), _sheet(size)
    spot = lambda low, high: [draw.uniform(low, high) * side for side in sheet.size]  # noqa: E731
    while (mask := _observed(sheet, size)).mean() > 1 - SCRATCHED:
        start, end, bend = spot(0, 1), spot(0, 1), spot(-0.2, 0.2)
        curve = [_bezier(start, bend, end, i / 32) for i in range(33)]
        width = draw.choice((1, 1, 1, 2, 2, 3)) * max(1, min(size) / 64)
        pen.line(curve, fill=0, width=round(width * scale), joint="curve")
    return mask


def text(size: Size, seed: int) -> Tensor:
    """Lines of words all over, a seventh of the shorter side apart."""
    import matplotlib

    draw, (sheet, pen, scale) = random.Random(seed), _sheet(size)
    pitch = scale * max(8.0, min(size) / 7)
    file = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    font = ImageFont.truetype(file, round(0.75 * pitch), layout_engine=ImageFont.Layout.BASIC)
    for row in range(-1, int(sheet.height / pitch) + 1):
        left, words = draw.uniform(-2, 0) * pitch, ""
        while pen.textlength(words, font) < sheet.width - left:
            words += "".join(draw.choices(LETTERS, k=draw.randint(2, 9))) + " "
        pen.text((left, (row + 0.5) * pitch), words, fill=0, font=font)
    return _observed(sheet, size)


HOLES: dict[str, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
    "center": (center, ()),
    "pixels": (pixels, ("missing", "hole_seed")),
    "scratches": (scratches, ("hole_seed",)),
    "text": (text, ("hole_seed",)),
}
"""What draws each for a size, and the settings that it takes."""


@lru_cache(maxsize=4)
def _draw(hole: Hole, size: Size) -> Tensor:
    return HOLES[hole.hole][0](size, *hole.settings.values())


def _sheet(size: Size) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """White, so many times as large as an image of this size."""
    scale = min(8, max(1, FINE // min(size)))
    sheet = Image.new("L", (scale * size[1], scale * size[0]), 255)
    return sheet, ImageDraw.Draw(sheet), scale


def _bezier(start: list[float], bend: list[float], end: list[float], t: float) -> tuple[float, float]:
    """A point of the curve from `start` to `end` that leaves the line between them towards `bend`."""
    x, y = (a + t * (b - a) + 2 * t * (1 - t) * c for a, b, c in zip(start, end, bend, strict=True))
    return x, y


def _observed(sheet: Image.Image, size: Size) -> Tensor:
    """(1, 1, H, W): 1 where less than a third of a pixel was drawn on."""
    small = sheet.resize((size[1], size[0]), Image.Resampling.BOX)
    grey = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
    return (grey > 170).float().view(1, 1, *size)
