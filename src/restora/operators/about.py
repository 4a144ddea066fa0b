"""An operator about a known image: what is added to b, and what that adds to A b.

    B v = A(b + v) - A b

If A is linear, that is A itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from restora.operators.base import Operator, Shape


@dataclass(eq=False, init=False)
class About(Operator):
    """`operator`: A, not linear. `base`: b, (1, C, H, W)."""

    def __init__(self, operator: Operator, base: Tensor):
        self.operator = operator
        self.register_buffer("base", base)

    @property
    def linear(self) -> bool:
        return False

    def forward(self, v: Tensor) -> Tensor:
        base = self.get_buffer("base").to(v)
        return self.operator(base + v) - self.operator(base)

    def tangent(self, x: Tensor) -> tuple[Operator, Tensor]:
        found, _ = self.operator.tangent(self.get_buffer("base").to(x) + x)
        return found, self(x) - found(x)

    def restrict(self, y: Tensor) -> Tensor:
        return self.operator.restrict(y)

    def observed_shape(self, image_shape: Shape) -> Shape:
        return self.operator.observed_shape(image_shape)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return self.operator.image_shape(observed_shape, channels)

    def _verify(self, image_shape: Shape, dtype: torch.dtype = torch.float32) -> torch.dtype:
        return self.operator._verify(image_shape, dtype)
