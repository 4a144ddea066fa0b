"""Flower on a flow of Gaussian images, whose posterior is known: every mean and every covariance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gaussian_flow import BUILD, SHAPE, Zero, flow, observe, posterior
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Degradation, Mask, Quantize
from restora.errors import OptionError, PairingError
from restora.priors import FlowPrior, GANPrior, GaussianPrior
from restora.random import generators
from restora.solvers import Flower, Step

RUNS = 400


def solve(prior: FlowPrior, degradation: Degradation, y: Tensor, **settings: Any) -> Step:
    *_, step = Flower(**settings).steps(y, degradation, prior, generators(1, len(y)))
    return step


def scaled(gaussian: GaussianPrior, by: float) -> GaussianPrior:
    """Grey in the mean, and with all standard deviations times `by`."""
    return GaussianPrior(torch.full_like(gaussian.mean, 0.5), gaussian.factors * by, gaussian.spread * by)


def draws_of(step: Step) -> Tensor:
    """The runs of the first image, (runs, d)."""
    assert step.samples is not None
    return step.samples[0, 1:].flatten(1)


@pytest.mark.parametrize("rank", [0, 5])
@pytest.mark.parametrize("name", BUILD)
def test_samples_have_the_posterior_mean_and_covariance(name: str, rank: int) -> None:
    prior, degradation = flow(rank), BUILD[name]()
    y = observe(prior, degradation)
    first = degradation.take(torch.tensor([0]))
    draws = draws_of(solve(prior, first, y[:1], iterations=4, runs=RUNS, refine="sample"))
    mean, covariance = posterior(prior, first, y[:1])
    std = covariance.diagonal().clamp(min=0).sqrt()
    assert ((draws.mean(0) - mean).abs() < 5 * std / RUNS**0.5 + 2e-3).all()
    errors = draws - mean
    noise = ((std[:, None] * std[None]) ** 2 + covariance**2).div(RUNS).sqrt()
    assert ((errors.T @ errors / RUNS - covariance).abs() < 6 * noise + 1e-4).all()


@pytest.mark.parametrize("name", BUILD)
def test_the_mean_of_many_runs_is_the_posterior_mean(name: str) -> None:
    prior, degradation = flow(), BUILD[name]()
    y = observe(prior, degradation)
    step = solve(prior, degradation, y, iterations=8, runs=50)
    for i in range(2):
        mean, covariance = posterior(prior, degradation.take(torch.tensor([i])), y[i : i + 1])
        std = covariance.diagonal().clamp(min=0).sqrt()
        assert ((step.x[i].flatten() - mean).abs() < 5 * std / 50**0.5 + 2e-3).all()


def test_runs_of_means_vary_too_little_by_a_known_factor() -> None:
    white = torch.eye(3)[:, :, None, None].expand(-1, -1, 8, 8)
    prior = FlowPrior(Zero(), GaussianPrior(torch.zeros(SHAPE), torch.zeros(0, *SHAPE), white))
    degradation = Mask.center((8, 8))
    for refine, expected in (("mean", 0.45), ("sample", 1.0)):
        step = solve(prior, degradation, torch.zeros(1, *SHAPE), runs=200, refine=refine)
        hidden = draws_of(step).view(-1, *SHAPE)[:, :, 2:6, 2:6]
        assert hidden.var(0).mean().item() == pytest.approx(expected, rel=0.06)
        assert step.std is not None
        torch.testing.assert_close(step.std[0, :, 2:6, 2:6], hidden.std(0))
        assert step.std[0, :, 0].max() < 1e-2


def test_denoising_takes_one_evaluation() -> None:
    prior, degradation = flow(5), AdditiveNoise(0.1)
    y = observe(prior, degradation)
    (step,) = Flower().steps(y, degradation, prior, generators(0, 2))
    mean, _ = posterior(prior, degradation, y[1:])
    torch.testing.assert_close(step.x[1].flatten(), mean, rtol=0, atol=1e-5)
    several = solve(prior, degradation, y, runs=2, iterations=3)
    torch.testing.assert_close(several.x, step.x)
    nothing = solve(prior, AdditiveNoise(0.0), y)
    torch.testing.assert_close(nothing.x, y, rtol=0, atol=1e-3)


@pytest.mark.parametrize("covariance", ["prior", "isotropic"])
@pytest.mark.parametrize("name", BUILD)
def test_the_observation_is_explained(name: str, covariance: str) -> None:
    prior, degradation = flow(), BUILD[name]()
    y = observe(prior, degradation)
    step = solve(prior, degradation, y, runs=3, covariance=covariance)
    mean, _ = posterior(prior, degradation.take(torch.tensor([0])), y[:1])
    blind = (prior.gaussian.mean.flatten() - mean).norm()  # type: ignore[union-attr]
    assert (step.x[0].flatten() - mean).norm() < 0.6 * blind
    if degradation.sigma == 0:
        assert degradation.fidelity(step.x, y).max() < 1e-3


@pytest.mark.parametrize("covariance", ["prior", "isotropic"])
def test_dequantised_values_stay_in_their_cells(covariance: str) -> None:
    prior, degradation = flow(), Quantize(5)
    assert prior.gaussian is not None
    truth = prior.gaussian.sample(2, generators(5, 2))
    y = degradation(truth)
    step = solve(prior, degradation, y, covariance=covariance)
    assert degradation.fidelity(step.x, y).max() < 1e-12
    assert (step.x - truth).square().mean() < 0.8 * (y - truth).square().mean()


@pytest.mark.parametrize("covariance", ["prior", "isotropic"])
@pytest.mark.parametrize("refine", ["sample", "mean"])
def test_spread_of_dequantised_draws(covariance: str, refine: str) -> None:
    prior, degradation, count = flow(), Quantize(5), 40
    assert prior.gaussian is not None
    truth = 0.5 + 0.2 * prior.gaussian.deviation(count, generators(5, count))
    prior = FlowPrior(Zero(), scaled(prior.gaussian, 0.2)).double()
    y = degradation(truth)
    step = solve(prior, degradation, y, runs=8, covariance=covariance, refine=refine)
    assert step.samples is not None
    assert step.std is not None
    assert degradation.fidelity(step.samples[:, 1], y).max() < 1e-12
    error = (step.x - truth).square().mean().div(1 + 1 / 8).sqrt()
    ratio = (step.std.square().mean().sqrt() / error).item()
    if covariance == "prior":  # nu^2 I is far too wide for images that vary as little as these
        low, high = {"sample": (0.85, 1.05), "mean": (0.3, 0.6)}[refine]
        assert low < ratio < high


def test_uncertainty_is_of_runs_with_the_right_spread() -> None:
    assert Flower().for_uncertainty() == Flower(runs=8, refine="sample")
    assert Flower(runs=3).for_uncertainty() == Flower(runs=3, refine="sample")
    assert Flower(runs=3).for_uncertainty(5) == Flower(runs=5, refine="sample")
    prior, degradation = flow(5), BUILD["mask"]()
    y = observe(prior, degradation)
    result = restora.restore(y, degradation, prior=prior, uncertainty=True)
    assert result.samples.shape[1] == 1
    _, covariance = posterior(prior, degradation, y[:1])
    assert result.std is not None
    predicted = result.std[0].square().mean().sqrt().item()
    assert predicted == pytest.approx(covariance.diagonal().mean().sqrt().item(), rel=0.1)


@pytest.mark.parametrize("settings", [{}, {"refine": "sample"}, {"covariance": "isotropic"}])
def test_through_restore(settings: dict[str, str]) -> None:
    prior, degradation = flow(5).float(), BUILD["masks"]()
    y = observe(flow(5), degradation).float()
    method = Flower(iterations=3, **settings)  # type: ignore[arg-type]
    result = restora.restore(y, degradation, prior=prior, method=method, samples=3, seed=4)
    assert (result.method, result.samples.shape) == ("flower", (2, 3, *SHAPE))
    assert result.std is not None
    assert result.std.shape == (2, *SHAPE)
    one = degradation.take(torch.tensor([1]))
    alone = restora.restore(y[1:], one, prior=prior, method=method, samples=3, seed=5)
    torch.testing.assert_close(alone.samples[0], result.samples[1], rtol=0, atol=2e-3)
    assert (result.samples[:, 1] - result.samples[:, 2]).abs().max() > 1e-2
    single = restora.restore(y, degradation, prior=prior, method="flower")
    assert (single.method, single.std, len(single.history)) == ("flower", None, 20)


def test_any_network_will_do() -> None:
    prior = FlowPrior(Zero(), form="denoiser", image_shape=SHAPE)
    y = torch.rand(1, *SHAPE)
    with pytest.raises(PairingError, match=r"has no Gaussian.*covariance=isotropic"):
        restora.restore(y, Mask.center((8, 8)), prior=prior, method=Flower(covariance="prior"))
    for covariance in ("auto", "isotropic"):
        method = Flower(iterations=2, covariance=covariance)
        found = restora.restore(y, Mask.center((8, 8)), prior=prior, method=method).image
        torch.testing.assert_close(found, Mask.center((8, 8)).A(y))


def test_refusals(prior: GANPrior) -> None:
    y = torch.rand(1, *SHAPE)
    with pytest.raises(PairingError, match="solver 'flower' needs a FlowPrior"):
        restora.restore(y, AdditiveNoise(), prior=prior, method="flower")
    wrong: list[dict[str, Any]] = [{"iterations": 0}, {"runs": 0}, {"tolerance": 0.0}, {"refine": "x"}]
    for settings in [*wrong, {"covariance": "x"}]:
        with pytest.raises(OptionError, match=next(iter(settings))):
            Flower(**settings)
