"""Inpainting: only the pixels of the mask m are observed.

y = m (x + sigma e),   m in {0, 1}, 1 = OBSERVED;   A = A^T = A^dagger = diag(m),  A A^T = diag(m)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.degradations import holes
from restora.degradations.base import Degradation, Shape
from restora.degradations.holes import Hole
from restora.errors import MaskError, OptionError, ShapeError
from restora.gaussian import stationary
from restora.gaussian.covariance import Covariance
from restora.random import Generators, Window


@dataclass(eq=False)
class Mask(Degradation):
    """Hides the pixels where `mask` is 0, in all channels; they are 0 in y and carry no noise.

    `mask`: 1 where observed, (B, 1, H, W), or (1, 1, H, W) for the whole batch; (B, H, W) and (H, W) do too.
    `hole`: what a mask that has a name was made of, else None.
    Raises MaskError for a mask that is not 0/1 or observes nothing, ShapeError where it does not fit.
    """

    mask: Tensor = field(
        repr=False, metadata={"help": "1 where a pixel was observed, 0 where missing", "per_image": True}
    )

    def __post_init__(self) -> None:
        self.hole: Hole | None = None
        self.mask = _as_mask(self.mask)
        super().__post_init__()

    @classmethod
    def named(cls, hole: Hole, size: tuple[int, int], sigma: float = 0.0) -> Mask:
        """What `hole` leaves of images of (H, W) `size`."""
        made = cls(hole.mask(size), sigma=sigma)
        made.hole = hole
        return made

    @classmethod
    def center(cls, size: tuple[int, int], hole: int | None = None, sigma: float = 0.0) -> Mask:
        """A central hole in (H, W) = `size`: `hole` pixels a side, or (Yeh et al.) half of each side."""
        if hole is None:
            return cls.named(Hole("center"), size, sigma)
        if hole < 1:
            raise OptionError(f"hole: expected at least 1 pixel, got {hole}; leave it out for half the side")
        return cls(holes.center(size, (min(hole, size[0]), min(hole, size[1]))), sigma=sigma)

    @classmethod
    def pixels(cls, size: tuple[int, int], missing: float = 0.5, seed: int = 0, sigma: float = 0.0) -> Mask:
        """The share `missing` of the pixels, anywhere. Here and below, `seed` and `size` are all it takes."""
        return cls.named(Hole("pixels", missing, seed), size, sigma)

    @classmethod
    def scratches(cls, size: tuple[int, int], seed: int = 0, sigma: float = 0.0) -> Mask:
        """Hairlines across the image, 1 to 3 pixels wide at 64 pixels a side; a few percent of it."""
        return cls.named(Hole("scratches", hole_seed=seed), size, sigma)

    @classmethod
    def text(cls, size: tuple[int, int], seed: int = 0, sigma: float = 0.0) -> Mask:
        """Lines of letters all over the image."""
        return cls.named(Hole("text", hole_seed=seed), size, sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Mask:
        """For each image the central hole, a hole of any size up to 3/4 a side anywhere, or single pixels."""
        size, draw = image_shape[-2:], (lambda: torch.rand((), generator=generator).item())
        masks = []
        for _ in range(count):
            mask = torch.ones(size)
            if (kind := draw()) < 0.4:
                mask = cls.center((size[0], size[1])).mask[0, 0]
            elif kind < 0.8:
                high, wide = (max(int(s * (0.1 + 0.65 * draw())), 1) for s in size)
                top, left = int((size[0] - high + 1) * draw()), int((size[1] - wide + 1) * draw())
                mask[top : top + high, left : left + wide] = 0
            else:
                mask = (torch.rand(size, generator=generator) < 0.1 + 0.8 * draw()).float()
                mask[size[0] // 2, size[1] // 2] = 1
            masks.append(mask)
        return cls(torch.stack(masks)[:, None])

    @property
    def gram(self) -> Tensor:
        return self.mask

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        return self.A(super().forward(x, generator))

    def A(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        if len(self.mask) not in (1, len(x)):
            raise ShapeError(
                f"mask: expected 1 mask or one for each of the {len(x)} images, got {len(self.mask)}; "
                "select masks with take(index)"
            )
        return self.mask.to(x) * x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.A(y)

    def A_dagger(self, y: Tensor) -> Tensor:
        return self.A(y)

    def fidelity(self, x: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """As in the base; whatever a user's picture holds in the missing pixels does not count."""
        return super().fidelity(x, self.A(y), p, weight)

    def tangent(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        """What a picture holds in the missing pixels would make a linear system inconsistent."""
        return self, self.A(y)

    def observed_spectrum(self, spectrum: Tensor) -> Tensor:
        """As if all were observed."""
        return spectrum

    def solve_stationary(self, C: Covariance, residual: Tensor, tolerance: float) -> Tensor:
        return stationary.solve_masked(self.mask, self.sigma, C, residual, tolerance)

    def model_variance(self, x: Tensor, y: Tensor) -> Tensor:
        """As in the base, over the observed pixels alone."""
        squares = (self.mask.to(y) * (y - x).square()).flatten(1).sum(1)
        count = self.mask.to(y).expand_as(y).flatten(1).sum(1)
        return (squares / count - self.sigma**2).clamp(min=0)

    def importance(self, y: Tensor, window: int) -> Tensor:
        """W = m conv(1 - m, box), the share of missing pixels around an observed one: (B or 1, 1, H, W).

        The box is `window` x `window` (odd) of weight 1/window^2, and the mask is mirrored at the border.
        Source: Yeh et al., CVPR 2017, eq. 3, and its authors' code (7 in the paper, 15 in the code).
        """
        if window < 1 or window % 2 == 0:
            raise OptionError(f"window: expected an odd number of pixels, got {window}; use 7 or 15")
        mask = self.mask.to(y)
        missing = 1 - mask
        for axis in (-2, -1):
            missing = missing.index_select(axis, _mirrored(mask.shape[axis], window // 2, y.device))
        return mask * F.avg_pool2d(missing, window, stride=1)

    def take(self, index: Tensor) -> Mask:
        return self if len(self.mask) == 1 else replace(self, mask=self.mask[index.to(self.mask.device)])

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Degradation, Tensor]:
        mask = window.of(self.mask)
        if not mask.flatten(1).any(1).all():
            raise MaskError(
                f"mask: no pixel is observed in the {window.height}x{window.width} piece at row "
                f"{window.top}, column {window.left}; expected smaller holes: raise --tile"
            )
        return replace(self, mask=mask), window.of(y)

    def observed_shape(self, image_shape: Shape) -> Shape:
        size, expected = tuple(image_shape[-2:]), tuple(self.mask.shape[-2:])
        if size != expected:
            raise ShapeError(
                f"the mask is {expected[0]}x{expected[1]} pixels (height x width) and the image "
                f"{size[0]}x{size[1]}; both must have the same size"
            )
        return tuple(image_shape)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return self.observed_shape(observed_shape)


def _as_mask(mask: Tensor) -> Tensor:
    """(B, 1, H, W) float from (H, W), (B, H, W) or (B, 1, H, W) of any dtype, or MaskError."""
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim == 3:
        mask = mask[:, None]
    if mask.ndim != 4 or mask.shape[1] != 1 or mask.numel() == 0:
        raise MaskError(f"mask: expected shape (B, 1, H, W), got {tuple(mask.shape)}; use one channel")
    if not ((mask == 0) | (mask == 1)).all():
        raise MaskError(
            f"mask: expected only 0 (missing) and 1 (observed), got values from {mask.min():.3g} to "
            f"{mask.max():.3g}; threshold it first"
        )
    if not mask.flatten(1).any(1).all():
        raise MaskError("mask: no pixel is observed; expected some 1 in every mask. Is it inverted?")
    return mask if mask.is_floating_point() else mask.float()


def _mirrored(size: int, margin: int, device: torch.device) -> Tensor:
    """Indices -margin ... size + margin - 1 mirrored into 0 ... size - 1, the edge repeated."""
    index = torch.arange(-margin, size + margin, device=device) % (2 * size)
    return torch.where(index < size, index, 2 * size - 1 - index)
