"""A picture in memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Picture:
    """A decoded image, plane or frame.

    Attributes:
        pixels: (C, H, W) in [0, 1]; C is 1 for grey, 3 for RGB, otherwise as many as the file has.
        bits: the depth, 8 or 16.
        alpha: transparency, (1, H, W); None if all is opaque.
    """

    pixels: Tensor
    bits: int = 8
    alpha: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def over_white(self) -> Tensor:
        """The pixels on a white background."""
        return self.pixels if self.alpha is None else self.pixels * self.alpha + (1 - self.alpha)
