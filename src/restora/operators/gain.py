"""A gain for every value: A = A^T = diag(g),  A A^T = diag(g^2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from torch import Tensor

from restora.gaussian.stationary import inverse
from restora.operators.base import Map, Operator
from restora.random import Window

LEAST = 1e-6  # of a gain that divides


@dataclass(eq=False)
class Gain(Operator):
    """Multiplication of every value by a gain, such as a flat field or vignetting.

    Args:
        gain: (B or 1, C or 1, H, W).
    """

    gain: Tensor = field(repr=False)

    @property
    def gram(self) -> Tensor:
        return self.gain.square()

    @property
    def diagonal(self) -> Tensor:
        return self.gain

    @property
    def shared(self) -> bool:
        return len(self.gain) == 1

    def forward(self, x: Tensor) -> Tensor:
        return self.gain.to(x) * x

    def adjoint(self, u: Tensor) -> Tensor:
        return self.gain.to(u) * u

    def spectrum(self, spectrum: Tensor) -> Tensor:
        """As if every gain were that of the mean square."""
        return self.gain.to(spectrum).square().mean((1, 2, 3)).view(-1, 1, 1, 1, 1) * spectrum

    def preconditioner(self, spectrum: Tensor, gain: Tensor | None, noise: float) -> Map:
        """As if, in units of its gain, the noise were the same everywhere; a gain below which a value tells
        less than C knows counts as that."""
        size = spectrum.shape[-2] * spectrum.shape[-1] * spectrum.shape[-4]
        variance = spectrum.diagonal(dim1=-4, dim2=-3).sum() / (size * math.prod(spectrum.shape[:-4]))
        g = self.gain.abs() if gain is None else (gain * self.gain).abs()
        g = g.clamp(min=max((noise / variance.item()) ** 0.5, LEAST))
        own = noise * g.log().mul(-2).mean((1, 2, 3)).exp()
        nearly = inverse(spectrum, own.view(-1, 1, 1, 1, 1))
        return lambda v: nearly(v / g) / g

    def take(self, index: Tensor) -> Gain:
        return self if self.shared else replace(self, gain=self.gain[index.to(self.gain.device)])

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        return replace(self, gain=window.of(self.gain)), window.of(y)
