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
    """The linear estimate of least mean square error: E[x | y] for x ~ N(mean, C), then `project`.

    A Gaussian stands for noise that is not Gaussian. Arguments are those of `Degradation.condition`.

    Args:
        rounds: if A is not linear, how often its tangent is taken anew about the estimate (Gauss-Newton).
    """
    x = mean
    for _ in range(1 if degradation.operator.linear else rounds):
        model, z = degradation.gaussian(x, y)
        x = (system or system_of(model)).mean(covariance, mean, z, tolerance)
    return degradation.project(x, y)


def whitened(model: Degradation, y: Tensor) -> tuple[Degradation, Tensor]:
    """A `linear` degradation whose noise differs from value to value, and its observation, as white noise."""
    assert isinstance(model.noise, GaussianNoise)
    N = model.noise.N
    if not isinstance(N, Diagonal):
        return model, y
    least = N.values.min().sqrt()
    gain = least * N.values.rsqrt()
    return Degradation(compose(model.operator, Gain(gain)), GaussianNoise(least.item())), gain.to(y) * y
