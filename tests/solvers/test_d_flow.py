"""D-Flow on a flow of Gaussian images, whose ODE is an affine map."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gaussian_flow import BUILD, SHAPE, SIZE, flow, matrix, observe, posterior
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Degradation, Downsample, Grayscale, Mask, Quantize
from restora.errors import OptionError, PairingError
from restora.priors import FlowPrior, GANPrior
from restora.random import generators
from restora.solvers import DFlow, Step

FEW = {"iterations": 5, "ode_steps": 3}


def solve(prior: FlowPrior, degradation: Degradation, y: Tensor, **settings: Any) -> Step:
    *_, step = DFlow(**settings).steps(y, degradation, prior, generators(1, len(y)))
    return step


def affine(solver: DFlow, prior: FlowPrior) -> tuple[Tensor, Tensor]:
    """T(z) = G z + b."""
    with torch.no_grad():
        b = solver.transport(prior, torch.zeros(1, *SHAPE).double())
        return matrix(lambda z: solver.transport(prior, z) - b), b.flatten()


@pytest.mark.parametrize("name", ["mask", "masks", "grayscale", "downsample", "denoise", "blur"])
def test_gaussian_regulariser_gives_the_posterior_mean(name: str) -> None:
    """Of x = T(z), z ~ N(0, I), given y with noise of at least 0.01."""
    solver = DFlow(iterations=100, ode_steps=4)
    prior, degradation = flow(), BUILD[name]().take(torch.tensor([0]))
    y = observe(prior, BUILD[name]())[:1]
    G, b = affine(solver, prior)
    A = matrix(degradation.A)
    sigma = max(degradation.sigma, 0.01)
    inner = A @ G @ G.T @ A.T + sigma**2 * torch.eye(len(A)).double()
    expected = b + G @ G.T @ A.T @ torch.linalg.solve(inner, y.flatten() - A @ b)
    *_, step = solver.steps(y, degradation, prior, generators(1, 1))
    torch.testing.assert_close(step.x.flatten(), expected, rtol=0, atol=2e-3)
    if sigma == degradation.sigma:  # and close to that of the flow itself
        exact, _ = posterior(prior, degradation, y)
        blind = (prior.gaussian.mean.flatten() - exact).norm()  # type: ignore[union-attr]
        assert (step.x.flatten() - exact).norm() < 0.2 * blind


def test_short_steps_carry_noise_to_the_prior_and_back() -> None:
    prior, solver = flow(), DFlow(ode_steps=24)
    assert prior.gaussian is not None
    G, b = affine(solver, prior)
    S = matrix(prior.gaussian.covariance)
    assert torch.linalg.matrix_norm(G @ G.T - S) < 0.01 * torch.linalg.matrix_norm(S)
    torch.testing.assert_close(b, prior.gaussian.mean.flatten(), rtol=0, atol=1e-3)
    x = prior.gaussian.mean + prior.gaussian.deviation(2, generators(3, 2))
    there = solver.transport(prior, solver.inverse(prior, x))
    assert (there - x).norm() < 0.05 * (x - prior.gaussian.mean).norm()


def test_the_radius_is_that_of_a_latent() -> None:
    """Where nothing is observed but one pixel, the best |z| is sqrt(d - 1), and 0 for `gaussian`."""
    prior, mask = flow(), torch.zeros(8, 8)
    mask[0, 0] = 1
    degradation = Mask(mask, sigma=0.3)
    y = degradation.A(prior.gaussian.mean[None])  # type: ignore[union-attr]
    for regularizer, expected in (("radius", (SIZE - 1) ** 0.5), ("gaussian", 0.0)):
        solver = DFlow(iterations=40, ode_steps=4, regularizer=regularizer)  # type: ignore[arg-type]
        G, b = affine(solver, prior)
        *_, step = solver.steps(y, degradation, prior, generators(1, 1))
        z = torch.linalg.solve(G, step.x.flatten() - b)
        assert z.norm().item() == pytest.approx(expected, abs=0.1)


def test_restarts_are_sorted_by_the_objective() -> None:
    prior, degradation = flow(), Downsample(4)
    y = observe(prior, degradation)
    solver = DFlow(**FEW, restarts=3, alpha=0.2)  # type: ignore[arg-type]
    *_, step = solver.steps(y, degradation, prior, generators(1, 2))
    assert step.samples is not None
    assert step.samples.shape == (2, 3, *SHAPE)
    G, b = affine(solver, prior)
    for i in range(2):
        z = torch.linalg.solve(G, (step.samples[i].flatten(1) - b).T).T.view(3, *SHAPE)
        fidelity = degradation.fidelity(step.samples[i], y[i : i + 1])
        losses = solver.objective(z, fidelity, 0.0)
        torch.testing.assert_close(losses[0], step.loss[i], rtol=1e-6, atol=0)
        assert (losses.diff() > 0).all()
    torch.testing.assert_close(step.x, step.samples[:, 0])


@pytest.mark.parametrize("task", [Quantize(5), Grayscale("value")])
def test_what_is_not_linear(task: Degradation) -> None:
    prior = flow()
    assert prior.gaussian is not None
    truth = prior.gaussian.sample(1, generators(5, 1))
    y = task(truth)
    step = solve(prior, task, y, iterations=30, ode_steps=4)
    lifted = task.A_dagger(y)
    assert (step.x - truth).square().mean() < 0.8 * (lifted - truth).square().mean()
    assert task.fidelity(step.x, y).max() < 1e-2 * task.fidelity(prior.gaussian.mean[None], y)
    if isinstance(task, Quantize):
        assert task.fidelity(step.x, y).max() < 1e-12


def test_through_restore() -> None:
    prior, degradation = flow(5).float(), BUILD["masks"]()
    y, method = observe(flow(5), degradation).float(), DFlow(**FEW)  # type: ignore[arg-type]
    with torch.no_grad():  # as a user may have it
        result = restora.restore(y, degradation, prior=prior, method=method, samples=2, seed=4)
    assert (result.method, result.samples.shape, result.std) == ("dflow", (2, 2, *SHAPE), None)
    alone = restora.restore(
        y[1:], degradation.take(torch.tensor([1])), prior=prior, method=method, samples=2, seed=5
    )
    torch.testing.assert_close(alone.samples[0], result.samples[1], rtol=0, atol=1e-3)
    assert (result.samples[:, 0] - result.samples[:, 1]).abs().max() > 1e-3


def test_the_objective_falls() -> None:
    prior, degradation = flow(), AdditiveNoise(0.1)
    y = observe(prior, degradation)
    history = [step.loss for step in DFlow(iterations=17).steps(y, degradation, prior, generators(1, 2))]
    assert len(history) == 4
    assert (torch.stack(history).diff(dim=0) <= 0).all()


def test_refusals(prior: GANPrior) -> None:
    with pytest.raises(PairingError, match="solver 'dflow' needs a FlowPrior"):
        restora.restore(torch.rand(1, *SHAPE), AdditiveNoise(), prior=prior, method="dflow")
    wrong: list[dict[str, Any]] = [{"iterations": 0}, {"restarts": 0}, {"ode_steps": 0}, {"weight": -1.0}]
    for settings in [*wrong, {"alpha": 1.5}, {"regularizer": "x"}]:
        with pytest.raises(OptionError, match=next(iter(settings))):
            DFlow(**settings)
