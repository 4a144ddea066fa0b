"""Photon noise made white, and taken back once it is removed.

    f(y) = 2 (k y + 3/8 + (k sigma)^2)^(1/2)                    whose noise has a deviation of about 1
    k x = D^2/4 + (3/2)^(1/2) / (4 D) - 11 / (8 D^2) + 5 (3/2)^(1/2) / (8 D^3) - 1/8 - (k sigma)^2

for k photons for white, and D, the denoised f(y). Both are scaled by f(1) here, so that white is 1. Source:
Anscombe, Biometrika 1948; Makitalo and Foi, IEEE TIP 2011 and 2013.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restora.degradations.noise import AdditiveNoise
from restora.degradations.poisson import Poisson


def stabilize(y: Tensor, photons: Poisson) -> tuple[Tensor, AdditiveNoise]:
    """f(y) / f(1), and the noise that it has."""
    white = _root(torch.ones(()), photons).item()
    return _root(y, photons) / white, AdditiveNoise(min(1 / white, 1.0))


def destabilize(z: Tensor, photons: Poisson) -> Tensor:
    """x of the denoised z, without the bias of the inverse of f; 0 for what is below the f of no light."""
    D, root = z * _root(torch.ones(()), photons).item(), math.sqrt(3 / 2)
    D = D.clamp(min=2 * math.sqrt(3 / 8))
    counts = D.square() / 4 + root / (4 * D) - 11 / (8 * D.square()) + 5 * root / (8 * D**3) - 1 / 8
    return (counts - _dark(photons)).clamp(min=0) / photons.peak


def _root(y: Tensor, photons: Poisson) -> Tensor:
    return 2 * (photons.peak * y + 3 / 8 + _dark(photons)).clamp(min=0).sqrt()


def _dark(photons: Poisson) -> float:
    """The variance of the read-out, in photons."""
    return (photons.peak * photons.sigma) ** 2
