"""Degradations of a user's own making: any linear map, and another library's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from restora.degradations.base import Degradation
from restora.errors import OptionError
from restora.noise import GaussianNoise, Noise, PoissonNoise
from restora.operators import Function
from restora.operators.base import Map, Shape


class LinearDegradation(Degradation):
    """y = A x + sigma e, for your own linear A: images (B, C, H, W) to observations (B, ...).

    Args:
        A: the map; it must consist of differentiable operations unless `adjoint` is given.
        adjoint: its adjoint, with <A x, y> = <x, adjoint y>. By default, automatic differentiation of A.
        sigma: standard deviation of the noise, in the units of y.
        shape: the (C, H, W) of images, if neither the adjoint nor the prior implies it.
    """

    def __init__(
        self, A: Map, adjoint: Map | None = None, *, sigma: float | Tensor = 0.0, shape: Shape | None = None
    ):
        super().__init__(Function(A, adjoint, shape=shape), GaussianNoise(sigma))


class Decomposed(Function):
    """The operator of a physics object that knows its singular values, and so its inverse and its prox."""

    def __init__(self, physics: Any, shape: Shape | None = None):
        super().__init__(physics.A, physics.A_adjoint, shape=shape)
        self.physics = physics

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        return self._call("A_dagger", self.physics.A_dagger, u)

    def prox(self, z: Tensor, u: Tensor, gamma: float | Tensor) -> Tensor:
        if isinstance(gamma, Tensor) and gamma.numel() == 1:
            gamma = gamma.item()
        if isinstance(gamma, Tensor) or not 0 < gamma < math.inf:
            return super().prox(z, u, gamma)
        return self._call("prox_l2", lambda v: self.physics.prox_l2(z.to(v), v, gamma), u)


def from_physics(physics: Any, shape: Shape | None = None, noise: Noise | None = None) -> Degradation:
    """Convert a physics object of deepinv to a degradation.

    Args:
        physics: an object with a method `A`, and with `A_adjoint` if it is linear. If it has formulas for the
            inverse and the prox, they are used. A physics made by `restora.interop.to_physics` returns its
            original degradation.
        shape: the (C, H, W) of images; needed if there is no adjoint and the prior accepts any size.
        noise: replaces the noise model.

    Raises:
        OptionError: for other objects, and for an unknown noise model or sensor.
    """
    own = getattr(physics, "degradation", None)
    if isinstance(own, Degradation) and noise is None:
        return own
    if not callable(getattr(physics, "A", None)):
        raise OptionError(f"physics: expected an object with a method A, got {type(physics).__name__}")
    _check_sensor(physics)
    adjoint = getattr(physics, "A_adjoint", None)
    if adjoint is not None and getattr(physics, "SVD", False):
        operator: Function = Decomposed(physics, shape)
    else:
        operator = Function(physics.A, adjoint, linear=adjoint is not None, shape=shape)
    return Degradation(operator, noise or _noise(getattr(physics, "noise_model", None)))


def _noise(model: Any) -> Noise:
    name = type(model).__name__
    if name in KNOWN:
        return KNOWN[name](model)
    if model is None or not type(model).__module__.startswith("deepinv"):
        return GaussianNoise(getattr(model, "sigma", 0.0))
    raise OptionError(
        f"physics: its noise model is {name}; expected one of {', '.join(KNOWN)}, or noise=... in its place"
    )


def _photons(model: Any, sigma: float) -> Noise:
    gain = torch.as_tensor(model.gain)
    if gain.numel() > 1 or not bool(torch.as_tensor(getattr(model, "normalize", True))):
        raise OptionError("physics: expected Poisson noise of one gain, with normalize=True; give noise=...")
    return PoissonNoise(1 / gain.item(), sigma)


KNOWN: dict[str, Callable[[Any], Noise]] = {
    "ZeroNoise": lambda model: GaussianNoise(0.0),
    "GaussianNoise": lambda model: GaussianNoise(model.sigma),
    "PoissonNoise": lambda model: _photons(model, 0.0),
    "PoissonGaussianNoise": lambda model: _photons(model, torch.as_tensor(model.sigma).item()),
}
"""deepinv's noise models by name, and what they are here."""


def _check_sensor(physics: Any) -> None:
    """OptionError for a sensor that changes values: solvers would not know of it."""
    sensor, probe = getattr(physics, "sensor_model", None), torch.linspace(-2, 2, 101)
    if callable(sensor) and not torch.equal(torch.as_tensor(sensor(probe)), probe):
        raise OptionError(
            "physics: its sensor model changes values after A; expected none. Include it in "
            "A, or use a noise of restora, such as Rounding"
        )
