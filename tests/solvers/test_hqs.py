"""Half-quadratic splitting, on a flow of Gaussian images, where each of its steps is a matrix."""

from __future__ import annotations

import pytest
import torch
from gaussian_flow import BUILD, SHAPE, SIZE, flow, matrix, observe
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Blur, Degradation, Mask
from restora.errors import OptionError
from restora.noise import GaussianNoise
from restora.operators import Gain, Matrix, Radon
from restora.priors import FlowPrior
from restora.random import generators
from restora.solvers import HQS, MMSE, hqs
from restora.solvers.conditioning import Conditioner, signs
from restora.solvers.hqs import suits


def solve(solver: HQS | MMSE, prior: FlowPrior, degradation: Degradation, y: Tensor) -> Tensor:
    *_, step = solver.steps(y, degradation, prior, generators(1, len(y)))
    return step.x


@pytest.mark.parametrize("name", ["blur", "grayscale", "downsample", "mask"])
@pytest.mark.parametrize("schedule", ["covariance", "dpir"])
def test_data_and_prior_in_turns(name: str, schedule: str) -> None:
    prior, degradation = flow(), BUILD[name]()
    assert prior.gaussian is not None
    y = observe(prior, degradation)
    first, count = {"covariance": (0.2, 12), "dpir": (49 / 255, 8)}[schedule]
    last, eye = max(degradation.sigma, 1 / 255), torch.eye(SIZE).double()
    A, S, mean = matrix(degradation.A), matrix(prior.gaussian.covariance), prior.gaussian.mean.flatten()
    N = degradation.sigma**2 * torch.eye(len(A)).double()

    def gain(W: Tensor) -> Tensor:
        return W @ A.T @ torch.linalg.pinv(A @ W @ A.T + N, 1e-12)

    probe = signs(SHAPE).double().flatten()
    told = float(probe @ gain(S) @ A @ probe) / SIZE
    weight = 2 * told**-0.6 if schedule == "covariance" else 1 / 0.23
    x = z = mean + gain(S) @ (y[0].flatten() - A @ mean)
    for i in range(count):
        sigma = first * (last / first) ** (i / (count - 1))
        left = S @ torch.linalg.inv(S + sigma**2 * eye)
        if i:
            W = left * sigma**2 if schedule == "covariance" else sigma**2 * eye
            z = x + gain(weight * W) @ (y[0].flatten() - A @ x)
        x = mean + left @ (z - mean)
    found = solve(HQS(schedule=schedule, tolerance=1e-6), prior, degradation, y[:1])
    torch.testing.assert_close(found[0].flatten(), x, rtol=0, atol=2e-3)


def test_what_an_observation_tells() -> None:
    """Its degrees of freedom, tr(K A) / n: all of them, a half, fewer with more noise."""
    prior, x = flow(), torch.zeros(1, *SHAPE).double()

    def told(degradation: Degradation) -> float:
        return Conditioner(prior, degradation, tolerance=1e-6).told(x, degradation.A(x))

    assert told(Mask(torch.ones(1, 1, 8, 8))) == pytest.approx(1, abs=1e-3)
    half = (torch.arange(64) % 2).view(1, 1, 8, 8).float()
    assert told(Mask(half)) == pytest.approx(0.5, abs=0.02)
    assert told(Blur(width=1.0, sigma=0.01)) > 1.2 * told(Blur(width=1.0, sigma=0.1))
    assert told(Blur(width=0.6, sigma=0.02)) > 1.2 * told(Blur(width=1.0, sigma=0.02))
    assert HQS(weight=3.0).settled(Mask(half)).fall == 0


def levels_of(solver: HQS, degradation: Degradation) -> list[float]:
    conditioner = Conditioner(flow(), degradation, tolerance=1e-6)
    x = torch.zeros(1, *SHAPE).double()
    return hqs.levels(solver.settled(degradation, flow()), conditioner, x, degradation.A(x))


def test_levels() -> None:
    blur = Blur(width=1.0, sigma=0.05)
    levels = levels_of(HQS(), blur)
    assert levels[0] == pytest.approx(1 / (1 + 0.2 / 0.5))
    assert levels[-1] == pytest.approx(1 / (1 + 0.05 / 0.5))
    assert levels_of(HQS(first=0.4, last=0.5, iterations=2), blur) == pytest.approx([1 / 1.8, 1 / 1.05])
    assert levels_of(HQS(last=0.5, iterations=1), blur) == pytest.approx([1 / 1.4])


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_levels_end_at_the_noise_of_what_is_told(scale: float) -> None:
    """That of each pixel, 0.04 / A, whatever the unit of y; none of pixels that are not seen."""
    half = (torch.arange(64) % 2).view(1, 1, 8, 8).float()
    seen = Degradation(
        Gain(torch.full((1, 1, 1, 1), scale)) @ Mask(half).operator, GaussianNoise(0.04 * scale)
    )
    levels = levels_of(HQS(schedule="uneven"), seen)
    assert len(levels) == 8
    assert levels[-1] == pytest.approx(1 / (1 + 0.04 / 0.5), abs=0.02)


