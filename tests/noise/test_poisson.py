"""Photon noise: its counts, its moments, and the posterior mean against the sum over counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from restora.degradations import Poisson
from restora.errors import OptionError
from restora.noise import PoissonNoise
from restora.testing import check_noise


def test_counts_have_the_mean_and_the_variance_of_their_brightness() -> None:
    x = torch.full((1, 1, 300, 300), 0.4)
    degradation = Poisson(50.0, sigma=0.05)
    y = degradation(x, torch.Generator().manual_seed(0))
    assert y.mean().item() == pytest.approx(0.4, abs=2e-3)
    assert y.var().item() == pytest.approx(0.4 / 50 + 0.05**2, rel=0.03)
    torch.testing.assert_close(degradation.noise.variance(x).mean().item(), 0.4 / 50 + 0.05**2)
    counts = 50 * Poisson(50.0)(x, torch.Generator().manual_seed(0))
    torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("peak", "tolerance"), [(20.0, 0.02), (200.0, 0.004)])
def test_the_posterior_mean_is_that_of_the_counts(peak: float, tolerance: float) -> None:
    """Against a sum over x of the Poisson probability itself."""
    m, v, y = torch.tensor(0.5), 0.1**2, torch.tensor([0.25, 0.5, 0.8])
    grid = torch.linspace(1e-4, 1.5, 20001).double()
    for value in y:
        log = (peak * value) * (peak * grid).log() - peak * grid - (grid - m).square() / (2 * v)
        weight = torch.softmax(log, 0)
        expected = (weight * grid).sum().item()
        x_hat = m.expand(1, 1, 1, 1)
        found = Poisson(peak).condition(x_hat, v, value.expand(1, 1, 1, 1)).item()
        assert found == pytest.approx(expected, abs=tolerance)


def test_draws_have_the_moments_of_the_posterior() -> None:
    degradation, x_hat = Poisson(50.0), torch.full((1, 1, 200, 200), 0.5)
    y = torch.full_like(x_hat, 0.6)
    draws = degradation.draw(x_hat, 0.01, y, torch.Generator().manual_seed(0))
    mean = degradation.condition(x_hat, 0.01, y)[0, 0, 0, 0].item()
    assert draws.mean().item() == pytest.approx(mean, abs=2e-3)
    s = 0.55 / 50
    assert draws.var().item() == pytest.approx(0.01 * s / (0.01 + s), rel=0.1)


def test_each_image_may_have_a_light_of_its_own() -> None:
    each = PoissonNoise(torch.tensor([20.0, 200.0, 90.0]), torch.tensor([0.0, 0.02, 0.1]))
    check_noise(each, (3, 8, 8))
    same = PoissonNoise([20.0, 200.0, 90.0], np.array([0.0, 0.02, 0.1]))  # type: ignore[arg-type]
    assert torch.equal(same.variance(torch.ones(3, 1)), each.variance(torch.ones(3, 1)))
    scaled = each.scaled(torch.tensor([4.0, 1.0, 2.0]))
    u = torch.full((3, 1, 4, 4), 0.3)
    factors = torch.tensor([4.0, 1.0, 2.0]).view(3, 1, 1, 1)
    torch.testing.assert_close(scaled.variance(factors * u), factors**2 * each.variance(u))


@pytest.mark.parametrize("peak", [torch.tensor([30.0, -1.0]), torch.tensor([float("nan")]), torch.ones(2, 2)])
def test_light_that_cannot_be_is_refused(peak: torch.Tensor) -> None:
    with pytest.raises(OptionError, match="peak: expected a number above 0"):
        PoissonNoise(peak)
