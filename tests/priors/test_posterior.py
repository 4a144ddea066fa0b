"""What an observation tells were images Gaussian, against the closed form."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "solvers"))
from gaussian_flow import BUILD, flow, observe
from gaussian_flow import posterior as exact

from restora.degradations import JPEG, AdditiveNoise, Degradation, Mask
from restora.gaussian.wiener import Wiener
from restora.noise import GaussianNoise
from restora.operators import Identity
from restora.priors.conventions import SCALE
from restora.priors.gaussian import GaussianPrior
from restora.priors.posterior import Posterior, posterior
from restora.random import generators


def seen(degradation: Degradation, y: torch.Tensor, rank: int = 0, seed: int = 0) -> Posterior:
    prior = flow(rank)
    assert prior.gaussian is not None
    assert prior.wiener is not None
    return posterior(y, degradation, prior.gaussian, prior.wiener, generators(seed, len(y)), 1e-6)


@pytest.mark.parametrize("task", BUILD)
def test_linear_is_the_posterior_mean(task: str) -> None:
    prior, degradation = flow(), BUILD[task]().double()
    y = observe(prior, degradation)
    found = seen(degradation, y)
    for i in range(2):
        mean, _ = exact(prior, degradation.take(torch.tensor([i])), y[i, None])
        torch.testing.assert_close(found.linear[i].flatten(), mean, rtol=0, atol=1e-3)


@pytest.mark.parametrize("task", ["mask", "downsample", "blur"])
def test_draws_have_the_covariance_of_the_error(task: str) -> None:
    prior, degradation = flow(), BUILD[task]().double()
    y = observe(prior, degradation)[:1]
    _, covariance = exact(prior, degradation.take(torch.tensor([0])), y)
    many = seen(degradation, y.expand(2000, *y.shape[1:]))
    e = (many.draw * many.error.view(-1, 1, 1, 1)).flatten(1)
    assert e.mean(0).abs().max() < 4 * (covariance.diagonal().max() / 2000).sqrt()
    torch.testing.assert_close(e.T @ e / 2000, covariance, rtol=0, atol=0.15 * covariance.max().item())
    variances = covariance.diagonal()
    expected = (variances.square().sum() / variances.sum()).sqrt()
    assert many.error.square().mean().sqrt() == pytest.approx(expected.item(), rel=0.05)


def test_white_noise_is_what_a_flow_sees() -> None:
    """L and the residual are those of the flow's own network at the level of the noise."""
    sigma, prior = 0.1, flow()
    y = observe(prior, AdditiveNoise(sigma).double()).repeat(200, 1, 1, 1)
    found = seen(AdditiveNoise(sigma).double(), y)
    t = 1 / (1 + sigma / prior.scale)
    assert found.level.mean().item() == pytest.approx(t, abs=0.01)
    level = torch.full((len(y),), t).double()
    expected = prior.precondition(t * y, level).input
    known, residual = found.input()[:, :6].split(3, 1)
    torch.testing.assert_close(known, expected[:, :3], rtol=0, atol=1e-3)
    slope = (residual * expected[:, 3:]).sum() / expected[:, 3:].square().sum()
    assert slope.item() == pytest.approx(1, abs=0.05)


def test_what_is_known_exactly_has_no_error() -> None:
    mask = Mask(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    found = seen(mask, observe(flow(), mask))
    hidden = mask.mask.expand(2, 3, 8, 8) == 0
    assert found.draw[~hidden].abs().max() < 1e-4
    assert found.draw[hidden].abs().mean() > 0.5


def test_a_hole_is_the_same_in_a_larger_image() -> None:
    """The size of its error does not depend on what is known around it."""
    found = []
    for side in (16, 64):
        spread = 0.3 * torch.eye(3)[..., None, None].expand(3, 3, side, side)
        mean = torch.full((3, side, side), 0.5)
        gaussian = GaussianPrior(mean, torch.zeros(0, *mean.shape), spread).double()
        mask = torch.ones(1, 1, side, side)
        mask[..., 4:8, 4:8] = 0
        degradation = Mask(mask).double()
        y = degradation(torch.full((500, 3, side, side), 0.5).double(), generators(0, 500))
        wiener = Wiener(gaussian.mean, gaussian.covariance, SCALE)
        found.append(posterior(y, degradation, gaussian, wiener, generators(1, 500), 1e-6))
    small, large = found
    assert small.error.mean().item() == pytest.approx(large.error.mean().item(), rel=0.05)
    assert small.error.mean().item() == pytest.approx(0.3, rel=0.05)


def test_the_sign_of_the_draw() -> None:
    found = seen(BUILD["blur"]().double(), observe(flow(), BUILD["blur"]().double()))
    assert torch.equal(found.input(-1)[:, 6:], -found.input()[:, 6:])
    assert torch.equal(found.input(-1)[:, :6], found.input()[:, :6])


def test_images_do_not_depend_on_their_batch() -> None:
    degradation = BUILD["masks"]().double()
    y = observe(flow(), degradation)
    both = seen(degradation, y)
    one = seen(degradation.take(torch.tensor([1])), y[1:], seed=1)
    for a, b in zip(both.rows(slice(1, 2)), one, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_noise_that_differs_from_value_to_value() -> None:
    """Where it is large y counts less, and infinite noise does no harm."""
    sigma = torch.full((1, 3, 8, 8), 0.02).double()
    sigma[..., 4:] = torch.inf
    degradation = Degradation(Identity(), GaussianNoise(sigma))
    y = 0.5 + 0.1 * torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    found = seen(degradation, y)
    assert all(part.isfinite().all() for part in found)
    assert found.draw[..., 4:].square().mean() > 4 * found.draw[..., :4].square().mean()


def test_shared_chroma_needs_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw of noise that the coefficients cannot have made would take hundreds."""
    from restora.gaussian import system

    calls = []
    solve = system.conjugate_gradient

    def counted(M, b, *args, **kwargs):  # type: ignore[no-untyped-def]
        return solve(lambda v: calls.append(1) or M(v), b, *args, **kwargs)

    monkeypatch.setattr(system, "conjugate_gradient", counted)
    degradation = JPEG(10, "4:2:0")
    prior = flow(0).float().sized(8, 8)
    assert prior.gaussian is not None
    assert prior.wiener is not None
    y = degradation(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    posterior(y, degradation, prior.gaussian, prior.wiener, generators(0, 1), 0.02)
    assert 0 < len(calls) < 60
