from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import ks_2samp

from restora.degradations import Quantize
from restora.noise import Rounding
from restora.noise.truncated import truncated_mean


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


@pytest.mark.parametrize("levels", [2, 3, 5, 256])
def test_nearest_level_by_search(levels: int) -> None:
    x = torch.rand(1, 3, 16, 16, dtype=torch.float64) * 1.4 - 0.2
    grid = torch.linspace(0, 1, levels, dtype=torch.float64)
    nearest = grid[(x[..., None] - grid).abs().argmin(-1)]
    torch.testing.assert_close(Quantize(levels)(x), nearest)


def test_cells_of_a_file_of_8_bits() -> None:
    file = torch.tensor([0, 64, 128, 191, 255], dtype=torch.float64).view(1, 1, 1, 5) / 255
    low, high = Rounding(5).cell(file)
    torch.testing.assert_close(low, tensor(0, 0.125, 0.375, 0.625, 0.875))
    torch.testing.assert_close(high, tensor(0.125, 0.375, 0.625, 0.875, 1))


def test_distance() -> None:
    x, y = tensor(0.1, 0.5, 0.7, -0.1), tensor(0.25, 0.5, 0.5, 0.0)
    assert Quantize().fidelity(x, y, p=1).item() == pytest.approx(0.025 + 0 + 0.075 + 0.1)
    assert Quantize(distance="identity").fidelity(x, y, p=1).item() == pytest.approx(0.15 + 0 + 0.2 + 0.1)


@settings(max_examples=150, deadline=None)
@given(
    mean=st.floats(-2, 3),
    std=st.floats(1e-3, 2),
    low=st.floats(0, 1),
    width=st.floats(0.01, 0.5),
    up=st.booleans(),
)
def test_truncated_mean_against_quadrature(
    mean: float, std: float, low: float, width: float, up: bool
) -> None:
    low, high = (low, low + width) if up else (-low - width, -low)
    nearest = min(max(mean, low), high)

    def density(x: float) -> float:
        return np.exp((nearest - mean) ** 2 / (2 * std**2) - (x - mean) ** 2 / (2 * std**2))

    # The mass lies within a few scales of the end nearest to the mean.
    scale = min(std, std**2 / abs(nearest - mean)) if nearest != mean else std
    near = [p for k in (1, 5, 20, 60) for p in (nearest - k * scale, nearest + k * scale) if low < p < high]
    mass = quad(density, low, high, points=near or None, limit=400)[0]
    shift = quad(lambda x: (x - nearest) * density(x), low, high, points=near or None, limit=400)[0]
    for dtype, tolerance in ((torch.float64, 1e-7), (torch.float32, 2e-6 + 1e-6 * std**2 / width)):
        ends = (torch.tensor(v, dtype=dtype) for v in (mean, std, low, high))
        result = truncated_mean(*ends).item()
        assert result == pytest.approx(nearest + shift / mass, abs=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("std", [1e-6, 1e-3, 1.0, 1e3])
def test_condition_stays_in_the_cell(dtype: torch.dtype, std: float) -> None:
    d = Quantize(5)
    y = d(torch.rand(1, 3, 32, 32, dtype=dtype))
    x_hat = torch.rand(1, 3, 32, 32, dtype=dtype) * 20 - 10
    low, high = d.noise.cell(y)
    mean = d.condition(x_hat, std**2, y)
    assert ((mean >= low) & (mean <= high)).all()
    if std == 1e-6:
        torch.testing.assert_close(mean, torch.minimum(torch.maximum(x_hat, low), high), rtol=0, atol=1e-5)
    if std == 1e3:
        torch.testing.assert_close(
            mean, (low + high) / 2, rtol=0, atol=2e-1 if dtype == torch.float32 else 1e-4
        )


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("level", [0.0, 0.25, 0.5, 1.0])
def test_condition_by_rejection(sigma: float, level: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x_hat, std = 0.4, 0.3
    x = x_hat + std * torch.randn(1_000_000, generator=generator, dtype=torch.float64)
    u = x + sigma * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    d = Quantize(5, sigma=sigma)
    kept = x[(Rounding(5).snap(u) == level) & ((sigma > 0) | ((x >= 0) & (x <= 1)))]
    mean = d.condition(tensor(x_hat), std**2, tensor(level)).item()
    assert mean == pytest.approx(kept.mean().item(), abs=5 * kept.std().item() / len(kept) ** 0.5)


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_draws_by_rejection(sigma: float, level: float) -> None:
    generator, x_hat, std = torch.Generator().manual_seed(0), 0.4, 0.3
    x = x_hat + std * torch.randn(500_000, generator=generator, dtype=torch.float64)
    d, count = Quantize(5, sigma=sigma), 20_000
    u = x + sigma * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    kept = x[(Rounding(5).snap(u) == level) & ((sigma > 0) | ((x >= 0) & (x <= 1)))]
    centre, y = (torch.full((1, 1, 1, count), v, dtype=torch.float64) for v in (x_hat, level))
    draws = d.draw(centre, std**2, y, torch.Generator().manual_seed(1)).flatten()
    assert ks_2samp(draws.numpy(), kept.numpy()).pvalue > 1e-3
    assert torch.equal(d.draw(centre, 0.0, y), centre)


def test_dither_comes_before_rounding() -> None:
    y = Quantize(5, sigma=0.1).forward(torch.full((1, 3, 64, 64), 0.4), torch.Generator().manual_seed(0))
    assert set(y.unique().tolist()) <= {0, 0.25, 0.5, 0.75, 1}
    assert len(y.unique()) >= 3
    assert y.mean().item() == pytest.approx(0.4, abs=0.02)
