"""What the Gaussian that stands for a degradation gives: the linear estimate, a form with white noise."""

from __future__ import annotations

from torch import Tensor

from restora.degradations.base import Degradation, system_of
from restora.gaussian.covariance import Covariance, Diagonal
from restora.gaussian.system import System
from restora.noise.gaussian import GaussianNoise
from restora.operators.composition import compose
from restora.operators.gain import Gain

NEWTON = 4  # tangents of an operator that is not linear, about the estimate so far


def lmmse(
    degradation: Degradation,
    mean: Tensor,
    covariance: Covariance,
    y: Tensor,
    *,
    tolerance: float | None = None,
    system: System | None = None,
    rounds: int = NEWTON,
) -> Tensor:
    """The linear estimate of least mean square error: E[x | y] for x ~ N(mean, C), where the Gaussian that
    stands for the degradation takes its place, and then `project`. Arguments as in `condition`.

    rounds: where A is not linear, so often is its tangent made anew, about the estimate (Gauss and Newton).
    """
    x = mean
    for _ in range(1 if degradation.operator.linear else rounds):
        model, z = degradation.gaussian(x, y)
        x = (system or system_of(model)).mean(covariance, mean, z, tolerance)
    return degradation.project(x, y)


def whitened(model: Degradation, y: Tensor) -> tuple[Degradation, Tensor]:
    """A `linear` degradation with noise that differs from value to value, and its observation, in units in
    which all values have the least of it."""
    assert isinstance(model.noise, GaussianNoise)
    N = model.noise.N
    if not isinstance(N, Diagonal):
        return model, y
    least = N.values.min().sqrt()
    gain = least * N.values.rsqrt()
    return Degradation(compose(model.operator, Gain(gain)), GaussianNoise(least.item())), gain.to(y) * y
