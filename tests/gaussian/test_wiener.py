"""The linear denoiser against dense linear algebra."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from restora.gaussian.wiener import Wiener
from restora.priors import GaussianPrior
from restora.random import generators

SHAPE, SIZE, SCALE = (3, 6, 4), 72, 0.5
T = torch.tensor([0.0, 0.3, 0.9, 0.99]).double()


def prior_of(rank: int, isotropic: bool, orthogonal: bool = True) -> GaussianPrior:
    """Directions of falling variance; a smooth rest with correlated channels, or a white one."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(SIZE, max(rank, 1), generator=generator).double()
    if orthogonal:
        directions = torch.linalg.qr(directions).Q
    scale = 0.8 / torch.arange(1, rank + 1).double()
    factors = (scale[:, None] * directions.T[:rank]).view(rank, *SHAPE)
    frequency = torch.arange(6.0)[:, None] ** 2 + torch.arange(4.0)[None] ** 2
    mixing = torch.eye(3)[:, :, None, None] * 0.3 + 0.7 / 3
    smooth = mixing * 0.1 / (1 + frequency) + 0.02 * torch.eye(3)[:, :, None, None]
    white = 0.05 * torch.eye(3)[:, :, None, None].expand(-1, -1, 6, 4)
    mean = torch.rand(SHAPE, generator=generator)
    return GaussianPrior(mean, factors, white if isotropic else smooth).double()


def dense(prior: GaussianPrior, t: float) -> tuple[Tensor, Tensor]:
    """S (t^2 S + n^2 I)^-1 and n^2 times it."""
    S = prior.covariance(torch.eye(SIZE).double().view(SIZE, *SHAPE)).flatten(1)
    noise = ((1 - t) * SCALE) ** 2
    solved = torch.linalg.solve(t**2 * S + noise * torch.eye(SIZE).double(), S)
    return solved, noise * solved


def wiener_of(prior: GaussianPrior) -> Wiener:
    return Wiener(prior.mean, prior.covariance, SCALE)


EXACT = [(0, False, True), (0, True, True), (6, True, True), (6, True, False)]


@pytest.mark.parametrize(("rank", "isotropic", "orthogonal"), EXACT)
def test_closed_form(rank: int, isotropic: bool, orthogonal: bool) -> None:
    prior = prior_of(rank, isotropic, orthogonal)
    wiener = wiener_of(prior)
    w = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1)).double()
    found, error = wiener(w, T)
    for i, t in enumerate(T.tolist()):
        gain, remaining = dense(prior, t)
        expected = prior.mean.flatten() + t * gain @ (w[i] - t * prior.mean).flatten()
        torch.testing.assert_close(found[i].flatten(), expected, rtol=0, atol=1e-6)
        assert error[i].item() == pytest.approx(math.sqrt(remaining.trace() / SIZE), rel=1e-6)
        operator = wiener.covariance(t)
        matrix = operator(torch.eye(SIZE).double().view(SIZE, *SHAPE)).flatten(1)
        torch.testing.assert_close(matrix, remaining, rtol=0, atol=1e-6)


def test_directions_over_a_coloured_rest() -> None:
    """Approximate, but the error it makes is nearly the least, and the one it announces."""
    prior = prior_of(6, isotropic=False)
    wiener, x = wiener_of(prior), prior.mean + prior.deviation(3000, torch.Generator().manual_seed(1))
    e = torch.randn(x.shape, generator=torch.Generator().manual_seed(2)).double()
    for t in T.tolist():
        found, announced = wiener(t * x + (1 - t) * SCALE * e, torch.full((len(x),), t).double())
        error = (found - x).square().mean().sqrt().item()
        least = math.sqrt(dense(prior, t)[1].trace() / SIZE)
        assert error == pytest.approx(least, rel=0.03)
        assert announced[0].item() == pytest.approx(least, rel=0.03)


def test_draws_have_the_covariance() -> None:
    wiener, count = wiener_of(prior_of(6, isotropic=False)), 20_000
    operator = wiener.covariance(0.3)
    draws = operator.draw(torch.zeros(count, *SHAPE).double(), torch.Generator().manual_seed(1)).flatten(1)
    expected = operator(torch.eye(SIZE).double().view(SIZE, *SHAPE)).flatten(1)
    std = expected.diagonal().sqrt()
    noise = ((std[:, None] * std[None]) ** 2 + expected**2).div(count).sqrt()
    assert ((draws.T @ draws / count - expected) / noise).abs().max() < 6
    alone = operator.draw(torch.zeros(1, *SHAPE).double(), generators(6, 1))
    torch.testing.assert_close(operator.draw(torch.zeros(3, *SHAPE).double(), generators(5, 3))[1:2], alone)


def test_at_first_it_is_the_covariance_of_images() -> None:
    prior = prior_of(6, isotropic=False)
    x = torch.eye(SIZE).double().view(SIZE, *SHAPE)
    found = wiener_of(prior).covariance(0.0)(x)
    torch.testing.assert_close(found, prior.covariance(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("t", [0.3, 0.9])
def test_covariance_over_a_coloured_rest(t: float) -> None:
    """Approximate, but close."""
    prior, x = prior_of(6, isotropic=False), torch.eye(SIZE).double().view(SIZE, *SHAPE)
    found = wiener_of(prior).covariance(t)(x).flatten(1)
    expected = dense(prior, t)[1]
    assert (found - expected).norm() < 0.2 * expected.norm()
    assert found.trace().item() == pytest.approx(expected.trace().item(), rel=0.02)


def test_finite_without_noise() -> None:
    prior = prior_of(6, isotropic=False).float()
    w = prior.sample(2)
    found, error = wiener_of(prior)(w, torch.ones(2))
    torch.testing.assert_close(found, w, rtol=0, atol=1e-2)
    assert 0 < error[0] < 1e-2
