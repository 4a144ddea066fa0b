"""Each channel seen at other places: A x = S x, a sparse matrix of weights for every pixel of the result.

    (S x)_p = g_p sum_q k((a_p - q) / r) x_q / sum_q k((a_p - q) / r)

a_p is the place in x that pixel p shows, g_p a gain, and k the cubic kernel of Keys (IEEE ASSP 1981), applied
to rows and columns; r >= 1 widens it where x has more pixels than the result, against aliases. Beyond its
border x goes on as at the border.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from restora.errors import ShapeError
from restora.operators.base import Operator, Shape

REACH = 2  # of the kernel


@dataclass(eq=False, init=False)
class Warp(Operator):
    """Images of (height, width) `size`, seen at `places` (h, w, 2) as (x, y), pixel centres at whole numbers.

    Args:
        places: where in the image each pixel of the result is.
        size: (H, W) of the image.
        gain: (h, w), by which the result is multiplied; left out, 1.
        reduction: pixels of the image to one of the result, r.
    """

    def __init__(
        self, places: Tensor, size: tuple[int, int], gain: Tensor | None = None, reduction: float = 1.0
    ):
        self.size, self.shown = (size[0], size[1]), (places.shape[0], places.shape[1])
        self.register_buffer("matrix", _matrix(places.double(), self.size, gain, max(1.0, reduction)))
        self.register_buffer("transpose", self.get_buffer("matrix").t().coalesce())

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        return self._apply_matrix("matrix", x, self.shown)

    def adjoint(self, u: Tensor) -> Tensor:
        return self._apply_matrix("transpose", u, self.size)

    def observed_shape(self, image_shape: Shape) -> Shape:
        if tuple(image_shape[-2:]) != self.size:
            raise ShapeError(
                f"the warp is of images of {self.size[0]}x{self.size[1]} pixels (height x width), got "
                f"{image_shape[-2]}x{image_shape[-1]}"
            )
        return (*image_shape[:-2], *self.shown)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return (*observed_shape[:-2], *self.size)

    def _apply_matrix(self, name: str, x: Tensor, size: tuple[int, int]) -> Tensor:
        matrix = self.get_buffer(name).to(x.dtype)
        columns = x.reshape(-1, x.shape[-2] * x.shape[-1]).T.contiguous()  # else forty times slower
        found = matrix @ columns
        return found.T.reshape(*x.shape[:-2], *size)


def _matrix(places: Tensor, size: tuple[int, int], gain: Tensor | None, reduction: float) -> Tensor:
    """S, (h w, H W), sparse."""
    x, across = _taps(places[..., 0].flatten(), size[1], reduction)
    y, down = _taps(places[..., 1].flatten(), size[0], reduction)
    columns = (y.unsqueeze(2) * size[1] + x.unsqueeze(1)).flatten(1)
    weights = (down.unsqueeze(2) * across.unsqueeze(1)).flatten(1)
    if gain is not None:
        weights = weights * gain.to(weights).reshape(-1, 1)
    rows = torch.arange(len(columns)).unsqueeze(1).expand_as(columns)
    used = weights != 0
    index = torch.stack([rows[used], columns[used]])
    shape = len(columns), size[0] * size[1]
    return torch.sparse_coo_tensor(index, weights[used].float(), shape, check_invariants=True).coalesce()


def _taps(place: Tensor, length: int, reduction: float) -> tuple[Tensor, Tensor]:
    """Along one axis: which pixels (n, K) show at each place, and their weights, of sum 1."""
    count = 2 * math.ceil(REACH * reduction)
    first = place.floor().long() - count // 2 + 1
    index = first.unsqueeze(1) + torch.arange(count)
    weights = keys((place.unsqueeze(1) - index) / reduction)
    return index.clamp(0, length - 1), weights / weights.sum(1, keepdim=True)


def keys(x: Tensor) -> Tensor:
    """The cubic kernel, which passes parabolas."""
    x = x.abs()
    inner, outer = (1.5 * x - 2.5) * x**2 + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, inner, torch.where(x < REACH, outer, 0))
