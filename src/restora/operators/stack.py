"""Several observations of one image: u = (A_1 x, A_2 x, ...)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from restora.errors import OptionError, ShapeError
from restora.operators.base import Operator, Shape, uncut
from restora.random import Window


@dataclass(eq=False, init=False)
class Stack(Operator):
    """The observations of several operators, concatenated: u is (B, m_1 + m_2 + ...).

    Args:
        parts: the operators.
        shape: the (C, H, W) of images.
    """

    def __init__(self, *parts: Operator, shape: Shape):
        if not parts or not all(part.linear for part in parts):
            raise OptionError("Stack: expected linear operators")
        self._parts, self.shape = nn.ModuleList(parts), tuple(shape)

    @property
    def parts(self) -> list[Operator]:
        return [part for part in self._parts if isinstance(part, Operator)]

    @property
    def shared(self) -> bool:
        return all(part.shared for part in self.parts)

    def _verify(self, image_shape: Shape, dtype: torch.dtype = torch.float32) -> torch.dtype:
        for part in self.parts:
            dtype = part._verify(image_shape, dtype)
        return dtype

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part(x).flatten(1) for part in self.parts], 1)

    def adjoint(self, u: Tensor) -> Tensor:
        return sum(
            (part.adjoint(v) for part, v in zip(self.parts, self.split(u), strict=True)),
            start=u.new_zeros(len(u), *self.shape),
        )

    def split(self, y: Tensor) -> list[Tensor]:
        """The observations of each part, in their own shapes."""
        shapes = [part.observed_shape(self.shape) for part in self.parts]
        rows = y.split([math.prod(shape) for shape in shapes], 1)
        return [row.reshape(len(y), *shape) for row, shape in zip(rows, shapes, strict=True)]

    def restrict(self, y: Tensor) -> Tensor:
        kept = [part.restrict(v) for part, v in zip(self.parts, self.split(y), strict=True)]
        return torch.cat([v.flatten(1) for v in kept], 1)

    def take(self, index: Tensor) -> Operator:
        return self if self.shared else Stack(*(p.take(index) for p in self.parts), shape=self.shape)

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """PairingError: observations in a row have no place in the image."""
        raise uncut(self)

    def observed_shape(self, image_shape: Shape) -> Shape:
        if tuple(image_shape) != self.shape:
            raise ShapeError(f"Stack is for images of shape {self.shape}, got {tuple(image_shape)}")
        return (sum(math.prod(part.observed_shape(self.shape)) for part in self.parts),)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return self.shape
