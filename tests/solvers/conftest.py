"""A linear generator, for which the MAP latent has a closed form."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from restora.priors import GANPrior, lookup

SHAPE = (3, 8, 8)
LATENT = 5


class LinearGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(math.prod(SHAPE), LATENT, generator=generator) * 0.1)
        self.bias = nn.Parameter(torch.full((math.prod(SHAPE),), 0.5))

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.weight.T + self.bias).view(-1, *SHAPE)


class LinearDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(math.prod(SHAPE), generator=torch.Generator().manual_seed(4)) * 0.5
        )

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight


@pytest.fixture
def prior() -> GANPrior:
    return GANPrior(LinearGenerator(), LinearDiscriminator(), (LATENT,), value_range=(0.0, 1.0))


@pytest.fixture
def table(prior: GANPrior, tmp_path: Path) -> Path:
    """A folder with a table of 500 latents of `prior`, whose images 5 directions span."""
    z = prior.latents(500, torch.Generator().manual_seed(1))
    x = prior.generate(z).flatten(1)
    mean, directions = x.mean(0), torch.linalg.qr(prior.generator.weight).Q.T
    codes = (x - mean) @ directions.T
    parts = {"mean": mean.view(SHAPE), "directions": directions.reshape(-1, *SHAPE)}
    lookup.save(tmp_path / lookup.FILE, {**parts, "codes": codes, "latents": z}, prior)
    return tmp_path
