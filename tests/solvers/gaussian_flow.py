"""A flow of Gaussian images, whose posterior is known: every mean and every covariance."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from restora.degradations import AdditiveNoise, Blur, Degradation, Downsample, Grayscale, Mask
from restora.priors import FlowPrior, GaussianPrior
from restora.random import generators

SHAPE, SIZE = (3, 8, 8), 192
BUILD: dict[str, Callable[[], Degradation]] = {
    "mask": lambda: Mask.center((8, 8), sigma=0.02),
    "masks": lambda: Mask(torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(3)) < 0.5),
    "grayscale": lambda: Grayscale(),
    "downsample": lambda: Downsample(4),
    "denoise": lambda: AdditiveNoise(0.1),
    "blur": lambda: Blur(width=1.0, sigma=0.02),
}


class Zero(nn.Module):
    """What the linear denoiser leaves to a network where images are Gaussian: nothing."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x[:, :3] * 0


def flow(rank: int = 0) -> FlowPrior:
    """A smooth field with correlated channels; or a few directions above a white rest."""
    generator = torch.Generator().manual_seed(0)
    frequency = torch.arange(8.0)[:, None] + torch.arange(8.0)[None]
    spread = (0.2 * torch.eye(3) + 0.1)[..., None, None] / (1 + frequency) ** 2
    spread = spread + 0.03 * torch.eye(3)[..., None, None]
    if rank:
        spread = 0.05 * torch.eye(3)[:, :, None, None].expand(-1, -1, 8, 8)
    directions = torch.linalg.qr(torch.randn(SIZE, max(rank, 1), generator=generator)).Q.T[:rank]
    factors = (torch.linspace(1, 0.2, rank)[:, None] * directions).view(rank, *SHAPE)
    mean = 0.3 + 0.4 * torch.rand(SHAPE, generator=generator)
    return FlowPrior(Zero(), GaussianPrior(mean, factors, spread)).double()


def matrix(operator: Callable[[Tensor], Tensor]) -> Tensor:
    return operator(torch.eye(SIZE).double().view(SIZE, *SHAPE)).flatten(1).T


def posterior(prior: FlowPrior, degradation: Degradation, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of x given y (1, ...)."""
    gaussian = prior.gaussian
    assert gaussian is not None
    A = matrix(degradation.take(torch.zeros(SIZE, dtype=torch.long)).A)
    S, mean = matrix(gaussian.covariance), gaussian.mean.flatten()
    inner = A @ S @ A.T + degradation.sigma**2 * torch.eye(len(A)).double()
    gain = S @ A.T @ torch.linalg.pinv(inner, 1e-12)
    return mean + gain @ (y.flatten() - A @ mean), S - gain @ A @ S


def observe(prior: FlowPrior, degradation: Degradation) -> Tensor:
    assert prior.gaussian is not None
    return degradation(prior.gaussian.mean + prior.gaussian.deviation(2, generators(7, 2)), generators(8, 2))
