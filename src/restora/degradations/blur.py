"""Deblurring: convolution with a known kernel k.

y = k * x + sigma e

circular   A = F^H diag(K) F, K the transform of k: adjoint, pseudo-inverse and prox are products in the
           Fourier domain, prox_l2 = z + F^H conj(K) (|K|^2 + 1/gamma)^-1 F (y - A z)
reflect    the image is mirrored about its border pixels, P: A = crop F^H diag(K) F P, with its exact adjoint,
           the rest by conjugate gradients
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.degradations.base import Degradation, Shape, divide, option, shares, uniform
from restora.errors import ShapeError
from restora.random import Window

THRESHOLD = 1e-3
"""Frequencies that the circular blur leaves below this gain are lost: its pseudo-inverse gives 0 there."""


@dataclass(eq=False)
class Blur(Degradation):
    """Convolution of every channel with a kernel of sum 1. ShapeError for a kernel larger than the image."""

    sigma: float = field(
        default=0.01,
        kw_only=True,
        metadata=option("standard deviation of the added Gaussian noise, full scale = 1", 0, 1),
    )
    kernel: Literal["gaussian", "motion"] = field(
        default="gaussian", metadata=option("gaussian (see width) or motion (see length and angle)")
    )
    width: float = field(default=1.6, metadata=option("std of the gaussian, in pixels", 0.1, 100))
    length: float = field(default=9.0, metadata=option("length of the motion, in pixels", 1, 1000))
    angle: float = field(default=0.0, metadata=option("direction of the motion, in degrees", -360, 360))
    boundary: Literal["reflect", "circular"] = field(
        default="reflect", metadata=option("what lies beyond the border: the image mirrored, or repeated")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        taps = _gaussian(self.width) if self.kernel == "gaussian" else _motion(self.length, self.angle)
        self.register_buffer("taps", taps.float(), persistent=False)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Blur:
        side, sigma = min(image_shape[1:]), 10 ** uniform(-2.5, -1, generator)
        if uniform(0, 1, generator) < 0.5:
            return cls(width=uniform(0.5, min(3.0, side / 12), generator), sigma=sigma)
        length, angle = uniform(1, min(15.0, side / 3), generator), uniform(-90, 90, generator)
        return cls(kernel="motion", length=length, angle=angle, sigma=sigma)

    def A(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        if self.boundary == "circular":
            return self._filter(x, self._transfer(x))
        wide = F.pad(x, (self._radius,) * 4, mode="reflect")
        blurred = self._filter(wide, self._transfer(wide))
        return F.pad(blurred, (-self._radius,) * 4)

    def A_adjoint(self, y: Tensor) -> Tensor:
        if self.boundary == "circular":
            return self._filter(y, self._transfer(y).conj())
        wide = F.pad(y, (self._radius,) * 4)
        spread = self._filter(wide, self._transfer(wide).conj())
        return _fold(_fold(spread, self._radius).mT, self._radius).mT

    def A_dagger(self, y: Tensor) -> Tensor:
        """Circular: frequencies of gain below `THRESHOLD` are set to 0. Reflect: as in the base."""
        circular = self.boundary == "circular"
        return self.prox_l2(torch.zeros_like(y), y, math.inf) if circular else super().A_dagger(y)

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        if self.boundary == "reflect":
            return super().prox_l2(z, y, gamma)
        (data, prior), transfer = shares(gamma, z), self._transfer(z)
        power = transfer.abs().square()
        gain = divide(data, data * power * ((prior > 0) | (power > THRESHOLD**2)) + prior)
        return z + self._filter(y - self.A(z), transfer.conj() * gain)

    def observed_spectrum(self, spectrum: Tensor) -> Tensor:
        """Each frequency by its gain; exact but at the border, for a kernel that is even in both axes."""
        height, width = spectrum.shape[-2:]
        gain = torch.fft.fft2(self._taps.to(spectrum), s=(2 * height, 2 * width)).abs().square()
        other = gain.roll(-1, 1).flip(1)  # at the opposite horizontal frequency
        return spectrum * ((gain + other) / 2)[:height, :width]

    def observed_shape(self, image_shape: Shape) -> Shape:
        size, (height, width) = len(self._taps), image_shape[-2:]
        if size > min(height, width):
            name = "width" if self.kernel == "gaussian" else "length"
            raise ShapeError(
                f"the blur kernel is {size}x{size} pixels, larger than the {height}x{width} image; "
                f"reduce {name} or use a larger image"
            )
        return tuple(image_shape)

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Degradation, Tensor]:
        """ShapeError for a piece that is smaller than the kernel."""
        if len(self._taps) > min(window.height, window.width):
            raise ShapeError(
                f"the blur kernel is {len(self._taps)} pixels a side, larger than a {window.height}x"
                f"{window.width} piece of the image; expected larger pieces: raise their size (--tile)"
            )
        return super().window(window, y, size)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return self.observed_shape(observed_shape)

    @property
    def _taps(self) -> Tensor:
        return self.get_buffer("taps")

    @property
    def _radius(self) -> int:
        return len(self._taps) // 2

    def _transfer(self, like: Tensor) -> Tensor:
        """The transform of the kernel, centred on pixel (0, 0), for images of the size of `like`."""
        self.observed_shape(like.shape[1:])
        size = len(self._taps)
        kernel = like.new_zeros(like.shape[-2:])
        kernel[:size, :size] = self._taps.to(like)
        return torch.fft.rfft2(kernel.roll((-(size // 2), -(size // 2)), (0, 1)))

    def _filter(self, x: Tensor, transfer: Tensor) -> Tensor:
        if not x.numel():  # MKL's transforms refuse it
            return x
        return torch.fft.irfft2(torch.fft.rfft2(x) * transfer, s=x.shape[-2:])


def _gaussian(width: float) -> Tensor:
    """Square kernel of standard deviation `width`, cut at 3 standard deviations, of odd size and sum 1."""
    radius = max(1, round(3 * width))
    line = torch.exp(-(torch.arange(-radius, radius + 1, dtype=torch.float64) ** 2) / (2 * width**2))
    line = line / line.sum()
    return torch.outer(line, line)


def _motion(length: float, angle: float) -> Tensor:
    """The share of a centred segment that lies in each pixel, on a square of odd size."""
    samples = 200 * math.ceil(length)
    along = ((torch.arange(samples, dtype=torch.float64) + 0.5) / samples - 0.5) * length
    direction = math.radians(angle)
    column, row = (along * math.cos(direction)).round().long(), (-along * math.sin(direction)).round().long()
    radius = int(torch.maximum(column.abs(), row.abs()).max())
    taps = torch.zeros(2 * radius + 1, 2 * radius + 1, dtype=torch.float64)
    taps.index_put_((row + radius, column + radius), torch.tensor(1 / samples).double(), accumulate=True)
    return taps


def _fold(y: Tensor, radius: int) -> Tensor:
    """Adjoint of mirroring rows about the border rows: what was padded is added where it came from."""
    if radius == 0:
        return y
    x = y[..., radius:-radius, :].clone()
    x[..., 1 : radius + 1, :] += y[..., :radius, :].flip(-2)
    x[..., -radius - 1 : -1, :] += y[..., -radius:, :].flip(-2)
    return x
