"""Packages that do more than one task: OpenCV and BM3D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import ShapeError
from restora.options import chosen, option
from restora.priors.base import Prior
from restora.solvers.denoisers import Array, Denoiser, NonLocal, each


@dataclass(frozen=True)
class OpenCV(NonLocal):
    """OpenCV's non-local means for noise, and Telea's fast marching (2004) for missing pixels.

    It works on 8 bits, to which its answers are rounded. Patches are compared in all channels at once; with
    fastNlMeansDenoisingColored, which takes lightness and colours apart, noise of 0.1 costs 1.7 dB more. The
    strength is the best on five photos, with noise of 0.1 and 5 levels.
    """

    best: ClassVar[tuple[float, float]] = (0.85, 1.1)

    radius: float = option(3.0, "inpainting: radius in pixels around a missing pixel", above=0)

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return degradation.operator.mask is not None or super().handles(degradation, prior)

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        mask = degradation.operator.mask
        if mask is None:
            return super().image(y, degradation)
        holes = 1 - mask.to(y).expand(len(y), -1, -1, -1)
        return torch.where(holes > 0, each(torch.cat([y, holes], 1), self._fill), y)

    def denoise(self, image: Array, noise: float) -> Array:
        import cv2

        return _by_bytes(
            image, lambda a: cv2.fastNlMeansDenoising(a, None, 255 * chosen(self.strength) * noise)
        )

    def _fill(self, both: Array) -> Array:
        """An image (C, H, W) whose last channel is 1 where a pixel is missing, filled: (C - 1, H, W)."""
        import cv2

        hole = both[-1].astype(np.uint8)
        return _by_bytes(both[:-1], lambda a: cv2.inpaint(a, hole, self.radius, cv2.INPAINT_TELEA))


@dataclass(frozen=True)
class BM3D(Denoiser):
    """BM3D: similar patches are filtered together (Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 2007).

    Its authors' package, at its own settings, colours compared by luminance; the package is free for
    non-commercial use alone.
    """

    packages: ClassVar[tuple[str, ...]] = ("bm3d",)
    extra: ClassVar[str] = "bm3d"  # apart, for its licence

    def denoise(self, image: Array, noise: float) -> Array:
        import bm3d

        profile = bm3d.BM3DProfile()
        least = profile.bs_ht
        if min(image.shape[1:]) < least:
            raise ShapeError(
                f"method 'bm3d' compares blocks of {least}x{least} pixels, and the image is "
                f"{image.shape[2]}x{image.shape[1]}; expected one at least as large, or use method='nlmeans'"
            )
        profile.num_threads = 1  # with more, the order of sums and so the result would vary
        image = image.astype(np.float64)
        if len(image) == 3:
            return bm3d.bm3d_rgb(image.transpose(1, 2, 0), noise, profile).transpose(2, 0, 1)
        return np.stack([bm3d.bm3d(channel, noise, profile) for channel in image])


def _by_bytes(image: Array, work: Callable[[Array], Array]) -> Array:
    """`work` on the 8-bit image, (H, W, 3) in colour, else one channel (H, W) after the other."""
    pixels = (255 * image).round().clip(0, 255).astype(np.uint8)
    if len(image) == 3:
        found = work(np.ascontiguousarray(pixels.transpose(1, 2, 0))).transpose(2, 0, 1)
    else:
        found = np.stack([work(channel) for channel in pixels])
    return found.astype(np.float32) / 255
