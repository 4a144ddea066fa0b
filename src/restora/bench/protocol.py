"""Protocols: how a clean image becomes an observation, and how a restoration of it is scored.

clean   y = A(x) + e as a file holds it, which is what people have; scored on the images as files hold them
deck    the terms of the table of Yeh et al. (ICASSP 2018), so that its numbers can be set beside others
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restora import metrics
from restora.degradations import Degradation, Mask, Quantize, named
from restora.errors import OptionError, ShapeError
from restora.noise import Noise, Rounding, StandIn
from restora.operators import Identity, Operator
from restora.pictures.colour import rounded
from restora.random import Stream
from restora.registry import Registry

TASKS = ("inpaint", "colorize", "superres", "denoise", "dequantize")
"""The five published tasks."""


@dataclass(frozen=True)
class Scores:
    """One value an image, (B,): PSNR in dB, SSIM, and, where pixels are missing, the PSNR over those."""

    psnr: Tensor
    ssim: Tensor
    hole_psnr: Tensor | None


class Protocol:
    """How observations are made from images (B, C, H, W), and how restorations are scored.

    A task is a registered name with optional settings: NAME, or NAME:OPTION=VALUE:... `bits` is the number of
    bits per channel of the files, 8 or 16.
    """

    name: str

    def __init__(self, bits: int = 8):
        self.bits = bits

    def degradation(self, task: str, size: tuple[int, int]) -> Degradation:
        """For images of (height, width) `size`. What is not given is as published, the default, and for
        inpainting the central hole. UnknownNameError, or OptionError for an option that cannot be."""
        name, options = named.words(task)
        return named.build(name, size, options)

    def observe(self, degradation: Degradation, x: Tensor, generators: Sequence[Stream]) -> Tensor:
        """A(x) and its noise, one generator an image; floats, neither rounded nor clipped."""
        return degradation(x, generators)

    def prepare(self, x: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """The two batches as they are compared, with 1 the peak: here as files hold them."""
        return metrics.rounded(x, truth, self.bits)

    def unrestored(self, degradation: Degradation, y: Tensor, x: Tensor) -> Tensor:
        """What the row `observed` shows: here x, what that method made of y."""
        return x

    def score(self, degradation: Degradation, x: Tensor, truth: Tensor) -> Scores:
        a, b = self.prepare(x, truth)
        hole = metrics.peak_ratio(a, b, 1 - degradation.mask) if isinstance(degradation, Mask) else None
        return Scores(metrics.peak_ratio(a, b), metrics.similarity(a, b), hole)


class Clean(Protocol):
    """Observations, and restorations before PSNR and SSIM, are clipped and rounded to the bits of the files;
    data range 1."""

    name = "clean"

    def observe(self, degradation: Degradation, x: Tensor, generators: Sequence[Stream]) -> Tensor:
        return rounded(super().observe(degradation, x, generators), self.bits)


class Deck(Protocol):
    """The protocol of the table of Yeh et al.: the quantiser rounds down, and images are scaled by their own
    range.

    Noise is neither clipped nor rounded, x4 is the box average, and the quantiser is floor(255 x / 55) 55 /
    255, half a step too dark. The restored and the true image are each scaled to (x - min) / (max - min),
    over all pixels and channels, as image writers of that time did, such as scipy.misc.imsave. For an image
    whose minimum is 0, this is the division by its maximum. On 128 CelebA faces, the unrestored inputs then
    score 18.57 (noise), 20.63 (quantiser) and 21.79 dB (x4, pixels repeated); the published values are 18.81,
    20.64 and 21.33 to 21.77 dB.
    """

    name = "deck"

    def degradation(self, task: str, size: tuple[int, int]) -> Degradation:
        degradation = super().degradation(task, size)
        if not isinstance(degradation, Quantize):
            return degradation
        if degradation.levels != Quantize.levels:
            raise OptionError(f"levels: protocol deck has {Quantize.levels}, got {degradation.levels}")
        return _Deck(**named.options(degradation))

    def prepare(self, x: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        return own_range(x), own_range(truth)

    def unrestored(self, degradation: Degradation, y: Tensor, x: Tensor) -> Tensor:
        """The observation itself, not clipped; grey in all channels, and x4 enlarged by repeating pixels."""
        return y.expand_as(x) if y.shape[-2:] == x.shape[-2:] else degradation.A_dagger(y)


def own_range(x: Tensor) -> Tensor:
    """(x - min) / (max - min) of each image of the batch, float64; a constant image becomes 0."""
    flat = x.double().flatten(1)
    low, high = flat.min(1, keepdim=True).values, flat.max(1, keepdim=True).values
    scaled = torch.where(high > low, (flat - low) / (high - low).clamp(min=1e-12), 0)
    return scaled.view_as(x)


class _Floor(Rounding):
    """To the lower end of cells of 55 / 255, half a step below their middle."""

    step = 55 / 255

    def snap(self, u: Tensor) -> Tensor:
        return self._index(u) * self.step

    def cell(self, y: Tensor) -> tuple[Tensor, Tensor]:
        index = self._index(y)
        return index * self.step, ((index + 1) * self.step).clamp(max=1)

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        low, high = self.cell(y)
        return super().gaussian(m, y)._replace(observation=(low + high) / 2)

    @property
    def rounding(self) -> float:
        return self.step**2 / 12

    def _index(self, u: Tensor) -> Tensor:
        # A value of an 8-bit file that lies on a step must not fall below it by the rounding of floats.
        return (u / self.step + 1e-5).floor().clamp(0, self.levels - 1)


class _Deck(Quantize):
    """The quantiser of Yeh et al."""

    def parts(self) -> tuple[Operator, Noise]:
        return Identity(), _Floor(self.levels, self.distance, self.sigma)


protocols: Registry[type[Protocol]] = Registry("protocol")
protocols.register("clean", Clean)
protocols.register("deck", Deck)


def check_tasks(protocol: Protocol, tasks: Sequence[str], shapes: Sequence[tuple[int, int, int]]) -> None:
    """UnknownNameError for a name that is no task, OptionError for options that cannot be, ShapeError for a
    task that images of one of these shapes (C, H, W) do not allow."""
    for task in tasks:
        for shape in shapes:
            try:
                degradation = protocol.degradation(task, shape[1:])
            except OptionError as error:
                raise OptionError(f"task {task!r}: {error}") from error
            try:
                degradation.operator.observed_shape(shape)
            except ShapeError as error:
                uneven = any(side % degradation.operator.grain for side in shape[1:])
                multiple = math.lcm(*(protocol.degradation(task, shape[1:]).operator.grain for task in tasks))
                remedy = f"; or add multiple={multiple}, which cuts all images" if uneven else ""
                raise ShapeError(f"task {task!r} does not fit these images: {error}{remedy}") from error
