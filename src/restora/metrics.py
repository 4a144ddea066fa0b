"""Quality of a restoration against the truth, as DESIGN fixes it for every number of the project."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from restora.errors import ShapeError
from restora.image import to_uint8


def psnr(x: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (B,), of images (B, C, H, W) in [0, 1]; both are clipped and
    rounded to 8 bits first, and the peak is 1. Equal images give infinity."""
    difference = (_rounded(x, truth) - _rounded(truth, x)).flatten(1)
    return -10 * difference.square().mean(1).log10()


def ssim(x: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al., 2004), (B,): Gaussian window of 1.5 px cut at 11x11, population
    covariance, data range 1, mean over channels; on images clipped and rounded to 8 bits."""
    from skimage.metrics import structural_similarity

    pairs = zip(_rounded(x, truth).cpu().numpy(), _rounded(truth, x).cpu().numpy(), strict=True)
    options = {"channel_axis": 0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    values = [structural_similarity(a, b, data_range=1.0, **options) for a, b in pairs]
    return x.new_tensor(values).double()


@dataclass(frozen=True)
class Mean:
    """A mean with the half width of its 95 % interval (normal approximation)."""

    value: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.half_width:.2f}"


def mean(values: Tensor | list[float]) -> Mean:
    array = np.asarray([float(v) for v in values])
    spread = float(array.std(ddof=1)) / math.sqrt(len(array)) if len(array) > 1 else math.nan
    return Mean(float(array.mean()), 1.96 * spread)


def _rounded(x: Tensor, other: Tensor) -> Tensor:
    if x.shape != other.shape or x.ndim != 4:
        raise ShapeError(f"expected two batches (B, C, H, W) of one shape, got {x.shape} and {other.shape}")
    return to_uint8(x).double() / 255
