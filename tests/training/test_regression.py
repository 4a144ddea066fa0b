"""What one image tells of another: the regression against the joint Gaussian that drew both."""

from __future__ import annotations

import torch
from torch import Tensor

from restora.priors.correction import Correction
from restora.priors.gaussian import GaussianPrior
from restora.training.regression import regression

SHAPE = (3, 8, 8)


def pairs(count: int = 4000) -> tuple[Tensor, Tensor]:
    """g along three directions, two even and one odd; x is half of it and noise, about another mean."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.linalg.qr(torch.randn(192, 3, generator=generator)).Q.T.view(3, *SHAPE)
    rows = torch.stack([rows[0] + rows[0].flip(-1), rows[1] + rows[1].flip(-1), rows[2] - rows[2].flip(-1)])
    weights = torch.randn(count, 3, generator=generator) * torch.tensor([0.3, 0.25, 0.2])
    signal = (weights @ rows.flatten(1)).view(-1, *SHAPE)
    noise = 0.02 * torch.randn(count, *SHAPE, generator=generator)
    return to_bytes(0.5 + signal), to_bytes(0.4 + signal / 2 + noise)


def to_bytes(x: Tensor) -> Tensor:
    return (255 * x).round().clamp(0, 255).to(torch.uint8)


def test_the_regression_is_the_conditional_mean() -> None:
    g, x = pairs()
    mean, origin, V, P = regression(g, x, 3)
    rest = GaussianPrior(mean, torch.zeros(0, *SHAPE), torch.zeros(3, *SHAPE))
    found = Correction(origin, V, P, rest).predict(g / 255)
    assert (mean - 0.4).abs().max() < 0.01
    assert (origin - 0.5).abs().max() < 0.01
    torch.testing.assert_close(found, 0.4 + (g / 255 - 0.5) / 2, rtol=0, atol=0.012)
    left = (x / 255 - found).square().mean().sqrt()
    assert 0.019 < left < 0.021  # the noise alone


def test_what_g_does_not_say_is_the_mean() -> None:
    g, x = pairs()
    mean, origin, V, P = regression(g, x.flip(0), 3)
    rest = GaussianPrior(mean, torch.zeros(0, *SHAPE), torch.zeros(3, *SHAPE))
    found = Correction(origin, V, P, rest).predict(g / 255)
    assert (found - mean).abs().mean() < 0.005


def test_it_mirrors_with_its_image() -> None:
    mean, origin, V, P = regression(*pairs(), 3)
    correction = Correction(origin, V, P, GaussianPrior(mean, V[:0], torch.zeros(3, *SHAPE)))
    g = torch.rand(4, *SHAPE)
    torch.testing.assert_close(
        correction.predict(g.flip(-1)), correction.predict(g).flip(-1), atol=1e-4, rtol=0
    )
