"""Squares of large images: some at random to train on, and others, of parts held out, to validate on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from restora.errors import DataError
from restora.pictures.colour import to_integers, to_unit
from restora.training.data import Batches, Order, depth, reader, to_square

Images = Tensor | list[Tensor]
"""Integers: squares of one size (N, C, size, size), or whole images, each (C, H, W)."""

HELD_OUT = 64
SHARE = 10  # one image in so many is held out, or this part of each
MOST, DENSITY = 20_000, 64  # squares cut from all images; from as much of one as a square covers


class Crops:
    """Endless batches of squares cut at random from images of any size, in [-1, 1]: batch `step` depends only
    on the data, the seed and `step`.

    Half of them are pixels as they are; for the others a square of up to SHRINK times the side is made
    smaller, so that things come in all sizes. Each is mirrored and turned by quarters at random.
    """

    SHRINK = 3.0

    def __init__(self, images: Sequence[Tensor], size: int, batch: int, seed: int = 0):
        self.images, self.size, self.batch, self.seed = images, size, batch, seed
        self._order = Order(len(images), seed)

    def __getitem__(self, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        first = step * self.batch
        cut = [self._cut(self.images[self._order[i]], generator) for i in range(first, first + self.batch)]
        return torch.stack(cut).mul_(2).sub_(1)

    def _cut(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Integers (C, H, W) -> (C, size, size) in [0, 1]."""
        height, width = image.shape[1:]
        shrunk, scale, down, across, mirror, turn = torch.rand(6, generator=generator).tolist()
        largest = min(self.SHRINK, min(height, width) / self.size)
        side = round(self.size * largest**scale) if shrunk < 0.5 else self.size
        top, left = int(down * (height - side + 1)), int(across * (width - side + 1))
        square = to_square(to_unit(image[:, top : top + side, left : left + side]), self.size)
        return torch.rot90(square.flip(-1) if mirror < 0.5 else square, int(4 * turn), (-2, -1))


def as_squares(images: Images, size: int, seed: int = 0, least: int = 2) -> Tensor:
    """Squares (N, C, size, size) as they are; or cut at random, so many that they show most of the images."""
    if isinstance(images, Tensor):
        return images
    covered = sum(x.shape[1] * x.shape[2] for x in images) / size**2
    crops, bits = Crops(images, size, 64, seed), depth(images)
    count = max(least, min(MOST, int(DENSITY * covered)))
    batches = range(-(-count // crops.batch))
    return torch.cat([to_integers(crops[i] / 2 + 0.5, bits) for i in batches])


def hold_out(images: Images, size: int) -> tuple[Images, Tensor]:
    """Images to train on, and squares to validate on: of the last images, one in ten; of fewer than ten, of a
    strip at the end of each. DataError for one that has no room for both."""
    count = min(HELD_OUT, max(len(images) // SHARE, 1))
    if isinstance(images, Tensor):
        return images[:-count], images[-count:]
    if len(images) >= SHARE:
        return images[:-count], grid(images[-count:], size)
    parts = [_strip(x, size) for x in images]
    strips = [strip for _, strip in parts if strip is not None]
    if strips:
        return [rest for rest, _ in parts], grid(strips, size)
    if len(images) == 1:
        height, width = images[0].shape[1:]
        raise DataError(
            f"one image of {width}x{height} has no room for squares of {size}x{size} to train on and "
            "others to validate on; give more images, images to validate on (validation), or a smaller size"
        )
    return images[:-1], grid(images[-1:], size)


def _strip(image: Tensor, size: int) -> tuple[Tensor, Tensor | None]:
    """An image (C, H, W) without the end of its longer side, and that, if a square fits into both."""
    axis = 1 if image.shape[1] >= image.shape[2] else 2
    rest = image.shape[axis] - max(size, image.shape[axis] // SHARE)
    if rest < size:
        return image, None
    return image.narrow(axis, 0, rest), image.narrow(axis, rest, image.shape[axis] - rest)


def grid(images: Sequence[Tensor], size: int, most: int = HELD_OUT) -> Tensor:
    """Integers (N, C, size, size), pixels as they are: about `most` squares that do not overlap, as many of
    each image; of one, its middle."""
    each = max(1, most // len(images))
    return torch.cat([_grid(x, size, each) for x in images])


def _grid(image: Tensor, size: int, most: int) -> Tensor:
    height, width = image.shape[1:]
    columns = min(width // size, max(1, round((most * width / height) ** 0.5)), most)
    rows = min(height // size, most // columns)
    tops, lefts = (
        [((2 * i + 1) * side - n * size) // (2 * n) for i in range(n)]
        for side, n in ((height, rows), (width, columns))
    )
    return torch.stack([image[:, top : top + size, left : left + size] for top in tops for left in lefts])


def split(images: Images, config: Any) -> tuple[Images, Tensor]:
    """Images to train on, and to validate on, these integers (N, C, size, size)."""
    if not config.validation:
        return hold_out(images, config.size)
    held, _ = reader(config.crop)([config.validation], config.size, config.channels)
    held = held[:: -(-len(held) // (4 * HELD_OUT))]
    return images, held if isinstance(held, Tensor) else grid(held, config.size)


def batches(images: Images, config: Any) -> Batches | Crops:
    if isinstance(images, Tensor):
        return Batches(images, config.batch, config.seed, config.shift, config.mirror)
    return Crops(images, config.size, config.batch, config.seed)
