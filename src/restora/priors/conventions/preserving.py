"""Diffusion in steps that keep the variance: DDPM, guided diffusion, most networks of `diffusers`.

A_k is the product of 1 - beta_i up to step k; between two steps, log(b / a) is interpolated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from restora.options import option
from restora.priors.conventions.base import Convention, Path, solve


@dataclass(frozen=True)
class VariancePreserving(Convention):
    """u = sqrt(A_k) x' + sqrt(1 - A_k) e, the network receives the step k, from 0 to steps - 1."""

    low: float = option(-1.0, "value of black for the network")
    answer: Literal["noise", "image", "v", "score"] = option(
        "noise", "output of the network: e, x', a e - b x', or -e / b"
    )
    schedule: Literal["linear", "scaled", "cosine"] = option(
        "linear", "betas: linear from beta_start to beta_end, linear square roots, or a squared cosine"
    )
    steps: int = option(1000, "number of betas", 2)
    beta_start: float = option(1e-4, "the first beta", above=0, below=1)
    beta_end: float = option(0.02, "the last beta", above=0, below=1)

    @property
    def levels(self) -> tuple[float, float]:
        """What was said, as far as there are steps for it."""
        table, spread = self._table(), abs(self.high - self.low)
        first, last = table[0].exp().item() / spread, table[-1].exp().item() / spread
        return max(self.least, first), min(self.most, last)

    def path(self, sigma: Tensor) -> Path:
        table = self._table().to(sigma)
        place = sigma.log()
        after = torch.searchsorted(table, place).clamp(1, len(table) - 1)
        below, above = table[after - 1], table[after]
        step = (after - 1 + (place - below) / (above - below)).clamp(0, len(table) - 1)
        a = torch.rsqrt(1 + sigma.square())
        return Path(a, sigma * a, step.to(sigma))

    def solve(self, path: Path) -> tuple[Tensor, Tensor]:
        return solve(self.answer, path)

    def _table(self) -> Tensor:
        """log(b / a) of each step."""
        return _noise_of_steps(self.schedule, self.steps, self.beta_start, self.beta_end)


@lru_cache(maxsize=8)
def _noise_of_steps(schedule: str, steps: int, start: float, end: float) -> Tensor:
    """log(b / a), (steps,), rising."""
    if schedule == "cosine":  # Nichol and Dhariwal, ICML 2021
        k = torch.arange(steps + 1).double() / steps
        bar = torch.cos((k + 0.008) / 1.008 * math.pi / 2).square()
        betas = (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    elif schedule == "scaled":
        betas = torch.linspace(start**0.5, end**0.5, steps).double().square()
    else:
        betas = torch.linspace(start, end, steps).double()
    bar = torch.log1p(-betas).cumsum(0)  # log A_k
    return (torch.log(-torch.expm1(bar)) - bar) / 2
