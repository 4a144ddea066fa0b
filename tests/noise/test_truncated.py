"""Draws of a normal variable held to an interval, against scipy; the mean is tested with the quantiser."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, truncnorm

from restora.noise import GaussianNoise, PoissonNoise
from restora.noise.truncated import truncated_draw, truncated_mean

INF = math.inf
CASES = [
    (0.0, 1.0, -1.0, 1.0),
    (0.4, 0.3, 0.375, 0.625),
    (0.0, 1.0, -INF, INF),
    (0.0, 1.0, -2.0, INF),
    (0.0, 1.0, 4.0, INF),
    (0.0, 1.0, -INF, -9.0),
    (0.0, 1.0, -5.5, 3.0),
    (0.0, 1.0, -5.1, -4.9),
    (0.0, 1.0, 30.0, 40.0),
    (0.0, 1.0, -40.0, -39.99),
    (2.0, 0.05, 0.125, 0.375),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("mean", "std", "low", "high"), CASES)
def test_distribution(mean: float, std: float, low: float, high: float, dtype: torch.dtype) -> None:
    count = 20_000
    noise = torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=dtype)
    ends = [torch.tensor(value, dtype=dtype).expand(count) for value in (mean, std, low, high)]
    x = truncated_draw(*ends, noise)
    assert x.dtype == dtype
    exact = truncnorm((low - mean) / std, (high - mean) / std, loc=mean, scale=std)
    rounding = torch.finfo(dtype).eps * max(1, abs(exact.mean()))
    assert x.double().mean().item() == pytest.approx(
        exact.mean(), abs=5 * exact.std() / count**0.5 + rounding
    )
    assert x.double().std().item() == pytest.approx(exact.std(), rel=0.04)
    assert kstest(x.double().numpy(), exact.cdf).pvalue > 1e-3
    if low == -INF and high == INF:
        torch.testing.assert_close(x, mean + std * noise)


@settings(max_examples=300, deadline=None)
@given(
    mean=st.floats(-100, 100),
    std=st.floats(1e-6, 1e3),
    low=st.floats(-1, 1),
    width=st.one_of(st.floats(1e-5, 2), st.just(INF)),
    noise=st.floats(-9, 9),
    up=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_within_the_interval_and_growing_with_the_noise(
    mean: float, std: float, low: float, width: float, noise: float, up: bool, dtype: torch.dtype
) -> None:
    ends = (low, low + width) if up else (-low - width, -low)
    m, s, lo, hi = (torch.tensor(value, dtype=dtype).expand(3) for value in (mean, std, *ends))
    x = truncated_draw(m, s, lo, hi, torch.tensor([noise - 0.5, noise, noise + 0.5], dtype=dtype))
    assert x.isfinite().all()
    assert ((x >= lo) & (x <= hi)).all()
    assert (x.diff() >= -1e-9 * s[:2]).all()


@settings(max_examples=50, deadline=None)
@given(mean=st.floats(-3, 4), std=st.floats(1e-2, 2), low=st.floats(0, 1), width=st.floats(0.01, 0.5))
def test_mean_of_evenly_spread_draws(mean: float, std: float, low: float, width: float) -> None:
    share = (torch.arange(4000).double() + 0.5) / 4000
    m, s, lo, hi = torch.tensor([mean, std, low, low + width]).double()
    x = truncated_draw(m, s, lo, hi, torch.special.ndtri(share))
    assert x.mean().item() == pytest.approx(truncated_mean(m, s, lo, hi).item(), abs=1e-3 * width)


def test_what_a_file_cut_is_put_back_on_average() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 400, 400, generator=generator).double() * 0.2
    noisy = x + 0.1 * torch.randn(x.shape, generator=generator).double()
    cut = noisy.clamp(0, 1)
    back = GaussianNoise(0.1).unclipped(cut, x)
    assert torch.equal(back[cut > 0], cut[cut > 0])
    assert (back[cut == 0] < 0).all()
    assert abs((back - noisy).mean()) < 5 * (back - noisy).std() / 400
    assert abs((cut - noisy).mean()) > 20 * abs((back - noisy).mean())
    assert torch.equal(GaussianNoise(0.1).unclipped(noisy, x), noisy)  # nothing was cut
    torch.testing.assert_close(1 - GaussianNoise(0.1).unclipped(1 - cut, 1 - x), back)
    photons = PoissonNoise(20.0).unclipped(cut, x)
    assert torch.equal(photons, cut)  # counts are not cut at 0
