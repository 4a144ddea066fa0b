"""Images as the coefficients of JPEG's planes.

    T_p = blocks . means . M_p,   T_p T_p^T = g_p I,   g_p = |M_p|^2 / n     p = Y, Cb, Cr

M, `blocks` and `means`, of n pixels, are those of `restora.operators.codec`. Images are (B, 3, H, W) RGB,
or (B, 1, H, W) grey with the one plane Y; a `Transform` takes whole blocks, which `extend` makes of any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.gaussian import stationary
from restora.gaussian.cosine import at_size
from restora.operators import codec
from restora.operators.base import Map, Operator, Shape
from restora.operators.resize import gains

Planes = list[Tensor]


class Transform:
    """T, (B, C, H, W) -> coefficients (B, 1, H, W) of Y, and (B, 1, H / rows, W / columns) of Cb and Cr."""

    def __init__(self, subsampling: codec.Subsampling):
        chroma = codec.FACTORS[subsampling]
        self.factors = [(1, 1), chroma, chroma]

    def extend(self, x: Tensor) -> Tensor:
        """x continued by its border to whole blocks of every plane, as encoders do."""
        grain = (codec.BLOCK * f for f in self.factors[x.shape[1] - 1])
        below, right = (-side % g for side, g in zip(x.shape[-2:], grain, strict=True))
        return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x

    def plane(self, x: Tensor, p: int) -> Tensor:
        """T_p x."""
        row = codec.colours(x.shape[1], x)[p].view(-1, 1, 1)
        return codec.blocks(codec.means((row * x).sum(1, keepdim=True), self.factors[p]))

    def planes(self, x: Tensor) -> Planes:
        """T x."""
        return [self.plane(x, p) for p in range(x.shape[1])]

    def adjoint(self, c: Tensor, p: int, channels: int) -> Tensor:
        """T_p^T c."""
        row = codec.colours(channels, c)[p].view(-1, 1, 1)
        return row * self._spread(c, p) / math.prod(self.factors[p])

    def spectrum(self, spectrum: Tensor, p: int) -> Tensor:
        """That of the means of plane p, (H / rows, W / columns), of images of `spectrum` (C, C, H, W)."""
        row = codec.colours(spectrum.shape[-4], spectrum)[p]
        own = torch.einsum("i,...ijhw,j->...hw", row, spectrum, row)
        sides = zip(own.shape[-2:], self.factors[p], strict=True)
        rows, columns = (_means(side, f).to(own) for side, f in sides)
        return rows @ own[..., : rows.shape[1], : columns.shape[1]] @ columns.T

    def norm(self, p: int, channels: int) -> float:
        """g_p."""
        row = codec.colours(channels, torch.zeros((), dtype=torch.float64))[p]
        return row.square().sum().item() / math.prod(self.factors[p])

    def lift(self, planes: Planes) -> Tensor:
        """An image with these coefficients, whose chroma is the same in all the pixels that share it."""
        return _to_image([self._spread(c, p) for p, c in enumerate(planes)])

    def decode(self, planes: Planes) -> Tensor:
        """The image that a decoder makes of them, which enlarges chroma more smoothly."""
        return _to_image(
            [codec.enlarge(codec.unblocks(c), f) for c, f in zip(planes, self.factors, strict=False)]
        )

    def read(self, y: Tensor) -> Planes:
        """The inverse of `decode`."""
        values = torch.einsum("pc,bchw->bphw", codec.colours(y.shape[1], y), y).split(1, 1)
        return [codec.blocks(codec.shrink(v, f)) for v, f in zip(values, self.factors, strict=False)]

    def _spread(self, c: Tensor, p: int) -> Tensor:
        return codec.repeat(codec.unblocks(c), self.factors[p])


def _means(side: int, factor: int) -> Tensor:
    """`gains` of means of `factor` pixels, of the whole ones; of the one that there is, if it is shorter."""
    factor = min(factor, side)
    return gains(side // factor * factor, factor, "box")


def _to_image(planes: Planes) -> Tensor:
    values = torch.cat(planes, 1)
    return torch.einsum("cp,bphw->bchw", torch.linalg.inv(codec.colours(len(planes), values)), values)


@dataclass(eq=False)
class Coefficients(Operator):
    """The block cosine coefficients of all planes, each at the place of its block: A x = T x.

    A chroma coefficient that is shared by n pixels appears n times, divided by sqrt(n), which is equivalent.
    So u is (B, C, H, W), where H and W are whole blocks of every plane.

    Args:
        size: (H, W) of the images.
    """

    transform: Transform
    size: tuple[int, int]

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.transform.planes(self.transform.extend(x)))

    def join(self, planes: Planes) -> Tensor:
        """u of an image with these coefficients."""
        pairs = zip(planes, self.transform.factors, strict=False)
        return torch.cat([codec.repeat(c, f) / math.prod(f) ** 0.5 for c, f in pairs], 1)

    def adjoint(self, u: Tensor) -> Tensor:
        x = torch.zeros_like(u)
        for p, (v, f) in enumerate(zip(u.split(1, 1), self.transform.factors, strict=False)):
            c = codec.means(v, f) * math.prod(f) ** 0.5
            x = x + self.transform.adjoint(c, p, u.shape[1])
        return fold(x, self.size)

    def restrict(self, y: Tensor) -> Tensor:
        """The mean of the pixels that share a coefficient, which all of them have in what A makes."""
        pairs = zip(y.split(1, 1), self.transform.factors, strict=False)
        return torch.cat([codec.repeat(codec.means(v, f), f) for v, f in pairs], 1)

    def preconditioner(self, spectrum: Tensor, gain: Tensor | None, noise: float) -> Map:
        """Plane by plane, as if gains were those of frequencies, not of blocks."""
        filters = []
        channels, height, width = self.observed_shape((spectrum.shape[-4], *self.size))
        for p, f in enumerate(self.transform.factors[:channels]):
            own = at_size(self.transform.spectrum(spectrum, p), height // f[0], width // f[1])
            if gain is not None:
                power = _by_frequency(codec.means(gain[:, p : p + 1].square(), f))
                own = own * at_size(power, *own.shape[-2:]).to(own)
            filters.append(stationary.inverse(own.unsqueeze(-3).unsqueeze(-3), noise))

        def nearly(v: Tensor) -> Tensor:
            planes = []
            for own, part, f in zip(filters, v.split(1, 1), self.transform.factors, strict=False):
                field = own(codec.unblocks(codec.means(part, f)))
                planes.append(codec.repeat(codec.blocks(field), f))
            return torch.cat(planes, 1)

        return nearly

    def observed_shape(self, image_shape: Shape) -> Shape:
        grains = [codec.BLOCK * f for f in self.transform.factors[image_shape[0] - 1]]
        height, width = (-(-side // g) * g for side, g in zip(image_shape[1:], grains, strict=True))
        return (image_shape[0], height, width)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return (observed_shape[0], *self.size)


def _by_frequency(power: Tensor) -> Tensor:
    """(B, 1, H, W) -> the mean over all blocks of what each of their coefficients has, (B, 8, 8)."""
    return power[:, 0].unflatten(-1, (-1, codec.BLOCK)).unflatten(-3, (-1, codec.BLOCK)).mean((1, 3))


def fold(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The transpose of `Transform.extend` of images of (H, W) `size`."""
    for axis, side in zip((-2, -1), size, strict=True):
        beyond = x.narrow(axis, side, x.shape[axis] - side).sum(axis, keepdim=True)
        x = torch.cat([x.narrow(axis, 0, side - 1), x.narrow(axis, side - 1, 1) + beyond], axis)
    return x
