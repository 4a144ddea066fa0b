"""The Gaussian prior: its covariance as a matrix, its draws, and its form in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from restora.errors import ShapeError
from restora.priors import GaussianPrior, load_prior, store
from restora.random import generators

SHAPE = (3, 6, 4)
SIZE = 72


def prior_of(rank: int, seed: int = 0) -> GaussianPrior:
    generator = torch.Generator().manual_seed(seed)
    mean = 0.3 + 0.4 * torch.rand(SHAPE, generator=generator)
    factors = 0.1 * torch.randn(rank, *SHAPE, generator=generator)
    spread = 0.05 * torch.randn(3, *SHAPE, generator=generator)
    return GaussianPrior(mean, factors, spread).double()


def dense(prior: GaussianPrior) -> Tensor:
    """S written out: cosines by their formula, entry by entry."""
    bases = []
    for size in SHAPE[1:]:
        k, n = torch.arange(size).double()[:, None], torch.arange(size).double()[None]
        basis = torch.cos(torch.pi * k * (n + 0.5) / size)
        bases.append(basis / basis.norm(dim=1, keepdim=True))
    T = torch.kron(torch.eye(3).double(), torch.kron(*bases))
    middle = torch.zeros(3, 24, 3, 24).double()
    for k in range(24):
        L = prior.spread.flatten(2)[:, :, k]
        middle[:, k, :, k] = L @ L.T
    F = prior.factors.flatten(1)
    return F.T @ F + T.T @ middle.view(SIZE, SIZE) @ T


@pytest.mark.parametrize("rank", [0, 4])
def test_the_covariance_is_the_operator(rank: int) -> None:
    prior = prior_of(rank)
    matrix = prior.covariance(torch.eye(SIZE).double().view(SIZE, *SHAPE)).flatten(1)
    torch.testing.assert_close(matrix, dense(prior))
    torch.testing.assert_close(matrix, matrix.T)
    assert torch.linalg.eigvalsh(matrix).min() > -1e-12


@pytest.mark.parametrize("rank", [0, 4])
def test_draws_have_mean_and_covariance(rank: int) -> None:
    prior, count = prior_of(rank), 20_000
    draws = prior.deviation(count, torch.Generator().manual_seed(1)).flatten(1)
    expected = dense(prior)
    std = expected.diagonal().sqrt()
    assert (draws.mean(0) / std * count**0.5).abs().max() < 5
    noise = ((std[:, None] * std[None]) ** 2 + expected**2).div(count).sqrt()
    assert ((draws.T @ draws / count - expected) / noise).abs().max() < 6
    assert (prior.sample(3) - prior.mean).abs().max() > 0


def test_each_draw_has_its_own_stream() -> None:
    prior = prior_of(4)
    together = prior.sample(3, generators(5, 3))
    torch.testing.assert_close(prior.sample(1, generators(6, 1)), together[1:2])
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("rank", [0, 4])
def test_round_trip_in_half_precision(rank: int, tmp_path: Path) -> None:
    prior = prior_of(rank).float()
    prior.factors *= 1e-3  # squared, half precision would lose them
    prior.spread *= 1e-3
    store.save(tmp_path / "stored", prior, {})
    loaded = load_prior(tmp_path / "stored")
    assert isinstance(loaded, GaussianPrior)
    assert (loaded.rank, loaded.image_shape) == (rank, SHAPE)
    first, second = dense(prior.double()), dense(loaded.double())
    torch.testing.assert_close(first, second, rtol=0, atol=2e-3 * first.diagonal().max().item())


def test_parts_that_do_not_fit() -> None:
    mean = torch.zeros(SHAPE)
    for factors, spread in [((2, 3, 6, 5), (3, *SHAPE)), ((0, *SHAPE), SHAPE), (SHAPE, (3, *SHAPE))]:
        with pytest.raises(ShapeError, match="a GaussianPrior takes mean"):
            GaussianPrior(mean, torch.zeros(factors), torch.zeros(spread))


def test_a_stationary_gaussian_has_any_size() -> None:
    """Its covariance between near pixels stays what it is, whatever the size."""
    frequency = (torch.arange(32.0)[:, None] ** 2 + torch.arange(32.0)[None] ** 2).sqrt() / 64
    spread = (0.3 * torch.eye(3) + 0.1)[..., None, None] / (1 + (20 * frequency) ** 2)
    mean = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    small = GaussianPrior(mean, torch.zeros(0, 3, 32, 32), spread).stationary()
    large = small.sized(48, 80)
    assert large.image_shape == (3, 48, 80)
    torch.testing.assert_close(large.mean[:, 5, 7], mean.mean((1, 2)))
    torch.testing.assert_close(small.sized(32, 32).spread, small.spread)

    def around(prior: GaussianPrior) -> torch.Tensor:
        _, height, width = prior.image_shape
        impulse = torch.zeros(1, 3, height, width)
        impulse[0, 1, height // 2, width // 2] = 1
        answer = prior.covariance(impulse)[0]
        return answer[:, height // 2 - 4 : height // 2 + 5, width // 2 - 4 : width // 2 + 5]

    found, expected = around(large), around(small)
    assert (found - expected).abs().max() < 0.03 * expected.abs().max()


def test_directions_tie_a_gaussian_to_its_size() -> None:
    prior = GaussianPrior(torch.zeros(1, 4, 4), torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    assert prior.sized(4, 4) is prior
    with pytest.raises(ShapeError, match="makes 4x4 images only"):
        prior.sized(8, 8)
    with pytest.raises(ShapeError, match="1 directions"):
        prior.stationary()
