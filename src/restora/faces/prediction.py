"""By how much a restoration of a face may be off, were pictures Gaussian: before the prior is asked.

    e ~ N(0, C - C A^T M^-1 A C),   M = A C A^T + N

draws of the posterior's error under a Gaussian C: that of the aligned faces, seen through S, or that of the
prior of the whole picture. Of y they need no more than a point to be linear about.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restora.degradations import Degradation, system_of
from restora.faces.local import Local
from restora.gaussian.covariance import Covariance
from restora.random import generators

DRAWS = 3
TOLERANCE = 0.1


def errors(
    local: Local, mask: Tensor, face: Covariance, picture: Covariance, b: Tensor
) -> tuple[float, float]:
    """The root mean square error in a face, weighted by its `mask` (h, w): as the prior of the picture alone
    leaves it, and with the face in its place. b: the window of the picture so far."""
    whole = _draws(local.model, picture, b, local.seen)
    inner = local.spread(_draws(local.degradation, face, local.base, local.y))
    finer = whole - local.spread(local.gather(whole))
    before = (mask * whole.square()).mean()
    after = (mask**2 * finer.square()).mean() + (mask * inner.square()).mean()
    share = mask.mean()
    return (before / share).sqrt().item(), (after / share).sqrt().item()


def _draws(degradation: Degradation, C: Covariance, x: Tensor, y: Tensor) -> Tensor:
    """(DRAWS, C, H, W), about 0."""
    model, z = degradation.gaussian(x, y)
    model = model.take(torch.zeros(DRAWS, dtype=torch.long))
    streams = generators(0, DRAWS, "predict")
    drawn = C.draw(x.expand(DRAWS, *x.shape[1:]), streams)
    system = system_of(model, DRAWS)
    noise = system.noise.draw(z.expand(DRAWS, *z.shape[1:]), streams)
    if not degradation.noise.linear:  # features may be fewer than their values: the rest has no noise
        features = degradation.noise.gaussian(degradation.A(x), y).features
        noise = features(features.pseudo_inverse(noise))
    return system.mean(C, drawn, noise, TOLERANCE)
