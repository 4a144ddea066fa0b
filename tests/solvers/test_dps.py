"""Diffusion posterior sampling on a flow of Gaussian images, whose posterior is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gaussian_flow import BUILD, SHAPE, SIZE, Zero, flow, matrix, observe, posterior
from torch import Tensor, nn

import restora
from restora.degradations import AdditiveNoise, Blur, Degradation, Mask, Quantize
from restora.errors import OptionError, PairingError
from restora.priors import FlowPrior, GANPrior, GaussianPrior
from restora.random import generators
from restora.solvers import DPS, Step

RUNS = 200
EXACT = {"inner": 300, "tolerance": 1e-3}


def solve(prior: FlowPrior, degradation: Degradation, y: Tensor, **settings: Any) -> Step:
    *_, step = DPS(**settings).steps(y, degradation, prior, generators(1, len(y)))
    return step


def deviations(prior: FlowPrior, degradation: Degradation, **settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Draws for the first of two observations less the posterior mean, that mean, and the covariance."""
    y, first = observe(prior, degradation)[:1], degradation.take(torch.tensor([0]))
    step = solve(prior, first, y, runs=RUNS, **settings)
    assert step.samples is not None
    mean, covariance = posterior(prior, first, y)
    return step.samples[0, 1:].flatten(1) - mean, mean, covariance


@pytest.mark.parametrize(("name", "rank"), [*((name, 0) for name in BUILD), ("mask", 5), ("masks", 5)])
def test_draws_have_the_posterior_mean_and_covariance(name: str, rank: int) -> None:
    errors, _, covariance = deviations(flow(rank), BUILD[name](), iterations=10, **EXACT)
    std = covariance.diagonal().clamp(min=0).sqrt()
    assert (errors.mean(0).abs() < 5 * std / RUNS**0.5 + 2e-3).all()
    noise = ((std[:, None] * std[None]) ** 2 + covariance**2).div(RUNS).sqrt()
    found = errors.T @ errors / RUNS
    assert ((found - covariance).abs() < 6 * noise + 1e-4).all()
    spread = (2 / RUNS * covariance.square().sum()).sqrt() / covariance.trace()
    assert (found.trace() / covariance.trace() - 1).abs() < 4 * spread + 0.05


def test_more_steps_come_closer() -> None:
    bias = []
    for iterations in (3, 12):
        errors, _, covariance = deviations(flow(), AdditiveNoise(0.1), iterations=iterations, **EXACT)
        bias.append(abs(errors.square().sum(1).mean().item() / covariance.trace().item() - 1))
    assert bias[1] < 0.3 * bias[0]


@pytest.mark.parametrize("covariance", ["network", "isotropic"])
@pytest.mark.parametrize("name", BUILD)
def test_the_observation_is_explained(name: str, covariance: str) -> None:
    prior, degradation = flow(), BUILD[name]()
    y = observe(prior, degradation)
    step = solve(prior, degradation, y, covariance=covariance, iterations=8, runs=20)
    mean, _ = posterior(prior, degradation.take(torch.tensor([0])), y[:1])
    blind = (prior.gaussian.mean.flatten() - mean).norm()  # type: ignore[union-attr]
    assert (step.x[0].flatten() - mean).norm() < 0.65 * blind
    if degradation.sigma == 0:
        assert degradation.fidelity(step.x, y).max() < 1e-3


@pytest.mark.parametrize("covariance", ["network", "isotropic"])
def test_no_overshoot_where_images_vary_much(covariance: str) -> None:
    """A shade common to all pixels has the variance 48; with nu^2 < 1/4 in its place this explodes."""
    spread = 0.01 * torch.eye(3)[..., None, None].expand(-1, -1, 8, 8)
    gaussian = GaussianPrior(torch.full(SHAPE, 0.5), torch.full((1, *SHAPE), 0.5), spread)
    prior, degradation = FlowPrior(Zero(), gaussian).double(), Mask.center((8, 8), sigma=0.02)
    y = degradation.A(torch.full((1, *SHAPE), 0.9).double())
    x = solve(prior, degradation, y, covariance=covariance).x
    assert (x - 0.9).abs().max() < 0.1


