"""The Radon transform: sums of an image along parallel rays, as a tomograph measures them.

    (A x)_(s, a) = the sum over t of x at c + R_a (s, t),   bilinear between pixels, 0 beyond them

The geometry is that of `skimage.transform.radon`: the image is turned about its pixel (n // 2, n // 2), and
its columns are summed. Source: Kak and Slaney, "Principles of Computerized Tomographic Imaging", 1988.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restora.errors import OptionError, ShapeError
from restora.operators.base import Operator, Shape, uncut
from restora.random import Window


@dataclass(eq=False, init=False)
class Radon(Operator):
    """The Radon transform: square images (B, C, n, n) to sinograms (B, C, detectors, angles).

    A and A^T are sparse matrices of about 2 n^2 values per angle.

    Args:
        size: n.
        angles: angles in degrees, or their number, evenly spaced from 0 to 180.
        circle: the image is 0 outside its inscribed circle, and there are n detectors; otherwise there are
            enough for its diagonal.
    """

    def __init__(self, size: int, angles: int | Sequence[float] | Tensor = 60, circle: bool = True):
        if size < 2:
            raise OptionError(f"size: expected at least 2 pixels a side, got {size}")
        if isinstance(angles, int):
            angles = [180 * k / angles for k in range(angles)]
        self.size, self.circle = size, circle
        self.angles = tuple(torch.as_tensor(angles, dtype=torch.float64).flatten().tolist())
        if not self.angles or not all(map(math.isfinite, self.angles)):
            raise OptionError("angles: expected one angle in degrees at least, all finite")
        self._matrices: dict[Any, tuple[Tensor, Tensor]] = {}

    @property
    def detectors(self) -> int:
        return self.size if self.circle else self.size + _beyond(self.size)

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        return _Product.apply(x.flatten(2), *self._pair(x)).unflatten(2, (self.detectors, -1))

    def adjoint(self, u: Tensor) -> Tensor:
        A, transposed = self._pair(u)
        return _Product.apply(u.flatten(2), transposed, A).unflatten(2, (self.size, -1))

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """PairingError: a ray sees the whole image."""
        raise uncut(self)

    def observed_shape(self, image_shape: Shape) -> Shape:
        channels, *size = image_shape
        if size != [self.size, self.size]:
            raise ShapeError(
                f"the Radon transform is for images of {self.size}x{self.size}, got "
                f"{'x'.join(map(str, size))}; expected square ones of that size"
            )
        return (channels, self.detectors, len(self.angles))

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        kept, *seen = observed_shape
        if seen != [self.detectors, len(self.angles)]:
            raise ShapeError(
                f"expected a sinogram of {self.detectors} detectors and {len(self.angles)} angles, got "
                f"{'x'.join(map(str, seen))}"
            )
        return (kept, self.size, self.size)

    def _pair(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """A and A^T."""
        key = like.dtype, like.device
        if key not in self._matrices:
            found = _matrix(self.size, self.detectors, self.angles)
            self._matrices[key] = _sparse(found, like), _sparse(found.T.tocsr(), like)
        return self._matrices[key]


class _Product(torch.autograd.Function):
    """x A^T of rows x (B, C, n), for sparse A; of its derivative too, and of that."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, A: Tensor, transposed: Tensor) -> Tensor:
        ctx.pair = A, transposed
        return (A @ x.flatten(0, 1).T).T.unflatten(0, x.shape[:2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        A, transposed = ctx.pair
        return _Product.apply(gradient, transposed, A), None, None


def _beyond(size: int) -> int:
    """Pixels that are added to a side so that the image can turn."""
    return math.ceil(math.sqrt(2) * size - size)


def _matrix(size: int, detectors: int, angles: Sequence[float]) -> Any:
    """A, (detectors angles, n^2), as SciPy has it."""
    from scipy.sparse import csr_array, vstack

    center = detectors // 2
    before = center - size // 2  # of the image in what is turned
    row, column = np.mgrid[:detectors, :detectors] - center
    parts = []
    for angle in np.deg2rad(angles):
        x = np.cos(angle) * column + np.sin(angle) * row + center - before
        y = -np.sin(angle) * column + np.cos(angle) * row + center - before
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        found = csr_array((detectors, size**2))
        for down in (0, 1):
            for right in (0, 1):
                i, j = top + down, left + right
                weight = (1 - np.abs(x - j)) * (1 - np.abs(y - i))
                inside = (i >= 0) & (i < size) & (j >= 0) & (j < size)
                places = (column[inside] + center, i[inside] * size + j[inside])
                found = found + csr_array((weight[inside], places), shape=found.shape)
        parts.append(found)
    order = np.arange(len(angles) * detectors).reshape(len(angles), detectors).T.ravel()
    return vstack(parts, format="csr")[order]


def _sparse(matrix: Any, like: Tensor) -> Tensor:
    with warnings.catch_warnings():  # torch calls its sparse matrices unfinished
        warnings.simplefilter("ignore")
        rows, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
        found = torch.sparse_csr_tensor(rows, columns, torch.from_numpy(matrix.data), size=matrix.shape)
        return found.to(like.device, like.dtype)
