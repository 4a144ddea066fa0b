"""JPEG: every cosine coefficient of every block is known only to lie in the cell of its index.

    y = D(q round(T(u + sigma e) / q)),   q = the tables / 255;   T, D: `restora.operators.coefficients`
    cell(y) = q (index -+ 1/2),   index = round(D^-1 y / q)
    d(y, u) = sum dist(T u, cell(y))^p

It is the rounding of `restora.noise.rounding` in another basis, in which colours are not orthogonal. The prox
goes from plane to plane, each to its cells by its own formula, after what that plane did in the round before
is taken back (Dykstra's algorithm; Bauschke and Combettes 2008). E[u | y] and draws take the planes for
independent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from restora.noise.base import Noise, StandIn, weighted_sum
from restora.noise.gaussian import GaussianNoise
from restora.noise.truncated import truncated_draw, truncated_mean
from restora.operators import codec
from restora.operators.arithmetic import as_tensor
from restora.operators.coefficients import Coefficients, Planes, Transform
from restora.options import option
from restora.random import Generators, randn

ROUNDS = 24
LEVEL = 128 / 255  # of values before the transform


@dataclass(eq=False)
class BlockRounding(Noise):
    """JPEG compression and decoding as libjpeg does both, without its rounding and clipping to bytes.

    y is like u: RGB (B, 3, H, W) or grey (B, 1, H, W). Cells are exact for whole blocks of pixels that
    decoding did not clip at 0 or 1, and approximate in partial blocks at the border. `posterior` and `draw`
    take the errors of Y, Cb and Cr for independent, as the errors of a network nearly are. For errors that
    are white in RGB the mean is still unbiased, but each plane learns from its own cells only.

    Args:
        tables: quantisation tables of a file, (1 or B, 2, 8, 8) for luma and chroma, whole numbers; without
            them, those of `quality`.
    """

    quality: int = option(10, "JPEG quality, from 1 (worst) to 100", 1, 100)
    subsampling: codec.Subsampling = option(
        "4:2:0", "chroma subsampling: 4:2:0 (2x2 pixels share a value), 4:2:2 (1x2) or 4:4:4 (none)"
    )
    sigma: float = option(0.0, "standard deviation of the Gaussian noise before the compression", 0, 1)
    tables: Tensor = field(default_factory=lambda: torch.empty(0, 2, codec.BLOCK, codec.BLOCK), repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.tables):
            self.tables = codec.tables(self.quality)[None]

    @property
    def quadratic(self) -> bool:
        return False

    @property
    def level(self) -> float:
        return self.sigma

    @property
    def separable(self) -> bool:
        return False

    @property
    def shared(self) -> bool:
        return len(self.tables) == 1

    @property
    def transform(self) -> Transform:
        return Transform(self.subsampling)

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        return self.compress(u + self.sigma * randn(u.shape, generator, like=u) if self.sigma > 0 else u)

    def compress(self, u: Tensor) -> Tensor:
        """The decoded picture, not cut to [0, 1]."""
        planes = [s * (c / s).round() for s, c in self._with_steps(self._planes(u))]
        return _crop(self.transform.decode(planes) + LEVEL, u)

    def cells(self, y: Tensor) -> tuple[Planes, Planes]:
        """The lowest and the highest coefficients of each plane that have the index of y."""
        steps = self._with_steps(self._centres(y))
        return [c - s / 2 for s, c in steps], [c + s / 2 for s, c in steps]

    def fidelity(self, u: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """sum_i weight_i d_i^p, d the distance of a coefficient to its cell: (B,).

        `weight`, broadcastable to y, has those of a block's coefficients in the place of its pixels.
        """
        total = u.new_zeros(len(u))
        if weight is not None:
            weight = self.transform.extend(weight.expand_as(u))
        for i, (c, low, high) in enumerate(zip(self._planes(u), *self.cells(y), strict=True)):
            own = None if weight is None else codec.means(weight[:, i : i + 1], self.transform.factors[i])
            total = total + weighted_sum(c - c.clamp(low, high), p, own)
        return total

    def prox(self, u: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """To 1e-6 of the way from u and better."""
        transform, gamma = self.transform, as_tensor(gamma, u)
        x = transform.extend(u) - LEVEL
        channels, (lows, highs) = u.shape[1], self.cells(y)
        pulls = [torch.zeros_like(low) for low in lows]
        for _ in range(ROUNDS if channels > 1 else 1):
            for p, (low, high) in enumerate(zip(lows, highs, strict=True)):
                norm = transform.norm(p, channels)
                c = transform.plane(x, p) + norm * pulls[p]
                pull = (c - c.clamp(low, high)) / (norm + 1 / gamma)
                x = x - transform.adjoint(pull - pulls[p], p, channels)
                pulls[p] = pull
        return _crop(x + LEVEL, u)

    def posterior(self, m: Tensor, v: float | Tensor, y: Tensor) -> Tensor:
        """With w = u + sigma e of variance v + sigma^2: m + v / (v + sigma^2) (E[w | cells] - m)."""
        v, total = self._variances(m, v)
        planes, (lows, highs) = self._planes(m), self.cells(y)
        for p, (low, high) in enumerate(zip(lows, highs, strict=True)):
            std = (total * self.transform.norm(p, len(planes))).sqrt()
            planes[p] = truncated_mean(planes[p], std, low, high) - planes[p]
        return m + v / total * _crop(self.transform.lift(planes), m)

    def draw(self, m: Tensor, v: float | Tensor, y: Tensor, generator: Generators = None) -> Tensor:
        """A draw of w = u + sigma e without y has each of its coefficients moved into the cell."""
        v, total = self._variances(m, v)
        noise = randn(m.shape, generator, like=m)
        w = m + total.sqrt() * noise
        planes, centres, (lows, highs) = self._planes(w), self._planes(m), self.cells(y)
        for p, (low, high) in enumerate(zip(lows, highs, strict=True)):
            std = (total * self.transform.norm(p, len(planes))).sqrt()
            moved = truncated_draw(centres[p], std, low, high, (planes[p] - centres[p]) / std)
            planes[p] = moved - planes[p]
        w = w + _crop(self.transform.lift(planes), w)
        if self.sigma > 0:
            left = (v / total).sqrt() * self.sigma
            w = m + v / total * (w - m) + left * randn(w.shape, generator, like=w)
        return torch.where(v > 0, w, m)

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        """The coefficients, the rounding taken for noise of variance q^2 / 12."""
        size = (y.shape[-2], y.shape[-1])
        features = Coefficients(self.transform, size)
        norms = [self.transform.norm(p, y.shape[1]) for p in (0, -1)]
        steps = torch.stack([self.tables[:, i] for i in (0, 1)], 1).to(y) / 255
        dither = self.sigma**2 * torch.tensor(norms).to(y).view(1, 2, 1, 1)
        deviation = (steps.square() / 12 + dither).sqrt()
        centres = self._centres(y)
        tiled = [codec.tile(deviation, p, c) for p, c in enumerate(centres)]
        spread = [codec.repeat(s, f) for s, f in zip(tiled, self.transform.factors, strict=False)]
        observation = features.join(centres) + features(torch.full_like(y, LEVEL))
        return StandIn(features, GaussianNoise(torch.cat(spread, 1)), observation)

    def project(self, u: Tensor, y: Tensor) -> Tensor:
        """Held to the cells, unless there is dither."""
        if self.sigma > 0:
            return u
        planes = [c.clamp(*ends) - c for c, *ends in zip(self._planes(u), *self.cells(y), strict=True)]
        return u + _crop(self.transform.lift(planes), u)

    @property
    def follows(self) -> bool:
        return True

    def take(self, index: Tensor) -> Noise:
        return self if self.shared else replace(self, tables=self.tables[index.to(self.tables.device)])

    @property
    def grain(self) -> int:
        """Pixels a side that are compressed together."""
        return codec.BLOCK * max(codec.FACTORS[self.subsampling])

    def _variances(self, m: Tensor, v: float | Tensor) -> tuple[Tensor, Tensor]:
        """Of u, and of w; 1 where u is known."""
        v = as_tensor(v, m)
        return v, torch.where(v > 0, v + self.sigma**2, 1)

    def _planes(self, u: Tensor) -> Planes:
        """T u."""
        return self.transform.planes(self.transform.extend(u) - LEVEL)

    def _centres(self, y: Tensor) -> Planes:
        """The coefficients of the file that y was decoded from: whole steps."""
        planes = self.transform.read(self.transform.extend(y) - LEVEL)
        return [s * (c / s).round() for s, c in self._with_steps(planes)]

    def _with_steps(self, planes: Planes) -> list[tuple[Tensor, Tensor]]:
        """Each plane with the step q of each of its coefficients."""
        return [(codec.tile(self.tables, p, c) / 255, c) for p, c in enumerate(planes)]


def _crop(x: Tensor, like: Tensor) -> Tensor:
    return x[..., : like.shape[-2], : like.shape[-1]]
