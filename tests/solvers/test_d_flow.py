"""D-Flow on a flow of Gaussian images, whose ODE is linear: its optimum is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gaussian_flow import SHAPE, flow, observe, posterior

import restora
from restora.degradations import AdditiveNoise, Blur, Degradation, Grayscale, Mask, Quantize
from restora.errors import OptionError, PairingError
from restora.priors import GANPrior
from restora.random import generators
from restora.solvers import DFlow

NOISY: dict[str, Degradation] = {
    "mask": Mask.center((8, 8), sigma=0.1),
    "grayscale": Grayscale(sigma=0.1),
    "blur": Blur(width=1.0, sigma=0.1),
    "denoise": AdditiveNoise(0.2),
}


@pytest.mark.parametrize("name", NOISY)
def test_the_most_probable_latent_gives_the_posterior_mean(name: str) -> None:
    prior, degradation = flow(5), NOISY[name]
    y = observe(prior, degradation)[:1]
    *_, step = DFlow(iterations=30, ode_steps=20).steps(y, degradation, prior, generators(1, 1))
    mean, covariance = posterior(prior, degradation, y)
    error = (step.x.flatten() - mean).square().mean().sqrt()
    assert error < 0.2 * covariance.diagonal().mean().sqrt()


def test_the_inverse_undoes_the_transport() -> None:
    prior, solver = flow(5), DFlow(ode_steps=60)
    z = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(2)).double()
    again = solver.inverse(prior, solver.transport(prior, z))
    assert (again - z).norm() < 0.15 * z.norm()


def test_the_loss_falls_and_the_best_start_comes_first() -> None:
    prior, degradation = flow(5), Quantize(5)
    assert prior.gaussian is not None
    truth = prior.gaussian.sample(2, generators(5, 2))
    y = degradation(truth)
    steps = list(DFlow(restarts=2, iterations=15).steps(y, degradation, prior, generators(1, 2)))
    assert (steps[-1].loss < steps[0].loss).all()
    assert degradation.fidelity(steps[-1].x, y).max() < 1e-12
    assert steps[-1].samples is not None
    assert steps[-1].samples.shape == (2, 2, *SHAPE)


@pytest.mark.parametrize("regularizer", ["gaussian", "radius"])
def test_an_image_alone(regularizer: Any) -> None:
    prior, degradation = flow(5).float(), NOISY["mask"]
    y = observe(flow(5), degradation).float()
    method = DFlow(iterations=5, regularizer=regularizer)
    result = restora.restore(y, degradation, prior=prior, method=method, seed=4)
    alone = restora.restore(y[1:], degradation, prior=prior, method=method, seed=5)
    torch.testing.assert_close(alone.image[0], result.image[1], rtol=0, atol=1e-3)


def test_refusals(prior: GANPrior) -> None:
    with pytest.raises(PairingError, match="solver 'dflow' needs a FlowPrior"):
        restora.restore(torch.rand(1, *SHAPE), AdditiveNoise(), prior=prior, method="dflow")
    wrong: list[dict[str, Any]] = [{"iterations": 0}, {"restarts": 0}, {"ode_steps": 0}, {"weight": -1.0}]
    for settings in [*wrong, {"alpha": 2.0}, {"regularizer": "x"}]:
        with pytest.raises(OptionError, match=next(iter(settings))):
            DFlow(**settings)
