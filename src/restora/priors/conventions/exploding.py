"""Noise of any strength is added to the image: DRUNet, FFDNet, most denoisers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from restora.options import option
from restora.priors.conventions.base import Convention, Path, solve


@dataclass(frozen=True)
class VarianceExploding(Convention):
    """u = x' + sigma e, the network receives sigma."""

    answer: Literal["image", "noise", "residual", "score"] = option(
        "image", "output of the network: x', e, sigma e, or -e / sigma"
    )

    def path(self, sigma: Tensor) -> Path:
        return Path(torch.ones_like(sigma), sigma, sigma)

    def solve(self, path: Path) -> tuple[Tensor, Tensor]:
        return solve(self.answer, path)
