"""A gain for every value: A = A^T = diag(g),  A A^T = diag(g^2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from restora.operators.base import Operator
from restora.random import Window


@dataclass(eq=False)
class Gain(Operator):
    """Every value times a gain, such as a flat field or vignetting. `gain`: (B or 1, C or 1, H, W)."""

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

    def take(self, index: Tensor) -> Gain:
        return self if self.shared else replace(self, gain=self.gain[index.to(self.gain.device)])

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        return replace(self, gain=window.of(self.gain)), window.of(y)
