"""How an image G(z) of a generator is made to agree with the observation: x = E[x* | y] for x* = G(z) + r.

gaussian   as x* and G(z) are tied on photographs, were both Gaussian (`restora.priors.correction`)
smooth     r a smooth random field, its variance estimated from y: Poisson blending, for any degradation
project    r white, its variance estimated from y: without noise the projection onto {x : A x = y}
blend      Poisson blending itself, for inpainting
none       r = 0
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from restora.degradations import Degradation, lmmse, system_of
from restora.errors import PairingError
from restora.gaussian.covariance import Diagonal, Isotropic
from restora.priors.gan import GANPrior
from restora.solvers.poisson import poisson_blend
from restora.solvers.residual import SmoothField

LEAST = 1e-12  # of the square of a variance, which divides
TOLERANCE = 1e-2  # part of y - A m that the measured correction may leave unexplained
Finish = Callable[[Tensor, Tensor, Degradation, GANPrior], Tensor]


def finish(name: str, samples: Tensor, y: Tensor, degradation: Degradation, prior: GANPrior) -> Tensor:
    """Each of the (B, K, C, H, W) samples, finished as `name` says; `auto` is what was measured where the
    prior has it, else the smooth field."""
    batch, count = samples.shape[:2]
    rows = torch.arange(batch, device=y.device).repeat_interleave(count)
    chosen = FINISHES[resolve(name, prior)]
    return chosen(samples.flatten(0, 1), y[rows], degradation.take(rows), prior).view_as(samples)


def resolve(name: str, prior: GANPrior) -> str:
    if name == "auto":
        return "gaussian" if prior.correction else "smooth"
    return name


def check(name: str, degradation: Degradation, prior: GANPrior) -> None:
    """PairingError where such a finish cannot be had."""
    if name == "blend" and degradation.operator.mask is None:
        kind = type(degradation).__name__
        raise PairingError(f"finish=blend is for inpainting, not {kind}; use finish=auto")
    if name == "gaussian" and prior.correction is None:
        raise PairingError(
            f"finish=gaussian needs the correction measured by 'restora train encoder', and prior "
            f"{prior.name!r} has none; use finish=smooth"
        )


def gaussian(x: Tensor, y: Tensor, degradation: Degradation, prior: GANPrior) -> Tensor:
    assert prior.correction is not None
    mean, covariance = prior.correction.predict(x), prior.correction.covariance
    return lmmse(degradation, mean, covariance, y, tolerance=TOLERANCE)


def smooth(x: Tensor, y: Tensor, degradation: Degradation, prior: GANPrior) -> Tensor:
    return lmmse(degradation, x, SmoothField(_variance(x, y, degradation)), y)


def project(x: Tensor, y: Tensor, degradation: Degradation, prior: GANPrior) -> Tensor:
    return degradation.condition(x, _variance(x, y, degradation), y)


def blend(x: Tensor, y: Tensor, degradation: Degradation, prior: GANPrior) -> Tensor:
    assert degradation.operator.mask is not None
    return poisson_blend(x, project(x, y, degradation, prior), degradation.operator.mask)


FINISHES: dict[str, Finish] = {
    "gaussian": gaussian,
    "smooth": smooth,
    "project": project,
    "blend": blend,
    "none": lambda x, y, degradation, prior: x,
}


def _variance(x: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
    """How far x is off, by y: the mean of |y - A x|^2 less the noise over what is observed, (B, 1, 1, 1);
    where the noise differs from value to value, those with the least count for the most."""
    model, z = degradation.gaussian(x, y)
    N = system_of(model).noise
    seen = model.operator.restrict(torch.ones_like(z))
    variance = N.values if isinstance(N, Diagonal) else Isotropic(N.variance).of(z)
    weight = seen / variance.square().clamp(min=LEAST) if isinstance(N, Diagonal) else seen
    excess = (z - model.A(x)).square() - variance
    found = (weight * excess).flatten(1).sum(1) / weight.flatten(1).sum(1)
    return found.clamp(min=1e-4).view(-1, 1, 1, 1)
