"""A = I: what degrades is the noise alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from restora.degradations.base import Degradation


@dataclass(eq=False)
class Identity(Degradation):
    """Every value is observed: A = A^T = A^dagger = I."""

    @property
    def gram(self) -> float:
        return 1.0

    def A(self, x: Tensor) -> Tensor:
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y

    def A_dagger(self, y: Tensor) -> Tensor:
        return y

    def observed_spectrum(self, spectrum: Tensor) -> Tensor:
        return spectrum
