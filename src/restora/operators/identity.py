"""A = I: nothing but noise happens to the image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from restora.operators.base import Operator


@dataclass(eq=False)
class Identity(Operator):
    """All values are observed: A = A^T = A^+ = I."""

    @property
    def gram(self) -> float:
        return 1.0

    @property
    def diagonal(self) -> float:
        return 1.0

    @property
    def identity(self) -> bool:
        return True

    @property
    def picture(self) -> bool:
        return True

    def forward(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, u: Tensor) -> Tensor:
        return u

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        return u

    def spectrum(self, spectrum: Tensor) -> Tensor:
        return spectrum
