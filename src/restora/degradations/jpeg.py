"""JPEG: every cosine coefficient of every block is known only to lie in the cell of its index.

    y = D(q round(T(x + sigma e) / q)),   q = the tables / 255;   T, D: `restora.degradations.coefficients`
    cell(y) = q (index -+ 1/2),   index = round(D^-1 y / q)
    d(y, x) = sum dist(T x, cell(y))^p

It is the quantiser of `restora.degradations.quantize` in another basis, in which colours are not orthogonal.
prox_l2 goes from plane to plane, each to its cells by its own formula, after what that plane did in the round
before is taken back (Dykstra's algorithm; Bauschke and Combettes 2008). E[x | y] and draws take the planes
for independent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from restora.degradations import codec
from restora.degradations.base import (
    Degradation,
    Shape,
    as_tensor,
    one_of,
    option,
    uniform,
    weighted_sum,
)
from restora.degradations.coefficients import Coefficients, Planes, Transform
from restora.degradations.truncated import truncated_draw, truncated_mean
from restora.errors import ShapeError
from restora.pictures.jpeg import jpeg_header
from restora.random import Generators, randn

ROUNDS = 24
LEVEL = 128 / 255  # of values before the transform


@dataclass(eq=False)
class JPEG(Degradation):
    """Compressed by JPEG and decoded, as libjpeg does both, but for its rounding and cutting to bytes.

    RGB (B, 3, H, W) or grey (B, 1, H, W), y like x. `tables`: those of a file, (1 or B, 2, 8, 8) of luma and
    chroma, whole numbers; none for those of `quality`. Not linear; A^T is I, and A^dagger y has the
    coefficients of y.

    The cells are exact for whole blocks of pixels that decoding did not cut at 0 or 1; where a side is no
    whole number of blocks, those of the last ones are about right. `condition` and `draw` take the errors
    of Y, Cb and Cr for independent, as those of a network nearly are; of errors that are white in RGB the
    mean is unbiased all the same, but each plane learns from its own cells alone.
    """

    linear: ClassVar[bool] = False
    linearised: ClassVar[bool] = True

    quality: int = field(default=10, metadata=option("libjpeg's, from 1, worst, to 100", 1, 100))
    subsampling: codec.Subsampling = field(
        default="4:2:0", metadata=option("pixels that share a chroma value: 4:2:0 2x2, 4:2:2 1x2, 4:4:4 one")
    )
    tables: Tensor = field(
        default_factory=lambda: torch.empty(0, 2, codec.BLOCK, codec.BLOCK),
        repr=False,
        metadata={
            "help": "the file's own, in place of those of the quality",
            "per_image": True,
            "from_file": True,
        },
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.tables):
            self.tables = codec.tables(self.quality)[None]

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> JPEG:
        quality = round(5 * 19 ** uniform(0, 1, generator))
        return cls(quality, one_of(("4:2:0", "4:2:0", "4:4:4"), generator))

    @classmethod
    def of_file(cls, path: Path) -> dict[str, Any]:
        """The tables and the subsampling of a JPEG file; of another file nothing."""
        header = jpeg_header(path)
        if header is None:
            return {}
        tables, subsampling = header
        return {
            "tables": torch.tensor(tables).float().view(1, 2, codec.BLOCK, codec.BLOCK),
            "subsampling": subsampling,
        }

    @property
    def grain(self) -> int:
        return codec.BLOCK * max(codec.FACTORS[self.subsampling])

    @property
    def transform(self) -> Transform:
        return Transform(self.subsampling)

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        return self.A(x + self.sigma * randn(x.shape, generator, like=x) if self.sigma > 0 else x)

    def A(self, x: Tensor) -> Tensor:
        """The decoded picture, not cut to [0, 1]; its gradient is 0, so optimise `fidelity` instead."""
        self.observed_shape(x.shape[1:])
        planes = [s * (c / s).round() for s, c in self._with_steps(self._planes(x))]
        return _crop(self.transform.decode(planes) + LEVEL, x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y

    def A_dagger(self, y: Tensor) -> Tensor:
        return _crop(self.transform.lift(self._centres(y)) + LEVEL, y)

    def cells(self, y: Tensor) -> tuple[Planes, Planes]:
        """The lowest and the highest coefficients of each plane that have the index of y."""
        steps = self._with_steps(self._centres(y))
        return [c - s / 2 for s, c in steps], [c + s / 2 for s, c in steps]

    def fidelity(self, x: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """sum_i weight_i d_i^p, d the distance of a coefficient to its cell: (B,).

        `weight`, broadcastable to y, has those of a block's coefficients in the place of its pixels.
        """
        total = x.new_zeros(len(x))
        if weight is not None:
            weight = self.transform.extend(weight.expand_as(x))
        for i, (c, low, high) in enumerate(zip(self._planes(x), *self.cells(y), strict=True)):
            own = None if weight is None else codec.means(weight[:, i : i + 1], self.transform.factors[i])
            total = total + weighted_sum(c - c.clamp(low, high), p, own)
        return total

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """argmin_x gamma/2 d(x, y)^2 + 1/2 |x - z|^2, to 1e-6 of the way from z and better."""
        transform, gamma = self.transform, as_tensor(gamma, z)
        x = transform.extend(z) - LEVEL
        channels, (lows, highs) = z.shape[1], self.cells(y)
        pulls = [torch.zeros_like(low) for low in lows]
        for _ in range(ROUNDS if channels > 1 else 1):
            for p, (low, high) in enumerate(zip(lows, highs, strict=True)):
                norm = transform.norm(p, channels)
                c = transform.plane(x, p) + norm * pulls[p]
                pull = (c - c.clamp(low, high)) / (norm + 1 / gamma)
                x = x - transform.adjoint(pull - pulls[p], p, channels)
                pulls[p] = pull
        return _crop(x + LEVEL, z)

    def condition(self, x_hat: Tensor, variance: float | Tensor, y: Tensor) -> Tensor:
        """E[x | y] when x ~ N(x_hat, variance I), but for what one plane's cells say of another plane.

        With u = x + sigma e of variance w = variance + sigma^2: x_hat + variance/w (E[u | cells] - x_hat).
        """
        variance, total = self._variances(x_hat, variance)
        planes, (lows, highs) = self._planes(x_hat), self.cells(y)
        for p, (low, high) in enumerate(zip(lows, highs, strict=True)):
            std = (total * self.transform.norm(p, len(planes))).sqrt()
            planes[p] = truncated_mean(planes[p], std, low, high) - planes[p]
        return x_hat + variance / total * _crop(self.transform.lift(planes), x_hat)

    def _variances(self, x_hat: Tensor, variance: float | Tensor) -> tuple[Tensor, Tensor]:
        """Of x, and of u = x + sigma e; 1 where x is known."""
        variance = as_tensor(variance, x_hat)
        return variance, torch.where(variance > 0, variance + self.sigma**2, 1)

    def draw(
        self, x_hat: Tensor, variance: float | Tensor, y: Tensor, generator: Generators = None
    ) -> Tensor:
        """A draw of x given y when x ~ N(x_hat, variance I), but for what one plane says of another.

        A draw of u = x + sigma e without y has each of its coefficients moved into the cell.
        """
        variance, total = self._variances(x_hat, variance)
        noise = randn(x_hat.shape, generator, like=x_hat)
        u = x_hat + total.sqrt() * noise
        planes, centres, (lows, highs) = self._planes(u), self._planes(x_hat), self.cells(y)
        for p, (low, high) in enumerate(zip(lows, highs, strict=True)):
            std = (total * self.transform.norm(p, len(planes))).sqrt()
            moved = truncated_draw(centres[p], std, low, high, (planes[p] - centres[p]) / std)
            planes[p] = moved - planes[p]
        u = u + _crop(self.transform.lift(planes), u)
        if self.sigma > 0:
            left = (variance / total).sqrt() * self.sigma
            u = x_hat + variance / total * (u - x_hat) + left * randn(u.shape, generator, like=u)
        return torch.where(variance > 0, u, x_hat)

    def tangent(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        """The rounding taken for noise of variance q^2 / 12, all coefficients scaled to have the same."""
        norms = [self.transform.norm(p, y.shape[1]) for p in (0, -1)]
        noise = torch.stack([self.tables[:, i] for i in (0, 1)], 1).to(y) / 255
        dither = self.sigma**2 * torch.tensor(norms).to(y).view(1, 2, 1, 1)
        deviation = (noise.square() / 12 + dither).sqrt()
        least = deviation.min().item()
        size = (y.shape[-2], y.shape[-1])
        model = Coefficients(least / deviation, self.transform, size, sigma=least)
        return model, model.observe(self._centres(y)) + model.A(torch.full_like(y, LEVEL))

    def fit(self, x: Tensor, y: Tensor) -> Tensor:
        """Held to the cells, unless there is dither."""
        if self.sigma > 0:
            return x
        planes = [c.clamp(*ends) - c for c, *ends in zip(self._planes(x), *self.cells(y), strict=True)]
        return x + _crop(self.transform.lift(planes), x)

    def model_variance(self, x: Tensor, y: Tensor) -> Tensor:
        """As in the base, of the coefficients, each less its q^2 / 12; those of least count for the most."""
        total, weights = x.new_zeros(len(x)), x.new_zeros(len(x))
        for p, (c, (s, middle)) in enumerate(
            zip(self._planes(x), self._with_steps(self._centres(y)), strict=True)
        ):
            norm = self.transform.norm(p, x.shape[1])
            own = (s.square() / 12 / norm).square().reciprocal().expand_as(c)
            found = ((c - middle).square() - s.square() / 12) / norm
            total = total + (own * found).flatten(1).sum(1)
            weights = weights + own.flatten(1).sum(1)
        return (total / weights - self.sigma**2).clamp(min=0)

    def take(self, index: Tensor) -> JPEG:
        return (
            self if len(self.tables) == 1 else replace(self, tables=self.tables[index.to(self.tables.device)])
        )

    def observed_shape(self, image_shape: Shape) -> Shape:
        if len(image_shape) != 3 or image_shape[0] not in (1, 3):
            raise ShapeError(f"expected an RGB or a grey image, got {tuple(image_shape)}; convert it first")
        return tuple(image_shape)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return self.observed_shape(observed_shape)

    def _planes(self, x: Tensor) -> Planes:
        """T x."""
        return self.transform.planes(self.transform.extend(x) - LEVEL)

    def _centres(self, y: Tensor) -> Planes:
        """The coefficients of the file that y was decoded from: whole steps."""
        planes = self.transform.read(self.transform.extend(y) - LEVEL)
        return [s * (c / s).round() for s, c in self._with_steps(planes)]

    def _with_steps(self, planes: Planes) -> list[tuple[Tensor, Tensor]]:
        """Each plane with the step q of each of its coefficients."""
        return [(codec.tile(self.tables, p, c) / 255, c) for p, c in enumerate(planes)]


def _crop(x: Tensor, like: Tensor) -> Tensor:
    return x[..., : like.shape[-2], : like.shape[-1]]
