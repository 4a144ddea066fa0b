"""Mask files: the only place where white = MISSING becomes a tensor that is 1 where a pixel was OBSERVED.

A mask is any of these, in this order:

- black and white, also with soft edges, or compressed: what is not black is missing. Any colour on black is
  white, and so is the larger of two values, such as 0 and 1.
- paint on transparency: what is painted is missing, whatever its colour. If it is a copy of the picture with
  transparent parts, these are missing.
- a copy of the picture with strokes over it: what differs from the picture is missing.

A mask of another size in the same proportion is scaled. One that leaves nothing to do, or nearly nothing to
see, or that is none of these, is a MaskError.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.errors import MaskError
from restora.limits import MAX_PIXELS
from restora.options import check, option
from restora.pictures.colour import luma
from restora.pictures.image import Source, load, name_of
from restora.pictures.picture import Picture
from restora.pictures.strokes import FAINT, Level, Pixels, grown, is_copy, painted, shares, soft, strokes
from restora.pictures.strokes import two_tone as two_tone_of

ALPHA = "alpha"
"""In place of a file: the transparent parts of the picture itself."""
FULL, MUCH = 0.9, 0.5
REMEDY = "Paint what is missing white on black, or in one bright colour over a copy of the picture"


@dataclass(frozen=True)
class Reading:
    """How the mask of a file is to be read."""

    grow: int = option(0, "widen the mask by this many pixels", 0, 10000, label="Widen the painted area")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Found:
    """A mask (1, H, W), 1 where observed, and what the user should know of how it was found."""

    observed: Tensor
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A decoded mask file: colour (C, H, W), and alpha (1, H, W) unless it is opaque."""

    name: str
    colour: Tensor
    alpha: Tensor | None

    @property
    def size(self) -> tuple[int, int]:
        return self.colour.shape[-2], self.colour.shape[-1]

    @cached_property
    def _two_tone(self) -> tuple[Pixels, str] | None:
        return two_tone_of(_level(self.colour)) if self.alpha is None else None

    @property
    def is_plain(self) -> bool:
        """Whether it is black and white, and no copy of a bright page: the same beside any picture."""
        if self._two_tone is None:
            return False
        return bool(self._two_tone[0].mean() <= FULL or (self.colour == self.colour[:, :1, :1]).all())

    def check(self) -> None:
        """MaskError for a mask that no picture can make sense of."""
        if self.is_plain and self._two_tone is not None:
            _judge(self._two_tone[0], self.name, self._values)

    def find(self, picture: Picture | None = None, label: str = "the picture", grow: int = 0) -> Found:
        """The mask that it is of `picture`, which messages call `label`; grown by so many pixels. Without a
        picture, of one of its own size."""
        if picture is not None:
            _check_proportion(self, picture, label)
        missing, notes = self._explain(picture, label)
        if picture is not None and self.size != picture.size:
            missing = _scaled(missing, picture.size)
            sizes = f"from {_text(self.size)} to {_text(picture.size)}"
            notes = [*notes, f"{self.name}: scaled {sizes}, as {label} is"]
        missing = grown(missing, grow)
        share = _judge(missing, self.name, self._values)
        if share > MUCH:
            notes = [*notes, f"{self.name}: {share:.0%} of it is missing. If it is inverted, invert it"]
        return Found(_observed(missing), tuple(notes))

    def _explain(self, picture: Picture | None, label: str) -> tuple[Pixels, list[str]]:
        if self.alpha is not None:
            found = self._on_transparency(self.alpha[0].numpy(), picture, label)
        else:
            found = None if self.is_plain else self._over_copy(picture, label)
            found = found or self._two_tone or soft(_level(self.colour))
        if found is None:
            raise MaskError(f"{self.name}: {self._contents(picture, label)}. {REMEDY}")
        missing, note = found
        return missing, [f"{self.name}: {note}"] if note else []

    def _on_transparency(
        self, alpha: Level, picture: Picture | None, label: str
    ) -> tuple[Pixels, str] | None:
        visible = alpha > max(FAINT, alpha.max() / 2)
        black, white = shares(_level(self.colour)[visible])
        if min(black, white) > 0 and black + white > 0.95 and visible.mean() > 0.5:
            return painted(_level(self.colour) * alpha), ""
        pair = _pair(picture, self)
        is_whole = picture is not None and picture.size == self.size and visible.mean() > 0.1
        if pair and is_whole and is_copy(*pair, visible):
            return alpha < 1, f"a copy of {label}; its transparent parts are missing"
        if _is_plain(self.colour[:, torch.from_numpy(visible)]):
            return painted(alpha), "paint on transparency; what is painted is missing"
        return None

    def _over_copy(self, picture: Picture | None, label: str) -> tuple[Pixels, str] | None:
        pair = _pair(picture, self)
        if pair is None or not is_copy(*pair):
            return None
        return strokes(*pair), f"a copy of {label}; what was painted over it is missing"

    @property
    def _values(self) -> str:
        """Its extremes."""
        seen = self.colour if self.alpha is None else self.colour * self.alpha
        low, high = (round(float(value) * 255) for value in seen.aminmax())
        return f"values from {low} to {high} of 255"

    def _contents(self, picture: Picture | None, label: str) -> str:
        """What is in it, where it is no mask."""
        level = _level(self.colour)
        black, white = shares(level)
        what = f"{black:.0%} black, {white:.0%} white, {1 - black - white:.0%} between"
        also = f", nor a copy of {label} with strokes over it" if picture is not None else ""
        return f"no mask: not black and white ({what}; {self._values}){also}"


