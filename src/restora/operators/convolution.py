"""Convolution with a known kernel k of any size, whose centre is its pixel (h // 2, w // 2).

    A x = k * x,   (A x)_i = sum_j k_j x_(i + c - j),   c the centre, as in scipy.ndimage.convolve

circular   A = F^H diag(K) F, K the transform of k: adjoint, pseudo-inverse and prox are products in the
           Fourier domain, prox = z + F^H conj(K) (|K|^2 + 1/gamma)^-1 F (u - A z)
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

from restora.errors import OptionError, ShapeError
from restora.operators.arithmetic import divide, shares
from restora.operators.base import Operator, Shape
from restora.options import option
from restora.random import Window

THRESHOLD = 1e-3
"""Frequencies that the circular blur leaves below this gain are lost: its pseudo-inverse gives 0 there."""
Boundary = Literal["reflect", "circular"]


@dataclass(eq=False)
class Convolution(Operator):
    """Convolution of every channel with a kernel.

    Args:
        taps: the kernel, (h, w), or one per image, (B, h, w); a tensor or an array. A sum other than 1
            changes the brightness.

    Raises:
        OptionError: for taps that are not a kernel.
        ShapeError: for a kernel larger than the image.
    """

    taps: Tensor = field(repr=False)
    boundary: Boundary = option("reflect", "what lies beyond the border: the mirrored or the repeated image")

    def __post_init__(self) -> None:
        self.taps = as_kernel(self.taps)
        super().__post_init__()

    @property
    def kernel(self) -> Tensor:
        return self.taps

    @property
    def shared(self) -> bool:
        return self.taps.ndim == 2

    @property
    def picture(self) -> bool:
        return bool((self.taps >= 0).all() and ((self.taps.sum((-2, -1)) - 1).abs() < 1e-3).all())

    def take(self, index: Tensor) -> Operator:
        return self if self.shared else Convolution(self.taps[index.to(self.taps.device)], self.boundary)

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        if self.boundary == "circular":
            return self._filter(x, self._transfer(x))
        wide = F.pad(x, self._margins, mode="reflect")
        blurred = self._filter(wide, self._transfer(wide))
        return F.pad(blurred, [-m for m in self._margins])

    def adjoint(self, u: Tensor) -> Tensor:
        if self.boundary == "circular":
            return self._filter(u, self._transfer(u).conj())
        wide = F.pad(u, self._margins)
        spread = self._filter(wide, self._transfer(wide).conj())
        across, _, down, _ = self._margins
        return _fold(_fold(spread, down).mT, across).mT

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        """Circular: frequencies of gain below `THRESHOLD` are set to 0. Reflect: as in the base."""
        circular = self.boundary == "circular"
        return self.prox(torch.zeros_like(u), u, math.inf) if circular else super().pseudo_inverse(u)

    def prox(self, z: Tensor, u: Tensor, gamma: float | Tensor) -> Tensor:
        if self.boundary == "reflect":
            return super().prox(z, u, gamma)
        (data, prior), transfer = shares(gamma, z), self._transfer(z)
        power = transfer.abs().square()
        gain = divide(data, data * power * ((prior > 0) | (power > THRESHOLD**2)) + prior)
        return z + self._filter(u - self(z), transfer.conj() * gain)

    def spectrum(self, spectrum: Tensor) -> Tensor:
        """Each frequency by its gain; exact but at the border, for a kernel that is even in both axes."""
        height, width = spectrum.shape[-2:]
        gain = torch.fft.fft2(self.taps.to(spectrum), s=(2 * height, 2 * width)).abs().square()
        other = gain.roll(-1, -1).flip(-1)  # at the opposite horizontal frequency
        gain = ((gain + other) / 2)[..., :height, :width]
        return spectrum * (gain if gain.ndim == 2 else gain[:, None, None])

    def observed_shape(self, image_shape: Shape) -> Shape:
        if self._is_larger(image_shape[-2:]):
            raise ShapeError(
                f"the blur kernel is {_size(self.taps)} pixels, larger than the {image_shape[-2]}x"
                f"{image_shape[-1]} image; use a narrower blur (width or length) or a larger image"
            )
        return tuple(image_shape)

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """ShapeError for a piece that is smaller than the kernel."""
        if self._is_larger((window.height, window.width)):
            raise ShapeError(
                f"the blur kernel is {_size(self.taps)} pixels, larger than a {window.height}x"
                f"{window.width} tile of the image; expected larger tiles (tile)"
            )
        return super().window(window, y, size)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return self.observed_shape(observed_shape)

    def _is_larger(self, size: tuple[int, ...]) -> bool:
        return any(tap > side for tap, side in zip(self.taps.shape[-2:], size, strict=True))

    @property
    def _margins(self) -> list[int]:
        height, width = self.taps.shape[-2:]
        return [width // 2, width // 2, height // 2, height // 2]

    def _transfer(self, like: Tensor) -> Tensor:
        """The transform of the kernel, centred on pixel (0, 0), for images of the size of `like`."""
        self.observed_shape(like.shape[1:])
        if not self.shared and len(self.taps) != len(like):
            raise ShapeError(
                f"kernel: expected 1, or one for each of the {len(like)} images, got {len(self.taps)}; "
                "select kernels with take(index)"
            )
        height, width = self.taps.shape[-2:]
        below, right = like.shape[-2] - height, like.shape[-1] - width
        kernel = F.pad(self.taps.to(like), (0, right, 0, below))
        found = torch.fft.rfft2(kernel.roll((-(height // 2), -(width // 2)), (-2, -1)))
        return found if found.ndim == 2 else found.unsqueeze(1)

    def _filter(self, x: Tensor, transfer: Tensor) -> Tensor:
        if not x.numel():  # MKL's transforms refuse it
            return x
        return torch.fft.irfft2(torch.fft.rfft2(x) * transfer, s=x.shape[-2:])


def as_kernel(taps: Tensor) -> Tensor:
    """(h, w) or (B, h, w) of floats, from these or from (B, 1, h, w) of any numbers; or OptionError."""
    taps = torch.as_tensor(taps)
    if taps.ndim == 4 and taps.shape[1] == 1:
        taps = taps[:, 0]
    if taps.ndim not in (2, 3) or not taps.numel():
        raise OptionError(f"kernel: expected shape (h, w) or (B, h, w), got {tuple(taps.shape)}")
    if taps.is_complex() or not bool(taps.isfinite().all()) or not bool(taps.any()):
        raise OptionError("kernel: expected real, finite values that are not all 0")
    taps = taps if taps.is_floating_point() else taps.float()
    return taps[0] if taps.ndim == 3 and len(taps) == 1 else taps


def gaussian(width: float) -> Tensor:
    """Square kernel of standard deviation `width`, cut at 3 standard deviations, of odd size and sum 1."""
    radius = max(1, round(3 * width))
    line = torch.exp(-(torch.arange(-radius, radius + 1, dtype=torch.float64) ** 2) / (2 * width**2))
    line = line / line.sum()
    return torch.outer(line, line)


def motion(length: float, angle: float) -> Tensor:
    """The share of a centred segment that lies in each pixel, on a square of odd size."""
    samples = 200 * math.ceil(length)
    along = ((torch.arange(samples, dtype=torch.float64) + 0.5) / samples - 0.5) * length
    direction = math.radians(angle)
    column, row = (along * math.cos(direction)).round().long(), (-along * math.sin(direction)).round().long()
    radius = int(torch.maximum(column.abs(), row.abs()).max())
    taps = torch.zeros(2 * radius + 1, 2 * radius + 1, dtype=torch.float64)
    taps.index_put_((row + radius, column + radius), torch.tensor(1 / samples).double(), accumulate=True)
    return taps


def _size(taps: Tensor) -> str:
    return "x".join(map(str, taps.shape[-2:]))


def _fold(y: Tensor, radius: int) -> Tensor:
    """Adjoint of mirroring rows about the border rows: what was padded is added where it came from."""
    if radius == 0:
        return y
    x = y[..., radius:-radius, :].clone()
    x[..., 1 : radius + 1, :] += y[..., :radius, :].flip(-2)
    x[..., -radius - 1 : -1, :] += y[..., -radius:, :].flip(-2)
    return x
