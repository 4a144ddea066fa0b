"""Damage to train on: every registered task, several one after the other, and noise as real files have it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.degradations import (
    JPEG,
    AdditiveNoise,
    Blur,
    Chain,
    Degradation,
    Downsample,
    degradations,
    named,
)
from restora.degradations.task import one_of, uniform
from restora.noise import GaussianNoise
from restora.operators import Identity
from restora.pictures.colour import rounded
from restora.training.observations import Observations, fitting

SHARES = {
    "inpaint": 3.0,
    "superres": 2.0,
    "deblur": 1.5,
    "jpeg": 1.5,
    "chain": 1.5,
    "noise": 1.5,
    "poisson": 0.5,
    "demosaic": 0.5,
}  # else 1
USUAL = 0.3  # of the tasks have their default options
AS_FILES = 0.75  # of the observations are rounded to 8 bits
KINDS = ("chain", "noise")


def kinds(shape: tuple[int, int, int]) -> list[str]:
    """The names of all kinds of damage to images of this shape (C, H, W)."""
    return [*fitting(shape), *KINDS]


def damage(x: Tensor, group: int, generator: torch.Generator, kind: str = "") -> Observations:
    """Observations of images x (B, C, H, W), in order: a degradation drawn for every `group` of them.

    kind: that all of them are to be of.
    """
    shape, found = (x.shape[1], x.shape[2], x.shape[3]), []
    names = [kind] if kind else kinds(shape)
    weights = torch.tensor([SHARES.get(name, 1.0) for name in names])
    for part in x.split(group):
        name = names[int(torch.multinomial(weights, 1, generator=generator))]
        degradation = draw(name, part, generator).to(x.device)
        y = degradation(part, generator)
        as_file = uniform(0, 1, generator) < AS_FILES
        found.append((rounded(y) if as_file else y, degradation))
    return found


def draw(kind: str, x: Tensor, generator: torch.Generator) -> Degradation:
    """One degradation of this kind for the images x (B, C, H, W)."""
    shape = (x.shape[1], x.shape[2], x.shape[3])
    if kind == "chain":
        return _chain(shape, generator)
    if kind == "noise":
        return Degradation(Identity(), one_of((_shared, _grown, _tinted), generator)(x, generator))
    if uniform(0, 1, generator) < USUAL:
        return named.build(kind, shape[1:])
    return degradations.get(kind).random(shape, len(x), generator)


def _chain(shape: tuple[int, int, int], generator: torch.Generator) -> Degradation:
    """Two or more of blur, reduction, noise and JPEG."""
    channels, height, width = shape
    used = [uniform(0, 1, generator) < 0.6 for _ in range(4)]
    parts: list[Degradation] = []
    if used[0]:
        parts.append(Blur(width=uniform(0.4, 2.0, generator), sigma=0.0))
    fitting = [scale for scale in (2, 3, 4) if height % scale == width % scale == 0]
    if used[1] and fitting:
        scale = one_of(fitting, generator)
        parts.append(Downsample(scale, one_of(("box", "bicubic", "gaussian"), generator)))
    if used[2] or len(parts) < 2:
        parts.append(AdditiveNoise(10 ** uniform(-2.5, -0.8, generator)))
    if used[3] and channels == 3:
        parts.append(JPEG(round(uniform(20, 95, generator)), one_of(("4:2:0", "4:4:4"), generator)))
    return Chain(*parts)


def _shared(x: Tensor, generator: torch.Generator) -> GaussianNoise:
    """That channels have in common, in part."""
    channels, sigma = x.shape[1], 10 ** uniform(-1.9, -0.6, generator)
    share = uniform(0, 0.95, generator)
    return GaussianNoise(covariance=sigma**2 * _alike(channels, share))


def _tinted(x: Tensor, generator: torch.Generator) -> GaussianNoise:
    """That neighbours have in common, in part, as demosaicing and compression leave it."""
    channels, height, width = x.shape[1:]
    sigma, reach = 10 ** uniform(-1.9, -0.7, generator), uniform(0.2, 0.9, generator)
    rows = torch.arange(height).view(-1, 1) / height
    columns = torch.arange(width) / width
    power = torch.exp(-((math.pi * reach) ** 2) * (rows.square() + columns.square())).clamp(min=1e-3)
    share = uniform(0, 0.8, generator)
    across = _alike(channels, share)[..., None, None]
    return GaussianNoise(covariance=sigma**2 * across * (power / power.mean()))


def _grown(x: Tensor, generator: torch.Generator) -> GaussianNoise:
    """That grows with brightness: variance a m + b, m the brightness nearby."""
    least, most = 10 ** uniform(-2.2, -1.2, generator), 10 ** uniform(-1.5, -0.6, generator)
    nearby = F.avg_pool2d(x.clamp(0, 1), 5, 1, 2, count_include_pad=False)
    return GaussianNoise((least**2 + nearby * most**2).sqrt())


def _alike(channels: int, share: float) -> Tensor:
    """Correlations (C, C) of channels that have this share in common."""
    return torch.full((channels, channels), share) + (1 - share) * torch.eye(channels)
