"""Degradations of a user's own making: any linear map, and another library's."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from restora.degradations.base import Degradation
from restora.errors import OptionError
from restora.noise import GaussianNoise
from restora.operators import Function
from restora.operators.base import Map, Shape


class LinearDegradation(Degradation):
    """y = A x + sigma e, for a linear A of your own: images (B, C, H, W) to observations (B, ...).

    Args:
        A: the map, made of differentiable operations unless `adjoint` is given.
        adjoint: its adjoint, with <A x, y> = <x, adjoint y>. By default the vector-Jacobian product of A.
        sigma: standard deviation of the noise, in the units of y.
        shape: the (C, H, W) of images, if neither the adjoint nor the prior implies it.
    """

    def __init__(
        self, A: Map, adjoint: Map | None = None, *, sigma: float | Tensor = 0.0, shape: Shape | None = None
    ):
        super().__init__(Function(A, adjoint, shape=shape), GaussianNoise(sigma))

    def check(self, image_shape: Shape, tolerance: float = 1e-3) -> None:
        """OptionError unless <A x, y> = <x, adjoint y> for a random pair, which a wrong adjoint fails."""
        assert isinstance(self.operator, Function)
        self.operator.check(image_shape, tolerance)


def from_physics(physics: Any, shape: Shape | None = None) -> Degradation:
    """The degradation of a physics object as deepinv defines it.

    Args:
        physics: an object with `A`, with `A_adjoint` if it is linear, and perhaps with `noise_model.sigma`.
        shape: the (C, H, W) of images; needed if there is no adjoint and the prior suits any size.
    """
    if not callable(getattr(physics, "A", None)):
        raise OptionError(f"physics: expected an object with a method A, got {type(physics).__name__}")
    adjoint = getattr(physics, "A_adjoint", None)
    sigma = getattr(getattr(physics, "noise_model", None), "sigma", 0.0)
    operator = Function(physics.A, adjoint, linear=adjoint is not None, shape=shape)
    return Degradation(operator, GaussianNoise(sigma))
