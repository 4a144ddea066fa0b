"""Any matrix: u = M x, x the values of an image in a row, as compressed sensing has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from restora.errors import ShapeError
from restora.operators.base import Operator, Shape, uncut
from restora.random import Window


@dataclass(eq=False, init=False)
class Matrix(Operator):
    """A matrix: u = M x, (B, m).

    If the rows of M are orthogonal, pseudo-inverse and prox use formulas.

    Args:
        matrix: M, (m, C H W), a tensor or an array, also of integers or of booleans.
        shape: the (C, H, W) of images.
    """

    def __init__(self, matrix: Tensor, shape: Shape):
        matrix = torch.as_tensor(matrix)
        if matrix.is_complex():
            raise ShapeError(
                f"matrix: expected real numbers, got {str(matrix.dtype).removeprefix('torch.')}; take real "
                "and imaginary parts as rows of their own"
            )
        if not matrix.is_floating_point():
            matrix = matrix.to(torch.get_default_dtype())
        if matrix.ndim != 2 or matrix.shape[1] != math.prod(shape):
            raise ShapeError(
                f"matrix: expected (m, {math.prod(shape)}) for images of shape {tuple(shape)}, "
                f"got {tuple(matrix.shape)}"
            )
        self.register_buffer("matrix", matrix)
        self.shape = tuple(shape)
        product = matrix @ matrix.T
        diagonal = product.diagonal()
        stray = (product - diagonal.diag()).abs().max() if len(product) else 0
        orthogonal = bool(stray <= 1e-6 * diagonal.abs().max())
        self.register_buffer("norms", diagonal if orthogonal else torch.empty(0))

    @property
    def gram(self) -> Tensor | None:
        norms = self.get_buffer("norms")
        return norms if len(norms) else None

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.get_buffer("matrix").to(x).T

    def adjoint(self, u: Tensor) -> Tensor:
        return (u @ self.get_buffer("matrix").to(u)).view(-1, *self.shape)

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """PairingError: a row sees the whole image."""
        raise uncut(self)

    def observed_shape(self, image_shape: Shape) -> Shape:
        if tuple(image_shape) != self.shape:
            raise ShapeError(f"the matrix is for images of shape {self.shape}, got {tuple(image_shape)}")
        return (len(self.get_buffer("matrix")),)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return self.shape
