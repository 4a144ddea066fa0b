"""Truncated singular values against known answers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from restora.degradations import AdditiveNoise
from restora.random import generators
from restora.solvers import LowRank
from restora.solvers.low_rank import TruncatedNuclearNorm, shrink


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_values(values: list[float], columns: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    left = torch.linalg.qr(noise(0, len(values), len(values))).Q
    right = torch.linalg.qr(noise(1, columns, columns)).Q[: len(values)]
    return left @ torch.tensor(values).double().diag() @ right, left, right


def test_shrink_keeps_the_largest_and_shortens_the_rest() -> None:
    M, left, right = with_values([5, 3, 2.5, 1])
    for rank, expected in (
        (0, [3, 1, 0.5, 0]),
        (1, [5, 1, 0.5, 0]),
        (2, [5, 3, 0.5, 0]),
        (4, [5, 3, 2.5, 1]),
    ):
        target = left @ torch.tensor(expected).double().diag() @ right
        torch.testing.assert_close(shrink(M[None], 2.0, rank)[0], target)
    torch.testing.assert_close(shrink(M[None], 0.0, 1)[0], M)


@given(st.integers(0, 10_000), st.integers(0, 3), st.floats(0.01, 5))
@settings(deadline=None, max_examples=20)
def test_shrink_is_the_minimum(seed: int, rank: int, threshold: float) -> None:
    M = noise(seed, 1, 4, 6)

    def objective(N: Tensor) -> Tensor:
        return threshold * torch.linalg.svdvals(N)[:, rank:].sum() + (N - M).square().sum() / 2

    best = shrink(M, threshold, rank)
    for i in range(20):
        assert objective(best) <= objective(best + 0.1 * noise(seed + i, 1, 4, 6)) + 1e-9
    assert objective(best) <= min(objective(M), objective(0 * M)) + 1e-9


def test_the_value_is_the_sum_of_what_is_beyond_the_rank() -> None:
    x = noise(2, 2, 3, 11, 9)
    values = torch.linalg.svdvals(F.unfold(x, 6))
    torch.testing.assert_close(
        TruncatedNuclearNorm(x, 4).value(x), values[:, 4:].sum(1), rtol=1e-6, atol=1e-6
    )
    small = x[..., :4, :5]  # no larger patch fits
    values = torch.linalg.svdvals(F.unfold(small, 4))
    torch.testing.assert_close(
        TruncatedNuclearNorm(small, 1).value(small), values[:, 1:].sum(1), atol=1e-6, rtol=0
    )


def test_at_its_rank_an_image_costs_nothing_and_stays() -> None:
    """A ramp in each channel: patches are a constant and one slope, so of rank 2."""
    x = (0.3 * torch.arange(12).view(-1, 1) + torch.arange(10)).double().expand(1, 3, 12, 10) / 20
    assert TruncatedNuclearNorm(x, 2).value(x).item() < 1e-4
    assert TruncatedNuclearNorm(x, 1).value(x).item() > 0.1
    regularizer = TruncatedNuclearNorm(x, 2)
    for _ in range(5):
        z = regularizer.prox(x, 3.0)
    torch.testing.assert_close(z, x, rtol=0, atol=1e-6)


def test_noise_on_a_ramp_is_all_but_gone() -> None:
    x = (torch.arange(32).view(-1, 1) + torch.arange(32)).expand(1, 3, 32, 32) / 64
    y = x + 0.1 * noise(3, 1, 3, 32, 32).float()
    *_, last = LowRank(rank=2).steps(y, AdditiveNoise(0.1), None, generators(0, 1))
    assert (last.x - x).square().mean().sqrt() < 0.02
    # A rank too high keeps noise, so the setting is used.
    *_, high = LowRank(rank=60).steps(y, AdditiveNoise(0.1), None, generators(0, 1))
    assert (high.x - x).square().mean().sqrt() > 0.04