def test_singular_values_that_differ() -> None:
    prior, noise = flow(rank=20), GaussianNoise(0.01)
    even = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(0))).Q
    steep = torch.where(torch.arange(SIZE) < 4, 1.0, 0.25).diag()
    for taps, expected in ((even[:40], False), (even @ steep, True)):
        degradation = Degradation(Matrix(taps, SHAPE), noise)
        assert suits(degradation, prior) == expected
        assert MMSE().evaluations(degradation, prior) == (8 if expected else 20)
    assert not suits(Degradation(Matrix((even @ steep)[:90], SHAPE), noise), prior)
    assert not suits(degradation, None)
    assert not suits(Degradation(Radon(9), noise), prior)


def test_it_is_what_mmse_means_for_a_blur() -> None:
    prior, blur = flow(), Blur(width=1.0, sigma=0.02)
    y = observe(prior, blur)
    torch.testing.assert_close(
        solve(MMSE(), prior, blur, y), solve(HQS(tolerance=0.1), prior, blur, y), rtol=0, atol=0
    )
    assert MMSE().evaluations(blur) == HQS().evaluations(blur) == 12
    assert MMSE(draws=2).evaluations(blur) == 40
    assert (solve(MMSE(draws=1), prior, blur, y) - solve(MMSE(), prior, blur, y)).abs().max() > 1e-4


def test_it_is_not_where_the_prior_has_directions() -> None:
    prior, blur = flow(rank=20), Blur(width=1.0, sigma=0.02)
    y = observe(prior, blur)
    torch.testing.assert_close(
        solve(MMSE(), prior, blur, y), solve(MMSE(draws=1), prior, blur, y), rtol=0, atol=0
    )
    assert MMSE().evaluations(blur, prior) == 20


class Denoiser(torch.nn.Module):
    """That of `flow`, in the words of most denoisers, for noise up to 0.2."""

    def forward(self, z: Tensor, sigma: Tensor) -> Tensor:
        assert (sigma < 0.201).all()
        t = 1 / (1 + sigma / 0.5)
        return flow().denoise((t.view(-1, 1, 1, 1) * z).double(), t.double()).to(z)


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("method", ["auto", "mmse", "hqs", "flower", "pnpflow"])
@pytest.mark.parametrize("degradation", [Mask.center((8, 8)), AdditiveNoise(0.1), AdditiveNoise(0.4)])
def test_networks_that_know_few_levels(method: str, degradation: Degradation, gaussian: bool) -> None:
    truth = flow().float()
    options = {"gaussian": truth.gaussian if gaussian else None, "size": 8, "check": False}
    prior = FlowPrior.from_denoiser(Denoiser(), levels=(0.0, 0.2), **options)
    x = truth.sample(1, generators(4, 1))
    y = degradation(x, generators(5, 1))
    found = restora.restore(y, degradation, method=method, prior=prior)
    assert found.method == ("mmse" if method == "auto" else method)
    error = (found.image - x).square().mean().sqrt()
    assert error < 0.7 * (x - 0.5 if isinstance(degradation, Mask) else y - x).square().mean().sqrt()
    drawn = restora.restore(y, degradation, prior=prior, samples=3)
    assert drawn.method == "flower"
    assert drawn.samples.shape == (1, 3, *SHAPE)


def test_options() -> None:
    for name in ("first", "last", "iterations", "weight"):
        with pytest.raises(OptionError, match=name):
            HQS(**{name: 0})


def test_images_with_problems_of_their_own_are_as_alone() -> None:
    """The noise of each sets its levels, and what it tells its weight."""
    prior, blur = flow(), Blur(width=1.0).operator.double()
    both = Degradation(blur, GaussianNoise(torch.tensor([0.01, 0.2]).double()))
    y = observe(prior, both)
    found = solve(HQS(), prior, both, y)
    for i in range(2):
        alone = solve(HQS(), prior, both.take(torch.tensor([i])), y[i, None])
        torch.testing.assert_close(found[i, None], alone, rtol=0, atol=1e-9)
