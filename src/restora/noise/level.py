"""The level of white noise, read off the noisy image alone.

sigma = median |w * d| / 0.6745,   w the diagonal details of the Daubechies wavelet with four taps

Source: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 1994. The details of
a photo are much the same in all its channels, so that of a colour image d are two differences of colours,
orthonormal: they hold the noise, and little else. A file has cut the noise that reached beyond 0 or 1; only
where the image keeps `MARGIN` deviations away from both is it counted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.errors import ShapeError

TAPS = (-0.12940952255126037, -0.2241438680420134, 0.8365163037378079, -0.48296291314453416)
COLOURS = ((2**-0.5, 0.0, -(2**-0.5)), (6**-0.5, -2 * 6**-0.5, 6**-0.5))
QUARTILE = 0.6744897501960817  # the median of |e|, e ~ N(0, 1)
MARGIN, FEWEST = 2.0, 400
ENOUGH = 1000  # places a side to look at


def estimate_sigma(y: Tensor) -> Tensor:
    """The standard deviation of the white noise in each of the images y (B, C, H, W): (B,), full scale 1.

    Within 10 % on photos of 8 bits with a deviation of 0.02 to 0.2; below that texture counts as noise, above
    it too much is cut at 0 and 1. ShapeError for images of less than 4 pixels a side.
    """
    if y.ndim != 4 or min(y.shape[-2:]) < len(TAPS):
        raise ShapeError(
            f"expected images (B, C, H, W) of at least {len(TAPS)} pixels a side to find the noise in, "
            f"got {tuple(y.shape)}; give its level as a number"
        )
    return torch.stack([_level(image.double()) for image in y]).to(y)


def _level(image: Tensor) -> Tensor:
    """That of one image (C, H, W)."""
    size, taps = len(TAPS), image.new_tensor(TAPS)
    stride = max(1, math.isqrt(image[0].numel()) // ENOUGH)
    channels = torch.einsum("kc,chw->khw", image.new_tensor(COLOURS), image) if len(image) == 3 else image
    details = F.conv2d(channels[:, None], taps.outer(taps)[None, None], stride=stride).flatten(1).abs()
    mean = F.avg_pool2d(image[None], size, stride)[0]
    room = torch.minimum(mean, 1 - mean).amin(0).flatten()
    most = room.topk(min(FEWEST, len(room))).values[-1]
    level = image.new_tensor(0.01)
    for _ in range(6):
        level = details[:, room >= torch.minimum(MARGIN * level, most)].median() / QUARTILE
    return level
