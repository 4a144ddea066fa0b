"""Random streams, one per image, so that results do not depend on how images are batched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

BLOCK = 64
PADDING = 16  # pixels that an observation may continue a window by


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, x: Tensor) -> Tensor:
        """This part of x (..., H, W), a view."""
        return x[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def coarser(self, by: int) -> Window:
        """The same part of an image that is `by` times smaller; its borders must be multiples of it."""
        return Window(self.top // by, self.left // by, self.height // by, self.width // by)


class Stream:
    """The random numbers of one image. `source`: a seed, or a torch.Generator to draw from."""

    def __init__(self, source: int | Generator):
        self.generator = source if isinstance(source, Generator) else Generator().manual_seed(source)

    def randn(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers of this shape, on the generator's device."""
        return torch.randn(tuple(shape), generator=self.generator, device=self.generator.device)

    def poisson(self, rate: Tensor) -> Tensor:
        """Poisson numbers of these rates."""
        return torch.poisson(rate.to(self.generator.device), generator=self.generator)

    def within(self, window: Window) -> Stream:
        """The stream of a window of the image: the same wherever windows overlap."""
        return WindowStream(self.generator.initial_seed(), window)


class WindowStream(Stream):
    """The random numbers of a window of an image: those of the whole image, whatever the window.

    Numbers are drawn in blocks of BLOCK pixels a side. Each block depends on the seed, on how many draws came
    before, and on the block's place. A draw that is smaller than the window by a whole factor is the matching
    part of the noise of an image that is smaller by this factor. One that is a little larger goes on below
    and to the right of the window, as JPEG continues an image to whole blocks.
    """

    def __init__(self, seed: int, window: Window):
        super().__init__(seed)
        self.key, self.window, self.drawn = seed, window, 0

    def randn(self, shape: Sequence[int]) -> Tensor:
        """(C, h, w), h and w those of the window or a whole part of them, or up to PADDING more."""
        channels, height, width = shape
        by, across = round(self.window.height / height), round(self.window.width / width)
        part = self.window.coarser(max(by, 1))
        more = height - part.height, width - part.width
        if by != across or min(more) < 0 or max(more) > PADDING:
            raise ValueError(f"noise of shape {tuple(shape)} is no part of a window of {self.window}")
        self.drawn += 1
        first_row, first_column = part.top // BLOCK, part.left // BLOCK
        rows = range(first_row, (part.top + height - 1) // BLOCK + 1)
        columns = range(first_column, (part.left + width - 1) // BLOCK + 1)
        blocks = [torch.cat([self._block(channels, i, j) for j in columns], -1) for i in rows]
        top, left = part.top - first_row * BLOCK, part.left - first_column * BLOCK
        return Window(top, left, height, width).of(torch.cat(blocks, -2))

    def poisson(self, rate: Tensor) -> Tensor:
        raise NotImplementedError("Poisson numbers are drawn for whole images only")

    def _block(self, channels: int, row: int, column: int) -> Tensor:
        source = Generator().manual_seed(seed_of(f"{self.drawn} {channels} {row} {column}", self.key))
        return torch.randn(channels, BLOCK, BLOCK, generator=source)


Source = Stream | Generator
Generators = Source | Sequence[Source] | None


def generators(seed: int | Sequence[int], count: int, purpose: str = "") -> list[Stream]:
    """`count` streams: of the seeds `seed`, `seed + 1`, ... or of the given sequence of seeds.

    Other purposes have other streams: a solver with the seed of a simulation does not draw its noise again.
    """
    seeds = range(seed, seed + count) if isinstance(seed, int) else seed
    if len(seeds) != count:
        raise ValueError(f"expected {count} seeds, one per image, got {len(seeds)}")
    return [Stream((seed_of(purpose, s) if purpose else s) % 2**63) for s in seeds]


def seed_of(name: str, seed: int) -> int:
    """A seed for the file called `name`: the same whatever other files are beside it."""
    digest = hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:7], "big")


def randn(shape: Sequence[int], generator: Generators = None, like: Tensor | None = None) -> Tensor:
    """Standard normal tensor of `shape` (B, ...), drawn image by image on the generators' device.

    `generator` is one stream or torch.Generator for the whole batch (images drawn in order), a sequence of B
    of them, or None for torch's global stream. The result has the dtype and device of `like`.
    """
    rows = [
        torch.randn(tuple(shape[1:])) if stream is None else stream.randn(shape[1:])
        for stream in _streams(generator, shape[0])
    ]
    noise = torch.stack(rows) if rows else torch.empty(tuple(shape))
    return noise if like is None else noise.to(like)


def poisson(rate: Tensor, generator: Generators = None) -> Tensor:
    """Poisson draws of the rates (B, ...), image by image as `randn`; the dtype and device of `rate`."""
    pairs = zip(rate.cpu(), _streams(generator, len(rate)), strict=True)
    rows = [torch.poisson(row) if stream is None else stream.poisson(row) for row, stream in pairs]
    return torch.stack(rows).to(rate) if rows else rate


def _streams(generator: Generators, count: int) -> list[Stream | None]:
    if generator is None:
        return [None] * count
    sources = list(generator) if isinstance(generator, Sequence) else [generator] * count
    if len(sources) != count:
        raise ValueError(f"expected {count} generators, one per image, got {len(sources)}")
    return [source if isinstance(source, Stream) else Stream(source) for source in sources]
