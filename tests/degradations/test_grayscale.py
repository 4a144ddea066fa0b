from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_ndtr

from restora.degradations import Downsample, Grayscale
from restora.errors import ShapeError


def pixel(values: list[float] | np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float64).view(1, -1, 1, 1)


def test_luma_and_value() -> None:
    x = pixel([0.2, 0.5, 0.1])
    assert Grayscale().A(x).item() == pytest.approx(0.299 * 0.2 + 0.587 * 0.5 + 0.114 * 0.1)
    assert Grayscale("value").A(x).item() == 0.5
    assert Grayscale().linear
    assert not Grayscale("value").linear


def test_value_shares_its_subgradient_at_a_grey_image() -> None:
    x = torch.full((1, 3, 1, 1), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(Grayscale("value").A(x).sum(), x)
    torch.testing.assert_close(gradient, Grayscale("value").A_adjoint(torch.ones(1, 1, 1, 1)))


@pytest.mark.parametrize("gamma", [0.5, 10.0])
@pytest.mark.parametrize("y", [0.1, 0.45, 0.9])
def test_prox_of_value_by_search(gamma: float, y: float) -> None:
    z = [0.5, 0.42, 0.1]
    axis = torch.linspace(0, 1, 101, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis, axis)
    cost = gamma / 2 * (grid.amax(1) - y) ** 2 + (grid - torch.tensor(z)).square().sum(1) / 2
    x = Grayscale("value").prox_l2(pixel(z), pixel([y]), gamma).flatten()
    best = gamma / 2 * (x.max() - y) ** 2 + (x - torch.tensor(z)).square().sum() / 2
    assert best <= cost.min() + 1e-12
    torch.testing.assert_close(x, grid[cost.argmin()], rtol=0, atol=0.011)


@pytest.mark.parametrize("y", [0.3, 0.6, 0.9])
def test_condition_of_value_by_monte_carlo(y: float) -> None:
    m, std, slab = torch.tensor([0.5, 0.45, 0.2]).double(), 0.2, 0.004
    x = m + std * torch.randn(2_000_000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kept = x[(x.amax(1) - y).abs() < slab]
    mean = Grayscale("value").condition(pixel(m), std**2, pixel([y])).flatten()
    error = (mean - kept.mean(0)).abs()
    assert (error < 5 * kept.std(0) / len(kept) ** 0.5 + 1e-3 * std).all()


def posterior_mean(m: np.ndarray, std: float, y: float, sigma: float) -> np.ndarray:
    """E[x | max x + sigma e = y] by a fine sum over the maximum."""
    reach = 10 * (std + sigma)
    t = np.linspace(min(m.min(), y) - reach, max(m.max(), y) + reach, 100_001)
    u = (t - m[:, None]) / std
    log_cdf = log_ndtr(u)
    log_weight = -(u**2) / 2 + log_cdf.sum(0) - log_cdf - ((t - y) / sigma) ** 2 / 2
    weight = np.exp(log_weight - log_weight.max())
    below = m[:, None] - std * np.exp(-(u**2) / 2 - np.log(2 * np.pi) / 2 - log_cdf)
    total = [sum((weight[i] * (t if i == j else below[j])).sum() for i in range(3)) for j in range(3)]
    return np.array(total) / weight.sum()


@pytest.mark.parametrize("std", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("sigma", [0.01, 0.1, 1.0])
def test_condition_of_noisy_value_by_quadrature(std: float, sigma: float) -> None:
    m = np.array([0.5, 0.47, 0.2])
    for distance in (-6, -2, 0, 2, 6):
        y = m.max() + distance * np.hypot(std, sigma)
        mean = Grayscale("value", sigma=sigma).condition(pixel(m), std**2, pixel([y]))
        np.testing.assert_allclose(mean.flatten(), posterior_mean(m, std, y, sigma), rtol=0, atol=1e-3 * std)


@pytest.mark.parametrize("grey", ["luma", "value"])
def test_only_colour_images(grey: str) -> None:
    with pytest.raises(ShapeError, match="RGB"):
        Grayscale(grey).A(torch.zeros(2, 1, 4, 4))
    with pytest.raises(ShapeError, match="grey"):
        Grayscale(grey).image_shape((3, 4, 4))


def test_downsample_averages_boxes_of_images_that_divide() -> None:
    x = torch.rand(1, 3, 8, 12, dtype=torch.float64)
    expected = x.view(1, 3, 2, 4, 3, 4).mean((3, 5))
    torch.testing.assert_close(Downsample(4).A(x), expected)
    with pytest.raises(ShapeError, match=r"divide by 4.*crop it to 8x8"):
        Downsample(4).A(torch.zeros(1, 3, 8, 11))
