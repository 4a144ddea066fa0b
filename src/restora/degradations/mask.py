"""Inpainting: y = m (x + sigma e), m in {0, 1}, 1 = OBSERVED."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from restora.degradations import holes
from restora.degradations.holes import Hole
from restora.degradations.task import NamedDegradation, one_of, sigma, uniform
from restora.errors import OptionError
from restora.noise import GaussianNoise, Noise
from restora.operators import Masking, Operator
from restora.operators.base import Shape
from restora.operators.masking import as_mask


@dataclass(eq=False)
class Mask(NamedDegradation):
    """Only the pixels of a mask are observed; all other pixels of y are 0 and have no noise.

    Args:
        mask: 1 where observed, (B, 1, H, W), or (1, 1, H, W) for the whole batch; also (B, H, W) or (H, W).
        hole: the name of a synthetic mask, or None.
    """

    purpose: ClassVar = "fill what a mask says is missing: holes, scratches, objects to remove"
    synonyms: ClassVar = (
        "hole, scratches, crack, tear, rip, crease, fold, object, remove, erase, retouch, fill, mask, stain, "
        "watermark, logo, text"
    )

    mask: Tensor = field(
        repr=False, metadata={"help": "1 where a pixel was observed, 0 where missing", "per_image": True}
    )
    sigma: float = sigma()

    def __post_init__(self) -> None:
        self.hole: Hole | None = None
        self.mask = as_mask(self.mask)
        super().__post_init__()

    def parts(self) -> tuple[Operator, Noise]:
        return Masking(self.mask), GaussianNoise(self.sigma)

    @classmethod
    def named(cls, hole: Hole, size: tuple[int, int], sigma: float = 0.0) -> Mask:
        """The synthetic mask `hole` for images of (H, W) `size`."""
        made = cls(hole.mask(size), sigma=sigma)
        made.hole = hole
        return made

    @classmethod
    def center(cls, size: tuple[int, int], hole: int | None = None, sigma: float = 0.0) -> Mask:
        """A central hole in (H, W) = `size`: `hole` pixels a side, or (Yeh et al.) half of each side."""
        if hole is None:
            return cls.named(Hole("center"), size, sigma)
        if hole < 1:
            raise OptionError(f"hole: expected at least 1 pixel, got {hole}; leave it out for half the side")
        return cls(holes.center(size, (min(hole, size[0]), min(hole, size[1]))), sigma=sigma)

    @classmethod
    def pixels(cls, size: tuple[int, int], missing: float = 0.5, seed: int = 0, sigma: float = 0.0) -> Mask:
        """The share `missing` of the pixels, anywhere. Here and below, `seed` and `size` are all it takes."""
        return cls.named(Hole("pixels", missing, seed), size, sigma)

    @classmethod
    def scratches(cls, size: tuple[int, int], seed: int = 0, sigma: float = 0.0) -> Mask:
        """Hairlines across the image, 1 to 3 pixels wide at 64 pixels a side; a few percent of it."""
        return cls.named(Hole("scratches", hole_seed=seed), size, sigma)

    @classmethod
    def text(cls, size: tuple[int, int], seed: int = 0, sigma: float = 0.0) -> Mask:
        """Lines of letters all over the image."""
        return cls.named(Hole("text", hole_seed=seed), size, sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Mask:
        """For each image the central hole, a hole of any size up to 3/4 a side anywhere, single pixels, or
        scratches or letters; a quarter each."""
        size = image_shape[-2], image_shape[-1]
        masks = [_random(size, generator) for _ in range(count)]
        return cls(torch.stack(masks)[:, None])


def _random(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A mask (H, W) of a kind that is drawn."""
    return one_of((_center, _box, _pixels, _drawn), generator)(size, generator)


def _center(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    return holes.center(size)[0, 0]


def _box(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    high, wide = (max(int(side * uniform(0.1, 0.75, generator)), 1) for side in size)
    top, left = (int(uniform(0, s - n + 1, generator)) for s, n in zip(size, (high, wide), strict=True))
    mask = torch.ones(size)
    mask[top : top + high, left : left + wide] = 0
    return mask


def _pixels(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    seed = int(torch.randint(2**31, (), generator=generator))
    return holes.pixels(size, uniform(0.1, 0.9, generator), seed)[0, 0]


def _drawn(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    seed = int(torch.randint(2**31, (), generator=generator))
    return one_of((holes.scratches, holes.text), generator)(size, seed)[0, 0]
