"""The network F inside the preconditioner of EDM.

    D = c_skip u / c_in + c_out F,  c_skip = s^2 / (sigma^2 + s^2),  c_out = sigma s / sqrt(sigma^2 + s^2)

s is the deviation of the images. Source: Karras, Aittala, Aila and Laine, "Elucidating the design space of
diffusion-based generative models", NeurIPS 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from restora.options import option
from restora.priors.conventions.base import LEAST, MOST, Convention, Path


@dataclass(frozen=True)
class Karras(Convention):
    """u = c_in (x' + sigma e), the network receives log(sigma) / 4; with its preconditioner it is `ve`."""

    low: float = option(-1.0, "value of black for the network")
    least: float = option(0.001, LEAST, above=0)
    most: float = option(40.0, MOST, above=0)
    spread: float = option(0.5, "standard deviation of the images, in the network's range", above=0)

    def path(self, sigma: Tensor) -> Path:
        c_in = torch.rsqrt(sigma.square() + self.spread**2)
        return Path(c_in, sigma * c_in, sigma.log() / 4)

    def solve(self, path: Path) -> tuple[Tensor, Tensor]:
        sigma = path.b / path.a
        total = sigma.square() + self.spread**2
        return self.spread**2 / total / path.a, sigma * self.spread / total.sqrt()
