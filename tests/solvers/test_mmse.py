"""The posterior mean, on a flow of Gaussian images, whose posterior is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gaussian_flow import BUILD, SHAPE, flow, observe, posterior
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Degradation, Mask, Poisson, Quantize, lmmse
from restora.errors import OptionError
from restora.priors import FlowPrior
from restora.random import generators
from restora.solvers import MMSE, Flower


def solve(prior: FlowPrior, degradation: Degradation, y: Tensor, **settings: Any) -> Tensor:
    *_, step = MMSE(**settings).steps(y, degradation, prior, generators(1, len(y)))
    return step.x


@pytest.mark.parametrize("rank", [0, 5])
@pytest.mark.parametrize("name", BUILD)
def test_it_is_the_posterior_mean(name: str, rank: int) -> None:
    prior, degradation = flow(rank), BUILD[name]()
    y = observe(prior, degradation)
    found = solve(prior, degradation, y, tolerance=1e-5, draws=1)
    for i in range(2):
        mean, _ = posterior(prior, degradation.take(torch.tensor([i])), y[i : i + 1])
        assert (found[i].flatten() - mean).abs().max() < 2e-3  # whatever the noise was


def test_dequantised_values_stay_in_their_cells() -> None:
    prior, degradation = flow(), Quantize(5)
    assert prior.gaussian is not None
    truth = prior.gaussian.sample(8, generators(5, 8))
    y = degradation(truth)
    found = solve(prior, degradation, y)
    assert degradation.fidelity(found, y).max() < 1e-12
    assert (found - truth).square().mean() < 0.6 * (y - truth).square().mean()


class Lopsided(torch.nn.Module):
    """A network that is wrong at the left of what it sees: mirrored and turned, its errors cancel."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.linspace(-1, 1, x.shape[-1]).to(x).expand(len(x), 3, *x.shape[-2:])


@pytest.mark.parametrize("degradation", [AdditiveNoise(0.1), Mask.center((8, 8))])
def test_errors_of_one_orientation_cancel(degradation: Degradation) -> None:
    right, x = flow(0), torch.full((1, *SHAPE), 0.5).double()
    y = degradation(x, generators(2, 1))
    wrong, mended = (FlowPrior(Lopsided(), right.gaussian, symmetries=n).double() for n in (1, 8))
    expected = solve(right, degradation, y)
    errors = [(solve(prior, degradation, y) - expected).square().mean().sqrt() for prior in (wrong, mended)]
    assert errors[1] < 0.02 * errors[0]


@pytest.mark.parametrize("degradation", [Mask.center((8, 8)), Quantize(5)])
def test_twenty_evaluations(degradation: Degradation, monkeypatch: pytest.MonkeyPatch) -> None:
    prior, count = flow(), [0]
    denoise = FlowPrior.denoise

    def counted(self: FlowPrior, w: Tensor, t: Tensor | float, orientation: int = 0) -> Tensor:
        count[0] += len(w)
        return denoise(self, w, t, orientation)

    monkeypatch.setattr(FlowPrior, "denoise", counted)
    restora.restore(torch.rand(3, *SHAPE), degradation, prior=prior.float())
    assert count[0] == 60
    restora.restore(torch.rand(3, *SHAPE), AdditiveNoise(0.1), prior=prior.float())
    assert count[0] == 63


def test_the_linear_estimate_is_the_first_step() -> None:
    prior, degradation = flow(5), BUILD["mask"]()
    y = observe(prior, degradation)
    assert prior.gaussian is not None
    mean = prior.gaussian.mean.expand(len(y), -1, -1, -1)
    linear = lmmse(degradation, mean, prior.gaussian.covariance, y, tolerance=0.1)
    steps = list(MMSE().steps(y, degradation, prior, generators(1, len(y))))
    assert torch.equal(steps[0].x, linear)
    assert [(step.i, step.total) for step in steps] == [(i + 1, len(steps)) for i in range(11)]


def test_photon_noise_is_taken_for_white_at_the_level_of_each_image() -> None:
    prior, degradation = flow(), Poisson(40.0)
    assert prior.gaussian is not None
    x = prior.gaussian.sample(2, generators(0, 2)) * torch.tensor([1.0, 0.3]).view(2, 1, 1, 1)
    y = degradation(x, generators(0, 2))
    y[:, 0, 0, 0] = 1.5  # so that nobody thinks a file has cut them
    found = solve(prior, degradation, y)
    for i in range(2):
        sigma = (y[i].mean() / 40).sqrt().item()
        alone = solve(prior, AdditiveNoise(sigma), y[i : i + 1])
        torch.testing.assert_close(found[i], alone[0], rtol=0, atol=1e-6)


def test_it_is_what_auto_means_and_draws_are_flowers() -> None:
    prior, degradation = flow(5).float(), BUILD["masks"]()
    y = observe(flow(5), degradation).float()
    result = restora.restore(y, degradation, prior=prior, seed=4)
    assert (result.method, result.std, result.samples.shape) == ("mmse", None, (2, 1, *SHAPE))
    alone = restora.restore(y[1:], degradation.take(torch.tensor([1])), prior=prior, seed=5)
    torch.testing.assert_close(alone.image[0], result.image[1], rtol=0, atol=2e-3)
    assert MMSE().for_samples(3) == Flower(runs=3)
    assert MMSE().for_uncertainty(3) == Flower().for_uncertainty(3)
    assert restora.restore(y, degradation, prior=prior, samples=3, seed=4).std is not None


def test_refusals() -> None:
    wrong: list[dict[str, Any]] = [{"first": 1.0}, {"last": -1}, {"iterations": -1}, {"draws": -1}]
    for settings in [*wrong, {"tolerance": 0.0}]:
        with pytest.raises(OptionError, match=next(iter(settings))):
            MMSE(**settings)
