"""Any linear degradation, from a user's A and its adjoint.

y = A x + sigma e;   A^dagger and prox_l2 by conjugate gradients on A^T A
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from restora.degradations.base import Degradation, Operator, Shape, option
from restora.errors import OptionError
from restora.random import Window


@dataclass(eq=False, init=False)
class LinearDegradation(Degradation):
    """`A`: images (B, C, H, W) -> observations (B, ...); `adjoint`: back, with <A x, y> = <x, adjoint y>.

    Both act on each image by itself; either may be an nn.Module. `sigma` is in the units of y.
    """

    sigma: float = field(
        default=0.0,
        kw_only=True,
        metadata=option("standard deviation of the added Gaussian noise, in the units of the observation", 0),
    )

    def __init__(self, A: Operator, adjoint: Operator, *, sigma: float = 0.0):
        for name, value in (("A", A), ("adjoint", adjoint)):
            if not callable(value):
                raise OptionError(f"{name}: expected a function of a tensor, got {type(value).__name__}")
        self.sigma, self.operator, self.adjoint = sigma, A, adjoint
        # Follows .to(), so that shapes can be found by a trial on the right device.
        self.register_buffer("trial", torch.empty(0), persistent=False)
        self.__post_init__()

    def A(self, x: Tensor) -> Tensor:
        return self.operator(x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.adjoint(y)

    @property
    def _trial(self) -> Tensor:
        return self.get_buffer("trial")

    def observed_shape(self, image_shape: Shape) -> Shape:
        return tuple(self.operator(self._trial.new_zeros(1, *image_shape)).shape[1:])

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return tuple(self.adjoint(self._trial.new_zeros(1, *observed_shape)).shape[1:])

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Degradation, Tensor]:
        """PairingError: what A does to a part of an image is not known."""
        return super().window(window, y, (-1, -1))

    def check(self, image_shape: Shape, tolerance: float = 1e-3) -> None:
        """OptionError unless <A x, y> = <x, adjoint y> for a random pair, which a wrong adjoint fails."""
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1, *image_shape, generator=generator).to(self._trial)
        y = torch.randn(1, *self.observed_shape(image_shape), generator=generator).to(self._trial)
        Ax = self.operator(x)
        left, right = float((Ax * y).sum()), float((x * self.adjoint(y)).sum())
        if abs(left - right) > tolerance * float(Ax.norm() * y.norm()):
            raise OptionError(
                f"adjoint: expected <A x, y> = <x, adjoint y>, got {left:.6g} and {right:.6g}; "
                "is it the transpose of A, on the same image size?"
            )
