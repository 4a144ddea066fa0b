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
    """The linear minimum mean square error estimate: E[x | y] for x ~ N(mean, C), then `project`.

    Noise that is not Gaussian is approximated by a Gaussian. Arguments as for `Degradation.condition`, and:

    Args:
        rounds: number of Gauss-Newton steps, if A is not linear.
    """
    x = mean
    for _ in range(1 if degradation.operator.linear else rounds):
        model, z = degradation.gaussian(x, y)
        x = (system or system_of(model)).mean(covariance, mean, z, tolerance)
    return degradation.project(x, y)


def whitened(model: Degradation, y: Tensor) -> tuple[Degradation, Tensor]:
    """A `linear` degradation and its observation, rescaled so that the noise of all values is equal."""
    assert isinstance(model.noise, GaussianNoise)
    N = model.noise.N
    if not isinstance(N, Diagonal):
        return model, y
    least = N.values.min().sqrt()
    gain = least * N.values.rsqrt()
    return Degradation(compose(model.operator, Gain(gain)), GaussianNoise(least.item())), gain.to(y) * y
