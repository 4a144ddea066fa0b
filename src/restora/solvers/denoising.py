"""Denoising with a flow: where A = I and the noise is about white, E[x | y] is its own denoiser.

    y = x + n,  n ~ N(0, sigma^2 I):   t y is w_t at t = 1 / (1 + sigma / s),   E[x | y] = D_t(t y)

Noise N <= sigma^2 I is white noise and something that y tells beyond it: N^-1 = sigma^-2 I + N'^-1, and y
counts once more, as an observation with the noise N'; exact, were p(x | w) Gaussian.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.operators import Identity
from restora.priors.flow import FlowPrior

LEVELS, ENDS = 3, (0.05, 0.95)  # of noise that differs from place to place, between these quantiles
LEAST = 1e-4


def white(y: Tensor, degradation: Degradation, prior: FlowPrior) -> Tensor | None:
    """Where A = I and the noise is about white, and no stronger than the prior's network knows: its standard
    deviation, (B,) or (B, 1 or C, H, W)."""
    noise = degradation.noise.white(y) if degradation.operator.identity else None
    known = noise is not None and bool((noise * prior.first <= prior.scale * (1 - prior.first)).all())
    return noise if known else None


def evaluations(degradation: Degradation, orientations: int) -> int:
    """Of the network, where restoring is denoising alone; else 0."""
    if not degradation.operator.identity:
        return 0
    return {"no": 0, "level": orientations, "map": LEVELS * orientations}[degradation.noise.whitens]


def denoise(
    y: Tensor, noise: Tensor, degradation: Degradation, prior: FlowPrior, orientations: int
) -> tuple[Tensor, Tensor]:
    """y (B, C, H, W), with what a file cut off it, and E[x | y], where A = I and `noise` is its deviation.

    One evaluation of the network for each of so many orientations, as far as the prior has symmetries; what
    was cut is guessed from the linear denoiser's answer. Noise that differs from place to place is removed at
    a few levels, and between them interpolated. What y tells beyond white noise, where the channels share
    theirs, is taken up by `Degradation.condition`. Where there is no noise, x is y.
    """
    if noise.ndim > 1:
        rows = zip(y.split(1), noise.split(1), torch.arange(len(y)).split(1), strict=True)
        found = [_by_levels(row, s, degradation.take(i), prior, orientations) for row, s, i in rows]
        ys, xs = zip(*found, strict=True)
        return torch.cat(ys), torch.cat(xs)
    if not bool(noise.any()):
        return y, y
    level = 1 / (1 + noise / prior.scale)
    t, given, more = level.view(-1, 1, 1, 1), y, degradation.noise.beyond
    if prior.wiener is not None:
        y = degradation.noise.unclipped(y, prior.wiener(t * y, level)[0])
    x = _at(y, level, prior, orientations)
    if more is not None and prior.wiener is not None:
        left = prior.wiener.covariance(level[0].item())
        x = Degradation(Identity(), more).condition(x, left, y)
    return y, torch.where(noise.view(-1, 1, 1, 1) > 0, x, given)


def _at(y: Tensor, level: Tensor, prior: FlowPrior, orientations: int) -> Tensor:
    """D_t(t y) at the levels t (B,), averaged."""
    t, count = level.view(-1, 1, 1, 1), min(orientations, prior.symmetries)
    return torch.stack([prior.denoise(t * y, level, k) for k in range(count)]).mean(0)


def _by_levels(
    y: Tensor, sigma: Tensor, degradation: Degradation, prior: FlowPrior, orientations: int
) -> tuple[Tensor, Tensor]:
    """One image (1, C, H, W), whose noise has deviations `sigma` of each value."""
    flat = sigma.flatten()[:: 1 + sigma.numel() // 100_000]
    low, high = flat.quantile(flat.new_tensor(ENDS)).clamp(min=LEAST).tolist()
    steps = torch.linspace(0, 1, LEVELS).to(y)
    levels = 1 / (1 + low * (high / low) ** steps / prior.scale)
    if prior.wiener is not None:
        middle = levels[LEVELS // 2].view(1)
        y = degradation.noise.unclipped(y, prior.wiener(middle.view(-1, 1, 1, 1) * y, middle)[0])
    found = torch.stack([_at(y, level[None], prior, orientations) for level in levels])
    share = (sigma.clamp(min=LEAST) / low).log() / max(math.log(high / low), LEAST)
    place = share.clamp(0, 1) * (LEVELS - 1)
    weights = (1 - (place - torch.arange(LEVELS).to(y).view(-1, 1, 1, 1, 1)).abs()).clamp(min=0)
    return y, (weights * found).sum(0)
