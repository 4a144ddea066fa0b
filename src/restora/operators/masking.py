"""Some pixels are missing: A = A^T = A^+ = diag(m),  A A^T = diag(m),  m in {0, 1}, 1 = OBSERVED."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from restora.errors import MaskError, ShapeError
from restora.operators.base import Operator, Shape
from restora.random import Window


@dataclass(eq=False, init=False)
class Masking(Operator):
    """Sets the pixels where `mask` is 0 to 0, in all channels.

    Args:
        mask: 1 where observed, (B, 1, H, W), or (1, 1, H, W) for the whole batch; also (B, H, W) or (H, W).

    Raises:
        MaskError: for a mask that is not 0/1 or observes nothing.
        ShapeError: if it does not fit the image.
    """

    def __init__(self, mask: Tensor):
        self.register_buffer("observed", as_mask(mask))

    @property
    def mask(self) -> Tensor:
        return self.get_buffer("observed")

    @property
    def gram(self) -> Tensor:
        return self.mask

    @property
    def diagonal(self) -> Tensor:
        return self.mask

    @property
    def shared(self) -> bool:
        return len(self.mask) == 1

    @property
    def picture(self) -> bool:
        return True

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        if len(self.mask) not in (1, len(x)):
            raise ShapeError(
                f"mask: expected 1 mask or one for each of the {len(x)} images, got {len(self.mask)}; "
                "select masks with take(index)"
            )
        return self.mask.to(x) * x

    def adjoint(self, u: Tensor) -> Tensor:
        return self(u)

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        return self(u)

    def restrict(self, y: Tensor) -> Tensor:
        """0 in the missing pixels, whatever a picture holds there."""
        return torch.where(self.mask.to(y) > 0, y, 0)

    def spectrum(self, spectrum: Tensor) -> Tensor:
        """As if all were observed."""
        return spectrum

    def take(self, index: Tensor) -> Masking:
        return self if self.shared else Masking(self.mask[index.to(self.mask.device)])

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        mask = window.of(self.mask)
        if not mask.flatten(1).any(1).all():
            raise MaskError(
                f"mask: no pixel is observed in the {window.height}x{window.width} piece at row "
                f"{window.top}, column {window.left}; expected smaller holes, or larger tiles (tile)"
            )
        return Masking(mask), window.of(y)

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


def as_mask(mask: Tensor | np.ndarray) -> Tensor:
    """(B, 1, H, W) float from (H, W), (B, H, W) or (B, 1, H, W) of any dtype, or MaskError."""
    if not isinstance(mask, Tensor | np.ndarray):
        raise MaskError(f"mask: expected a tensor or an array, got {type(mask).__name__}")
    if isinstance(mask, np.ndarray):
        mask = torch.from_numpy(mask.astype(mask.dtype.newbyteorder("="), order="C"))
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
