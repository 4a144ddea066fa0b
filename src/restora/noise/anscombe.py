"""Photon noise made white, and taken back once it is removed.

    f(y) = 2 (k y + 3/8 + (k sigma)^2)^(1/2)                    whose noise has a deviation of about 1
    k x = D^2/4 + (3/2)^(1/2) / (4 D) - 11 / (8 D^2) + 5 (3/2)^(1/2) / (8 D^3) - 1/8 - (k sigma)^2

for k photons for white, and D, the denoised f(y). Both are scaled by f(1) here, so that white is 1. Source:
Anscombe, Biometrika 1948; Makitalo and Foi, IEEE TIP 2011 and 2013.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Anscombe:
    """For `peak` photons for white, and Gaussian noise of deviation `sigma` from reading the sensor out."""

    peak: float
    sigma: float

    @property
    def deviation(self) -> float:
        """That of the noise of f(y) / f(1)."""
        return min(1 / self._white, 1.0)

    def forward(self, y: Tensor) -> Tensor:
        """f(y) / f(1)."""
        return self._root(y) / self._white

    def inverse(self, z: Tensor) -> Tensor:
        """x of the denoised z, without the bias of the inverse of f; 0 below the f of no light."""
        D, root = z * self._white, math.sqrt(3 / 2)
        D = D.clamp(min=2 * math.sqrt(3 / 8))
        counts = D.square() / 4 + root / (4 * D) - 11 / (8 * D.square()) + 5 * root / (8 * D**3) - 1 / 8
        return (counts - self._dark).clamp(min=0) / self.peak

    @property
    def _white(self) -> float:
        return self._root(torch.ones(())).item()

    @property
    def _dark(self) -> float:
        """The variance of the read-out, in photons."""
        return (self.peak * self.sigma) ** 2

    def _root(self, y: Tensor) -> Tensor:
        return 2 * (self.peak * y + 3 / 8 + self._dark).clamp(min=0).sqrt()
