"""One linear degradation after the other: y = A_n ... A_2 A_1 x + sigma e, the noise that of the last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from torch import Tensor, nn

from restora.degradations.base import Degradation, Shape
from restora.errors import OptionError
from restora.random import Generators, Window


@dataclass(eq=False, init=False)
class Chain(Degradation):
    """`parts`, in the order in which an image goes through them: `Chain(Blur(sigma=0), Downsample(2))`.

    OptionError for a part that is not linear, and for noise before the last, which the rest would colour.
    """

    def __init__(self, *parts: Degradation):
        if not parts:
            raise OptionError("Chain: expected degradations, got none")
        for part in parts:
            if not part.linear:
                raise OptionError(f"Chain: expected linear degradations, got {type(part).__name__}")
        for part in parts[:-1]:
            if part.sigma > 0:
                raise OptionError(
                    f"Chain: expected noise in the last part alone, got sigma={part.sigma:g} in "
                    f"{type(part).__name__}; set it to 0 there"
                )
        self.sigma = parts[-1].sigma
        self.parts = nn.ModuleList(parts)
        self.__post_init__()

    @property
    def _parts(self) -> list[Degradation]:
        return [part for part in self.parts if isinstance(part, Degradation)]

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        return self.tangent(x, super().forward(x, generator))[1]  # no noise where nothing is observed

    def A(self, x: Tensor) -> Tensor:
        return reduce(lambda image, part: part.A(image), self._parts, x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return reduce(lambda image, part: part.A_adjoint(image), reversed(self._parts), y)

    def tangent(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        """As that of the last part: what is not observed does not count."""
        *first, last = self._parts
        return self, last.tangent(reduce(lambda image, part: part.A(image), first, x), y)[1]

    def observed_spectrum(self, spectrum: Tensor) -> Tensor | None:
        """That of each part in turn."""
        found: Tensor | None = spectrum
        for part in self._parts:
            found = None if found is None else part.observed_spectrum(found)
        return found

    def take(self, index: Tensor) -> Degradation:
        taken = [part.take(index) for part in self._parts]
        return self if all(a is b for a, b in zip(taken, self._parts, strict=True)) else Chain(*taken)

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Degradation, Tensor]:
        """PairingError: what one part does to a piece depends on the others."""
        return super().window(window, y, (-1, -1))

    def observed_shape(self, image_shape: Shape) -> Shape:
        return reduce(lambda shape, part: part.observed_shape(shape), self._parts, tuple(image_shape))

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        shape = tuple(observed_shape)
        for part in reversed(self._parts):
            shape = part.image_shape(shape, channels)
        return shape
