"""PnP-Flow on a flow of Gaussian images, where every step is affine in the image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gaussian_flow import BUILD, SHAPE, SIZE, flow, matrix, observe, posterior
from torch import Tensor

import restora
from restora.degradations import Degradation, Quantize
from restora.errors import OptionError
from restora.priors import FlowPrior
from restora.random import generators
from restora.solvers import PnPFlow


def solve(prior: FlowPrior, degradation: Degradation, y: Tensor, **settings: Any) -> Tensor:
    *_, step = PnPFlow(**settings).steps(y, degradation, prior, generators(1, len(y)))
    return step.x


def recursion(prior: FlowPrior, A: Tensor, y: Tensor, iterations: int, alpha: float) -> Tensor:
    """What the steps are on average, by dense linear algebra."""
    assert prior.gaussian is not None
    S, mean = matrix(prior.gaussian.covariance), prior.gaussian.mean.flatten()
    x, curvature = torch.zeros(SIZE).double(), torch.linalg.matrix_norm(A, 2) ** 2
    for i in range(iterations):
        t = i / iterations
        z = x - (1 - t) ** alpha / curvature * A.T @ (A @ x - y)
        noise = ((1 - t) / 2) ** 2 * torch.eye(SIZE).double()
        x = mean + t * S @ torch.linalg.solve(t**2 * S + noise, t * (z - mean))
    return x


@pytest.mark.parametrize("name", [name for name in BUILD if name not in ("blur", "masks")])
def test_the_mean_of_many_draws_is_the_affine_recursion(name: str) -> None:
    prior, degradation = flow(5), BUILD[name]()
    y = observe(prior, degradation)[:1]
    found = solve(prior, degradation, y, iterations=8, draws=2000, alpha=0.5)
    expected = recursion(prior, matrix(degradation.A), y.flatten(), 8, 0.5)
    torch.testing.assert_close(found.flatten(), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("name", BUILD)
def test_it_is_nearer_to_the_posterior_mean_than_the_prior_mean_is(name: str) -> None:
    """Which it does not converge to, unlike the solvers that condition on y."""
    prior, degradation = flow(), BUILD[name]()
    assert prior.gaussian is not None
    y, first = observe(prior, degradation)[:1], degradation.take(torch.tensor([0]))
    found = solve(prior, first, y)
    mean, _ = posterior(prior, first, y)
    assert (found.flatten() - mean).norm() < 0.95 * (prior.gaussian.mean.flatten() - mean).norm()


def test_dequantised_values_stay_in_their_cells() -> None:
    prior, degradation = flow(), Quantize(5)
    assert prior.gaussian is not None
    truth = prior.gaussian.sample(2, generators(5, 2))
    y = degradation(truth)
    found = solve(prior, degradation, y)
    assert degradation.fidelity(found, y).max() < 1e-12
    assert (found - truth).square().mean() < (y - truth).square().mean()


def test_an_image_alone_and_bad_options() -> None:
    prior, degradation = flow(5).float(), BUILD["masks"]()
    y = observe(flow(5), degradation).float()
    result = restora.restore(y, degradation, prior=prior, method="pnpflow", seed=4)
    alone = restora.restore(y[1:], degradation.take(torch.tensor([1])), prior=prior, method="pnpflow", seed=5)
    assert result.samples.shape == (2, 1, *SHAPE)
    torch.testing.assert_close(alone.image[0], result.image[1], rtol=0, atol=1e-4)
    wrong: list[dict[str, Any]] = [{"iterations": 0}, {"draws": 0}, {"alpha": -1.0}]
    for settings in wrong:
        with pytest.raises(OptionError, match=next(iter(settings))):
            PnPFlow(**settings)
