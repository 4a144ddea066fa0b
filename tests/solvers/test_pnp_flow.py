"""PnP-Flow on a flow of Gaussian images, where every step is affine: the law of its result is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gaussian_flow import BUILD, SHAPE, SIZE, Zero, flow, matrix, observe, posterior
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Blur, Degradation, Downsample, Grayscale, Mask, Quantize
from restora.errors import OptionError, PairingError
from restora.priors import FlowPrior, GANPrior
from restora.random import generators
from restora.solvers import PnPFlow, Step
from restora.solvers.pnp_flow import _curvature


def solve(prior: FlowPrior, degradation: Degradation, y: Tensor, **settings: Any) -> Step:
    *_, step = PnPFlow(**settings).steps(y, degradation, prior, generators(1, len(y)))
    return step


def law(
    prior: FlowPrior, A: Tensor, size: float, y: Tensor, alpha: float, steps: int, draws: int
) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the result: D_t(w) = m + L (w - t m), and so on, as matrices."""
    assert prior.gaussian is not None
    S, m, eye = matrix(prior.gaussian.covariance), prior.gaussian.mean.flatten(), torch.eye(SIZE).double()
    x, covariance = torch.zeros(SIZE).double(), torch.zeros(SIZE, SIZE).double()
    for i in range(steps):
        t, n = i / steps, 0.5 * (1 - i / steps)
        rate = (1 - t) ** alpha / size
        L = t * S @ torch.linalg.inv(t**2 * S + n**2 * eye)
        M = t * L @ (eye - rate * A.T @ A)
        x = M @ x + L @ (t * rate * A.T @ y - t * m) + m
        covariance = M @ covariance @ M.T + n**2 / draws * L @ L.T
    return x, covariance


@pytest.mark.parametrize("name", BUILD)
def test_the_law_of_the_result_is_that_of_its_affine_steps(name: str) -> None:
    prior, degradation, count = flow(), BUILD[name](), 300
    y, first = observe(prior, degradation)[:1], degradation.take(torch.tensor([0]))
    A = matrix(degradation.take(torch.zeros(SIZE, dtype=torch.long)).A)
    many, of_many = y.expand(count, *y.shape[1:]), degradation.take(torch.zeros(count, dtype=torch.long))
    x = solve(prior, of_many, many, iterations=15, draws=2, alpha=0.4).x.flatten(1)
    size = _curvature(first, torch.zeros(1, *SHAPE).double(), y).item()
    mean, covariance = law(prior, A, size, y.flatten(), 0.4, 15, 2)
    std = covariance.diagonal().sqrt()
    assert ((x.mean(0) - mean).abs() < 5 * std / count**0.5 + 1e-6).all()
    assert ((x.std(0) / std - 1).abs() < 6 / (2 * count) ** 0.5).all()
    exact, _ = posterior(prior, first, y)
    blind = (prior.gaussian.mean.flatten() - exact).norm()  # type: ignore[union-attr]
    best = solve(prior, first, y, draws=20)
    assert (best.x.flatten() - exact).norm() < (
        0.8 if name == "denoise" else 0.5
    ) * blind  # there, y says little that m does not
    if degradation.sigma == 0:
        assert first.fidelity(best.x, y).max() < 0.02 * first.fidelity(prior.gaussian.mean[None], y)  # type: ignore[union-attr]


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_the_data_term_fades_by_the_noise(sigma: float) -> None:
    prior, degradation = flow(), AdditiveNoise(sigma)
    y = observe(prior, degradation)[:1]
    exact, _ = posterior(prior, degradation, y)
    A = torch.eye(SIZE).double()
    rule = 2 * sigma**0.5
    errors = {a: (law(prior, A, 1.0, y.flatten(), a, 50, 4)[0] - exact).norm() for a in (0.01, rule)}
    assert errors[rule] < 0.8 * errors[0.01]
    found = solve(prior, degradation, y)
    torch.testing.assert_close(found.x, solve(prior, degradation, y, alpha=rule).x)


def test_curvature() -> None:
    x = torch.zeros(2, *SHAPE)
    models: list[Degradation] = [
        BUILD["masks"](),
        Grayscale(),
        Downsample(4),
        Blur(width=1.0),
        Blur(boundary="circular", width=1.0),
    ]
    for model in models:
        A = matrix(lambda u, model=model: model.take(torch.zeros(SIZE, dtype=torch.long)).A(u))  # type: ignore[misc]
        found = _curvature(model, x, model.A(x))
        expected = torch.linalg.matrix_norm(A, 2).item() ** 2
        assert found.shape == (2, 1, 1, 1)
        assert found.min().item() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("task", [Quantize(5), Grayscale("value")])
def test_what_is_not_linear(task: Degradation) -> None:
    prior = flow()
    assert prior.gaussian is not None
    truth = prior.gaussian.sample(2, generators(5, 2))
    y = task(truth)
    step = solve(prior, task, y, iterations=30)
    lifted = task.A_dagger(y)
    assert (step.x - truth).square().mean() < 0.8 * (lifted - truth).square().mean()
    if isinstance(task, Quantize):
        assert task.fidelity(step.x, y).max() < 1e-12


def test_through_restore() -> None:
    prior, degradation = flow(5).float(), BUILD["masks"]()
    y, method = observe(flow(5), degradation).float(), PnPFlow(iterations=5, draws=2)
    result = restora.restore(y, degradation, prior=prior, method=method, seed=4)
    assert (result.method, result.samples.shape, len(result.history)) == ("pnpflow", (2, 1, *SHAPE), 5)
    alone = restora.restore(y[1:], degradation.take(torch.tensor([1])), prior=prior, method=method, seed=5)
    torch.testing.assert_close(alone.image[0], result.image[1], rtol=0, atol=1e-5)
    other = restora.restore(y, degradation, prior=prior, method=method, seed=9)
    assert (other.image - result.image).abs().max() > 1e-2
    bare = FlowPrior(Zero(), form="denoiser", image_shape=SHAPE)
    image = restora.restore(y, degradation, prior=bare, method=method).image
    assert torch.equal(image, degradation.operator.restrict(y.clamp(0, 1)))


def test_refusals(prior: GANPrior) -> None:
    y = torch.rand(1, *SHAPE)
    with pytest.raises(PairingError, match="solver 'pnpflow' needs a FlowPrior"):
        restora.restore(y, AdditiveNoise(), prior=prior, method="pnpflow")
    with pytest.raises(OptionError, match="PnPFlow returns one restoration per image"):
        restora.restore(y, Mask.center((8, 8)), prior=flow().float(), method="pnpflow", samples=2)
    wrong: list[dict[str, Any]] = [{"iterations": 0}, {"draws": 0}, {"alpha": -0.1}]
    for settings in wrong:
        with pytest.raises(OptionError, match=next(iter(settings))):
            PnPFlow(**settings)
