"""Any function as an operator: a user's A, with or without its adjoint, linear or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from restora.errors import OptionError, RestoraError, ShapeError
from restora.operators.base import Map, Operator, Shape
from restora.random import Window


@dataclass(eq=False, init=False)
class Function(Operator):
    """`A`: images (B, C, H, W) -> u (B, ...), acting on each image by itself; a function or an nn.Module.

    Args:
        A: made of differentiable operations, unless it is linear and comes with its adjoint.
        adjoint: u -> images, with <A x, u> = <x, adjoint u>. Left out: the vector-Jacobian product of A.
        linear: False where A is not linear.
        shape: the (C, H, W) of images. Left out, A is tried on images of the shape of u.
    """

    linear: bool = True

    def __init__(
        self, A: Map, adjoint: Map | None = None, *, linear: bool = True, shape: Shape | None = None
    ):
        for name, value in (("A", A), ("adjoint", adjoint)):
            if value is not None and not callable(value):
                raise OptionError(f"{name}: expected a function of a tensor, got {type(value).__name__}")
        self.A, self.transposed, self.linear, self.shape = A, adjoint, linear, shape
        # Follows .to(), so that shapes can be found by a trial on the right device.
        self.register_buffer("trial", torch.empty(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.A(x)

    def adjoint(self, u: Tensor) -> Tensor:
        return super().adjoint(u) if self.transposed is None else self.transposed(u)

    def observed_shape(self, image_shape: Shape) -> Shape:
        return self._tried(self.A, image_shape)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        """By the adjoint, if it was given. ShapeError where the shape of images cannot be found."""
        if self.shape is not None:
            return self.shape
        if self.transposed is not None:
            return self._tried(self.transposed, observed_shape)
        if len(observed_shape) == 3:
            for count in dict.fromkeys((observed_shape[0], channels)):
                guess = (count, *observed_shape[1:])
                if self._seen(guess) == tuple(observed_shape):
                    return guess
        raise ShapeError(
            f"the images behind observations of shape {tuple(observed_shape)} are not known; "
            "give Function(A, shape=(C, H, W)), or an adjoint"
        )

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """PairingError: what A does to a part of an image is not known."""
        return super().window(window, y, (-1, -1))

    def check(self, image_shape: Shape, tolerance: float = 1e-3) -> None:
        """OptionError unless <A x, u> = <x, adjoint u> for a random pair, which a wrong adjoint fails."""
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1, *image_shape, generator=generator).to(self.get_buffer("trial"))
        Ax = self(x)
        u = torch.randn(Ax.shape, generator=generator).to(Ax)
        left, right = float((Ax * u).sum()), float((x * self.adjoint(u)).sum())
        if self.linear and abs(left - right) > tolerance * float(Ax.norm() * u.norm()):
            raise OptionError(
                f"adjoint: expected <A x, u> = <x, adjoint u>, got {left:.6g} and {right:.6g}; "
                "is it the transpose of A, on the same image size?"
            )

    def _tried(self, function: Map, shape: Shape) -> Shape:
        """The shape that it gives, in single precision or, where it takes none, in double."""
        zeros = self.get_buffer("trial").new_zeros(1, *shape)
        try:
            return tuple(function(zeros).shape[1:])
        except RuntimeError:
            return tuple(function(zeros.double()).shape[1:])

    def _seen(self, image_shape: Shape) -> Any:
        try:
            return self.observed_shape(image_shape)
        except (RestoraError, RuntimeError, ValueError, IndexError):
            return None
