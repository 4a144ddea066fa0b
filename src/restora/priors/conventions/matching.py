"""Straight paths from noise to images, as flow matching, rectified flows and SiT have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from restora.options import option
from restora.priors.conventions.base import MOST, Convention, Path, solve


@dataclass(frozen=True)
class FlowMatching(Convention):
    """u = k x' + (1 - k) spread e, the network receives k; or 1 - k, if time runs from images to noise."""

    low: float = option(-1.0, "value of black for the network")
    most: float = option(1e9, MOST, above=0)
    answer: Literal["velocity", "image", "noise"] = option(
        "velocity", "output of the network: the derivative of u in time, x', or e"
    )
    data_at: Literal["1", "0"] = option("1", "time of clean images; noise has the other")
    spread: float = option(1.0, "standard deviation of the noise, in the network's range", above=0)

    def path(self, sigma: Tensor) -> Path:
        k = 1 / (1 + sigma / self.spread)
        return Path(k, (1 - k) * self.spread, k if self.data_at == "1" else 1 - k)

    def solve(self, path: Path) -> tuple[Tensor, Tensor]:
        if self.answer == "velocity":
            left = path.b / self.spread
            return torch.ones_like(left), left if self.data_at == "1" else -left
        return solve(self.answer, path)