def read_mask(
    source: Source,
    picture: Picture | None = None,
    *,
    name: str | None = None,
    max_pixels: float = MAX_PIXELS,
    grow: int = 0,
) -> Tensor:
    """Read a mask file: (1, H, W), 1 where observed; scaled to the size of `picture` if it is given."""
    return read_sheet(source, name, max_pixels).find(picture, grow=grow).observed


def read_sheet(source: Source, name: str | None = None, max_pixels: float = MAX_PIXELS) -> Sheet:
    """Decode a mask file. Raises ImageError as `image.read` does."""
    name = name or name_of(source, "mask")
    document = load(source, name, max_pixels)
    if len(document) > 1:
        raise MaskError(
            f"{name}: {len(document)} pages or frames; expected a mask with one page, which is used for all"
        )
    picture = document.picture()
    return Sheet(name, picture.pixels, picture.alpha)


def of_alpha(picture: Picture, name: str, grow: int = 0) -> Found:
    """The transparent parts of a picture as its mask; MaskError where it has none."""
    if picture.alpha is None:
        raise MaskError(f"{name}: no transparent areas to fill; give a mask file instead of alpha")
    missing = grown(picture.alpha[0].numpy() < 1, grow)
    _judge(missing, name, "transparency")
    return Found(_observed(missing))


def _is_plain(colours: Tensor) -> bool:
    """Whether pixels (C, N) are of a few colours, but for soft edges."""
    if not colours.numel():
        return True
    _, counts = (colours * 15).round().unique(dim=1, return_counts=True)
    return bool(counts.topk(min(8, len(counts))).values.sum() > 0.9 * counts.sum())


def _judge(missing: Pixels, name: str, values: str) -> float:
    """The share that is missing; MaskError where it is nothing, or nearly all. `values`: what is in it."""
    share = float(missing.mean())
    if share == 0:
        raise MaskError(f"{name}: nothing is missing according to this mask, with {values}. {REMEDY}")
    if share > FULL:
        much = "everywhere" if share == 1 else f"nearly everywhere ({share:.1%})"
        raise MaskError(
            f"{name}: the mask is white {much}; expected white only where the picture is missing. "
            "Is it inverted?"
        )
    return share


def _check_proportion(sheet: Sheet, picture: Picture, label: str) -> None:
    (h, w), (height, width) = sheet.size, picture.size
    if abs(h * width - w * height) > max(h, w, height, width) / 2:  # sides are rounded
        raise MaskError(
            f"{sheet.name}: the mask is {w}x{h} but {label} is {width}x{height}; expected the same size, "
            "or the same proportion"
        )


def _scaled(missing: Pixels, size: tuple[int, int]) -> Pixels:
    """Of another size; missing is what any missing pixel touches."""
    mask = torch.from_numpy(missing).float()[None, None]
    smaller = size[0] < mask.shape[-2]
    mask = F.adaptive_max_pool2d(mask, size) if smaller else F.interpolate(mask, size, mode="bilinear")
    return (mask[0, 0] > 0).numpy()


def _reduced(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    return pixels if pixels.shape[-2:] == size else F.interpolate(pixels[None], size, mode="area")[0]


def _pair(picture: Picture | None, sheet: Sheet) -> tuple[Level, Level] | None:
    """The picture and the sheet, of the smaller of both sizes and as many channels; None where they cannot be
    compared. Paint on a grey photo may be of a colour that is no lighter or darker."""
    if picture is None or not {len(sheet.colour), len(picture.pixels)} <= {1, 3}:
        return None
    size = min(sheet.size, picture.size)
    photo, copy = _reduced(picture.pixels, size), _reduced(sheet.colour, size)
    if len(photo) != len(copy):
        photo = photo.expand(3, -1, -1) if len(photo) == 1 else luma(photo)
    return photo.numpy(), copy.numpy()


def _level(colour: Tensor) -> Level:
    return colour.amax(0).numpy()


def _observed(missing: Pixels) -> Tensor:
    return torch.from_numpy(~missing).float()[None]


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
