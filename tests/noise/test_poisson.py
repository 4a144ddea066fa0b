"""Photon noise: its counts, its moments, and the posterior mean against the sum over counts."""

from __future__ import annotations

import pytest
import torch

from restora.degradations import Poisson


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
