"""How networks are trained: the rate of learning over the budget, and an average of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn


def share_of_rate(seen: int, done: float, warmup: int, decay_from: float = 0.0) -> float:
    """Part of the rate after `seen` images: it rises over `warmup` of them, and falls to 0, as a cosine, from
    the part `decay_from` of the budget to its end; `done` is the part that is over."""
    rise = min(1.0, seen / max(warmup, 1))
    past = max(0.0, done - decay_from) / max(1 - decay_from, 1e-9)
    return rise * 0.5 * (1 + math.cos(math.pi * past))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, seen: int, batch: int, half_life: float) -> None:
    """Move `average` towards `network`: an exponential average over images. Its half-life, in images, grows
    with the run, so that it soon forgets the first ones."""
    keep = 0.5 ** (batch / min(half_life, 0.05 * seen + batch))
    for mean, now in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(now, 1 - keep)
