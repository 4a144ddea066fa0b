"""One operator after the other: A x = A_n ... A_2 A_1 x."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from restora.operators.base import Map, Operator, Shape
from restora.operators.identity import Identity
from restora.random import Window

COLOURS = 3


def compose(*parts: Operator) -> Operator:
    """Compose operators in the order in which an image goes through them; identities are left out."""
    flat = [p for part in parts for p in (part.parts if isinstance(part, Compose) else [part])]
    real = [part for part in flat if not isinstance(part, Identity)]
    return real[0] if len(real) == 1 else Compose(*real) if real else Identity()


@dataclass(eq=False, init=False)
class Compose(Operator):
    """`parts`, in the order in which an image goes through them; `a @ b` is Compose(b, a)."""

    def __init__(self, *parts: Operator):
        self._parts = nn.ModuleList(parts)

    @property
    def parts(self) -> list[Operator]:
        return [part for part in self._parts if isinstance(part, Operator)]

    @property
    def linear(self) -> bool:
        return all(part.linear for part in self.parts)

    @property
    def gram(self) -> Tensor | float | None:
        """Known where all but the first are diagonal."""
        first, *others = self.parts
        found = first.gram
        for part in others:
            if found is None or part.diagonal is None:
                return None
            found = found * part.diagonal**2
        return found

    @property
    def shared(self) -> bool:
        return all(part.shared for part in self.parts)

    @property
    def complex(self) -> bool:
        return self.parts[-1].complex

    @property
    def picture(self) -> bool:
        return all(part.picture for part in self.parts)

    def _verify(self, image_shape: Shape, dtype: torch.dtype = torch.float32) -> torch.dtype:
        shape = tuple(image_shape)
        for part in self.parts:
            dtype = part._verify(shape, dtype)
            shape = part.observed_shape(shape)
        return dtype

    def forward(self, x: Tensor) -> Tensor:
        return reduce(lambda image, part: part(image), self.parts, x)

    def adjoint(self, u: Tensor) -> Tensor:
        if not self.linear:
            return super().adjoint(u)
        return reduce(lambda image, part: part.adjoint(image), reversed(self.parts), u)

    def spectrum(self, spectrum: Tensor) -> Tensor | None:
        """That of each part in turn."""
        found: Tensor | None = spectrum
        for part in self.parts:
            found = None if found is None else part.spectrum(found)
        return found

    def preconditioner(self, spectrum: Tensor, gain: Tensor | None, noise: float) -> Map | None:
        """That of the last part, for what the others let through."""
        *first, last = self.parts
        found = Compose(*first).spectrum(spectrum)
        return None if found is None else last.preconditioner(found, gain, noise)

    def restrict(self, y: Tensor) -> Tensor:
        return self.parts[-1].restrict(y)

    def take(self, index: Tensor) -> Operator:
        return self if self.shared else Compose(*(part.take(index) for part in self.parts))

    @property
    def grain(self) -> int:
        return math.prod(part.grain for part in self.parts)

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """That of each part in turn, of what it is given; PairingError where one cannot be cut."""
        parts: list[Operator] = []
        shape: Shape = (COLOURS, *size)
        for k, part in enumerate(self.parts, 1):
            behind, shape = shape, part.observed_shape(shape)
            observed = y if k == len(self.parts) else y.new_zeros(()).expand(1, *shape)
            own, seen = part.window(window, observed, (behind[-2], behind[-1]))
            parts.append(own)
            window = window.coarser(window.height // seen.shape[-2])
        return Compose(*parts), seen

    def observed_shape(self, image_shape: Shape) -> Shape:
        return reduce(lambda shape, part: part.observed_shape(shape), self.parts, tuple(image_shape))

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        shape = tuple(observed_shape)
        for part in reversed(self.parts):
            shape = part.image_shape(shape, channels)
        return shape
