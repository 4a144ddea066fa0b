"""Quality of a restoration against the truth, as DESIGN fixes it for every number of the project."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restora.errors import ObservationError, ShapeError

WINDOW = 11
Image = Tensor | np.ndarray


def psnr(x: Image, truth: Image, bits: int = 8) -> Tensor:
    """Peak signal-to-noise ratio in dB, with a peak of 1.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        truth: the true images.
        bits: clip and round both to this number of bits first, 8 or 16.

    Returns:
        (B,); infinity for equal images, NaN for NaN.
    """
    return peak_ratio(*rounded(x, truth, bits))


def ssim(x: Image, truth: Image, bits: int = 8) -> Tensor:
    """Structural similarity (Wang et al., 2004), averaged over channels.

    Gaussian window of 1.5 pixels, truncated to 11x11, population covariance, data range 1.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        truth: the true images.
        bits: clip and round both to this number of bits first, 8 or 16.

    Returns:
        (B,).
    """
    return similarity(*rounded(x, truth, bits))


def rounded(x: Image, truth: Image, bits: int = 8) -> tuple[Tensor, Tensor]:
    """Both as a file of so many bits would hold them: clipped, rounded, float64; NaN stays.

    Tensors or NumPy arrays; ObservationError unless they are floats.
    """
    full = 2**bits - 1
    images = (_image(image).clamp(0, 1).mul(full).round().double() / full for image in (x, truth))
    return next(images), next(images)


def peak_ratio(x: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """PSNR in dB of images as they are, peak 1: (B,). `where`, (B or 1, 1, H, W): 1 for the pixels that
    count; None for all."""
    _check(x, truth)
    squares = (x - truth).square()
    if where is None:
        return -10 * squares.flatten(1).mean(1).log10()
    weight = where.to(squares).expand_as(squares)
    return -10 * ((weight * squares).flatten(1).sum(1) / weight.flatten(1).sum(1)).log10()


def similarity(x: Tensor, truth: Tensor) -> Tensor:
    """SSIM of images as they are, data range 1: (B,). ShapeError for images smaller than the window."""
    _check(x, truth)
    if min(x.shape[-2:]) < WINDOW:
        size = f"{x.shape[-1]}x{x.shape[-2]}"
        raise ShapeError(
            f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, got {size} (width x height)"
        )
    from skimage.metrics import structural_similarity

    pairs = zip(x.double().cpu().numpy(), truth.double().cpu().numpy(), strict=True)
    options = {"channel_axis": 0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return torch.tensor([structural_similarity(a, b, data_range=1.0, **options) for a, b in pairs]).double()


@dataclass(frozen=True)
class Mean:
    """A mean with the half width of its 95 % interval (normal approximation)."""

    value: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.half_width:.2f}"


def mean(values: Tensor | list[float]) -> Mean:
    """Of one value or of infinite ones, the interval is NaN."""
    array = np.asarray([float(v) for v in values])
    if len(array) < 2 or not np.isfinite(array).all():
        return Mean(float(array.mean()), math.nan)
    spread = float(array.std(ddof=1)) / math.sqrt(len(array))
    return Mean(float(array.mean()), 1.96 * spread)


def _image(image: Any) -> Tensor:
    found = torch.as_tensor(image)
    if not found.is_floating_point():
        kind = str(found.dtype).removeprefix("torch.")
        raise ObservationError(
            f"expected images of floats from 0 to 1, got {kind}; divide by the value of white"
        )
    return found.double() if found.dtype == torch.float64 else found.float()


def _check(x: Tensor, other: Tensor) -> None:
    if x.shape != other.shape or x.ndim != 4:
        raise ShapeError(f"expected two batches (B, C, H, W) of one shape, got {x.shape} and {other.shape}")
