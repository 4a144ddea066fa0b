"""What an observation tells of an image, pixel by pixel: one form for all degradations, for a network to see.

    lift      E[x | y] were x ~ N(1/2, v I), in [-1, 1]
    observed  A^T (A A^T + sigma^2/v I)^-1 A 1: where the image is seen, 0 in a hole, less under noise
    noise     log10 of sigma, the same everywhere

v = 1/16 is about the variance of pictures. Where A is not linear, its tangent stands for it in the last two.
Where A A^T is not diagonal, I stands for the inverse: a network can undo that, conjugate gradients take long.
Of noise that ties values together, as JPEG's, A^+ y is the lift, seen everywhere. The noise of photons counts
as 1, whatever their number.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restora.degradations import Degradation

MEAN, VARIANCE, LEAST = 0.5, 1 / 16, 1e-3
UNKNOWN = 0.05  # sigma, where an error is no noise


def channels(image_channels: int) -> int:
    """Of the evidence of an image."""
    return 2 * image_channels + 1


def evidence(y: Tensor, degradation: Degradation, image_shape: tuple[int, int, int]) -> Tensor:
    """(B, 2 C + 1, H, W) of observations y (B, ...) of images of `image_shape` (C, H, W)."""
    grey = y.new_full((len(y), *image_shape), MEAN)
    degradation = degradation.given(y)
    model, z = degradation.gaussian(grey, y)
    sigma = 1.0 if degradation.valuewise and not degradation.noise.steady else model.sigma
    ones, noise = torch.ones_like(grey), math.log10(max(sigma, LEAST)) + 2
    if not degradation.noise.separable:
        lift, seen, noise = degradation.A_dagger(y), ones, math.log10(UNKNOWN) + 2
    elif model.operator.gram is None:
        lift, seen = grey + model.A_adjoint(z - model.A(grey)), model.A_adjoint(model.A(ones))
    else:
        lift = degradation.condition(grey, VARIANCE, y)
        seen = model.condition(torch.zeros_like(grey), VARIANCE, model.A(ones))
    return torch.cat([2 * lift - 1, seen, torch.full_like(grey[:, :1], noise)], 1)