class Bent(nn.Module):
    """A network that is not linear, with a symmetric gradient."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return 0.3 + 0.2 * torch.tanh(2 * x)


@pytest.mark.parametrize("covariance", ["network", "isotropic"])
def test_the_gradient_goes_through_the_network(covariance: Any) -> None:
    prior, t = FlowPrior(Bent(), form="denoiser", image_shape=SHAPE), 0.4
    degradation, n = Blur(width=1.0, sigma=0.05), 0.5 * (1 - t)
    w = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
    y = observe(flow(), degradation)[:1]
    J = torch.autograd.functional.jacobian(lambda w: prior.denoise(w, t), w).view(SIZE, SIZE)
    C = n**2 / t * J if covariance == "network" else (n / t) ** 2 * torch.eye(SIZE).double()
    A, x_hat = matrix(degradation.A), prior.denoise(w, t)
    residual = (y - degradation.A(x_hat)).flatten()
    inner = A @ C @ A.T + degradation.sigma**2 * torch.eye(SIZE).double()
    log_likelihood = -residual @ torch.linalg.solve(inner, residual) / 2
    (gradient,) = torch.autograd.grad(log_likelihood, w)
    found = DPS(covariance=covariance, inner=300, tolerance=1e-9).estimate(prior, degradation, y, w, t)
    torch.testing.assert_close(found, x_hat.detach() + n**2 / t * gradient, rtol=0, atol=1e-6)
    assert (found - x_hat).abs().max() > 1e-2


@pytest.mark.parametrize("covariance", ["network", "isotropic"])
def test_dequantised_values_stay_in_their_cells(covariance: str) -> None:
    prior, degradation = flow(), Quantize(5)
    assert prior.gaussian is not None
    truth = prior.gaussian.sample(2, generators(5, 2))
    y = degradation(truth)
    step = solve(prior, degradation, y, covariance=covariance, runs=4)
    assert degradation.fidelity(step.x, y).max() < 1e-12
    assert (step.x - truth).square().mean() < 0.8 * (y - truth).square().mean()


def test_through_restore() -> None:
    prior, degradation = flow(5).float(), BUILD["masks"]()
    y, method = observe(flow(5), degradation).float(), DPS(iterations=3)
    with torch.no_grad():  # as a user may have it
        result = restora.restore(y, degradation, prior=prior, method=method, samples=3, seed=4)
    assert (result.method, result.samples.shape) == ("dps", (2, 3, *SHAPE))
    assert result.std is not None
    one = degradation.take(torch.tensor([1]))
    alone = restora.restore(y[1:], one, prior=prior, method=method, samples=3, seed=5)
    torch.testing.assert_close(alone.samples[0], result.samples[1], rtol=0, atol=2e-3)
    torch.testing.assert_close(alone.std, result.std[1:], rtol=0, atol=2e-3)
    assert (result.samples[:, 1] - result.samples[:, 2]).abs().max() > 1e-2
    single = restora.restore(y, degradation, prior=prior, method="dps")
    assert (single.samples.shape[1], single.std, len(single.history)) == (1, None, 20)


def test_any_network_will_do() -> None:
    prior = FlowPrior(Bent(), form="denoiser", image_shape=SHAPE)
    y, mask = torch.rand(1, *SHAPE), Mask.center((8, 8))
    found = restora.restore(y, mask, prior=prior, method="dps").image
    torch.testing.assert_close(mask.A(found), mask.A(y))


def test_refusals(prior: GANPrior) -> None:
    y = torch.rand(1, *SHAPE)
    with pytest.raises(PairingError, match="solver 'dps' needs a FlowPrior"):
        restora.restore(y, AdditiveNoise(), prior=prior, method="dps")
    wrong: list[dict[str, Any]] = [{"iterations": 0}, {"runs": 0}, {"inner": 0}, {"tolerance": 1.0}]
    for settings in [*wrong, {"covariance": "prior"}]:
        with pytest.raises(OptionError, match=next(iter(settings))):
            DPS(**settings)
