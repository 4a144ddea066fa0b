"""Dark observations, restored as bright as the images that a prior has seen.

    y = A x + e   <->   c y = A (c x) + c e,   for a linear A and noise whose c e is of the same form

So x is restored from c y, and the result divided by c. A camera of 12 bits in a file of 16, say, fills a
sixteenth of the range. c is a power of two, and c y stays below 1: one of each image, so that the result of
an image does not depend on its batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.noise import GaussianNoise, Noise, PoissonNoise
from restora.priors import Prior
from restora.solvers import Step

MOST = 2.0**16
BRIGHT = 0.5  # peak of the images of a prior, from which on observations are made bright


def factors(y: Tensor) -> Tensor:
    """c of each image of y (B, ...), (B,): the largest power of two for which c y stays below 1; 1 at least,
    and where y is 0 everywhere."""
    peak = y.flatten(1).amax(1)
    _, exponent = torch.frexp(peak)
    found = torch.ldexp(torch.ones_like(peak), -exponent)
    return torch.where(peak > 0, found.clamp(1, MOST), 1)


def given(degradation: Degradation, y: Tensor) -> Degradation:
    """As `Degradation.given`; noise in dark images is found in bright ones."""
    light = factors(y) if degradation.operator.picture else y.new_ones(len(y))
    if bool((light == 1).all()):
        return degradation.given(y)
    found = degradation.given(_times(y, light))
    noise = _scaled(found.noise, 1 / light)
    return degradation.given(y) if noise is None else Degradation(found.operator, noise)


def brightened(
    y: Tensor, degradation: Degradation, prior: Prior | None
) -> tuple[Tensor, Degradation, Tensor] | None:
    """c y, the degradation of it, and c; None where it has to stay as dark as it is."""
    operator = degradation.operator
    bright = prior is not None and prior.peak is not None and prior.peak >= BRIGHT
    if not (bright and operator.linear and operator.picture):
        return None
    light = factors(y)
    noise = None if bool((light == 1).all()) else _scaled(degradation.noise, light)
    return None if noise is None else (_times(y, light), Degradation(operator, noise), light)


def dimmed(steps: Iterator[Step], light: Tensor) -> Iterator[Step]:
    """The steps of c x, as those of x."""
    for step in steps:
        x, samples, std = (
            None if part is None else _times(part, 1 / light) for part in (step.x, step.samples, step.std)
        )
        assert x is not None
        yield replace(step, x=x, samples=samples, std=std)


def _scaled(noise: Noise, factors: Tensor) -> Noise | None:
    return noise.scaled(factors) if isinstance(noise, GaussianNoise | PoissonNoise) else None


def _times(x: Tensor, factor: Tensor) -> Tensor:
    return x * factor.to(x).view(-1, *[1] * (x.ndim - 1))
