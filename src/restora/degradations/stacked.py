"""Several observations of one image, each with its own operator and noise: u = (A_1 x, A_2 x, ...)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restora.degradations.base import Degradation
from restora.errors import OptionError, ShapeError
from restora.noise.gaussian import GaussianNoise
from restora.operators import Stack
from restora.operators.base import Shape


class Stacked(Degradation):
    """Several degradations of the same images, whose observations are concatenated by `join`.

    Args:
        parts: linear degradations with Gaussian noise of known standard deviation.
        shape: the (C, H, W) of the images.

    Raises:
        OptionError: for other degradations.
    """

    def __init__(self, *parts: Degradation, shape: Shape):
        operator = Stack(*(part.operator for part in parts), shape=shape)
        shapes = [part.operator.observed_shape(tuple(shape)) for part in parts]
        levels = [_level(part, seen) for part, seen in zip(parts, shapes, strict=True)]
        super().__init__(operator, GaussianNoise(_together(levels, shapes)))
        self.parts = parts

    def join(self, *observations: Tensor) -> Tensor:
        """Concatenate observations y_1, y_2, ... (B, ...) to (B, m). ShapeError for an unexpected shape."""
        assert isinstance(self.operator, Stack)
        expected = [part.operator.observed_shape(self.operator.shape) for part in self.parts]
        found = [tuple(y.shape[1:]) for y in observations]
        if found != expected:
            raise ShapeError(f"expected observations of shapes {expected}, (B, ...) each, got {found}")
        return torch.cat([y.flatten(1) for y in observations], 1)


def _level(part: Degradation, shape: Shape) -> float | Tensor:
    """sigma: a number, or (B or 1, m)."""
    noise = part.noise
    if not isinstance(noise, GaussianNoise) or noise.blind or noise.covariance is not None:
        raise OptionError(
            f"Stacked: expected Gaussian noise of a known sigma in every part, got {type(noise).__name__} "
            f"in {type(part).__name__}"
        )
    sigma = noise.sigma
    if not isinstance(sigma, Tensor):
        return float(sigma)
    if sigma.ndim == 1:
        return sigma.view(-1, 1).expand(-1, math.prod(shape))
    return sigma.expand(len(sigma), *shape).flatten(1)


def _together(levels: list[float | Tensor], shapes: list[Shape]) -> float | Tensor:
    numbers = {level for level in levels if not isinstance(level, Tensor)}
    if len(numbers) == 1 and not any(isinstance(level, Tensor) for level in levels):
        return numbers.pop()
    rows = [
        level if isinstance(level, Tensor) else torch.full((1, math.prod(shape)), level)
        for level, shape in zip(levels, shapes, strict=True)
    ]
    count = max(len(row) for row in rows)
    return torch.cat([row.expand(count, -1) for row in rows], 1)
