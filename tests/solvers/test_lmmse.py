"""LMMSE against the closed form by dense linear algebra, for every registered degradation."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import restora
from restora.degradations import (
    AdditiveNoise,
    Blur,
    Degradation,
    Downsample,
    Grayscale,
    LinearDegradation,
    Mask,
    Poisson,
    Quantize,
    degradations,
    lmmse,
    whitened,
)
from restora.errors import OptionError, PairingError
from restora.gaussian.covariance import Covariance, Stationary
from restora.priors import GANPrior, GaussianPrior
from restora.random import generators
from restora.solvers import LMMSE

SHAPE = (3, 12, 8)
SIZE = math.prod(SHAPE)
BUILD: dict[str, Callable[[], Degradation]] = {
    "inpaint": lambda: Mask.center(SHAPE[1:]),
    "deblur": lambda: Blur(width=1.0),
    "denoise-strong": lambda: AdditiveNoise(0.5),
    "superres-noisy": lambda: Downsample(2, sigma=0.05),
    "motion-circular": lambda: Blur("motion", length=5, angle=30, boundary="circular"),
    "masks": lambda: Mask(torch.rand(3, 1, *SHAPE[1:], generator=torch.Generator().manual_seed(2)) < 0.6),
    "sensing": lambda: LinearDegradation(
        lambda x: x.flatten(1) @ MATRIX.to(x).T, lambda y: (y @ MATRIX.to(y)).view(-1, *SHAPE), sigma=0.05
    ),
}
MATRIX = torch.randn(20, SIZE, generator=torch.Generator().manual_seed(1)).double() / 20


@pytest.fixture(params=sorted({*degradations.names(), *BUILD}))
def degradation(request: pytest.FixtureRequest) -> Degradation:
    return BUILD.get(request.param, degradations.get(request.param) if request.param not in BUILD else None)()


def gaussian(rank: int) -> GaussianPrior:
    """Directions of falling variance and a smooth rest with correlated channels, as of photos."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(SIZE, max(rank, 1), generator=generator).double()).Q.T[:rank]
    scale = 4 * torch.arange(1, rank + 1).double().pow(-1)
    frequency = torch.arange(12.0)[:, None] ** 2 + torch.arange(8.0)[None] ** 2
    mixing = torch.eye(3)[:, :, None, None] * 0.3 + 0.7 / 3
    spread = mixing * 0.3 / (1 + frequency) + 0.01 * torch.eye(3)[:, :, None, None]
    factors = (scale[:, None] * directions).view(rank, *SHAPE)
    return GaussianPrior(torch.rand(SHAPE, generator=generator), factors, spread).double()


def matrix(operator: Callable[[Tensor], Tensor]) -> Tensor:
    return operator(torch.eye(SIZE).double().view(SIZE, *SHAPE)).flatten(1).T


def closed_form(prior: GaussianPrior, A: Tensor, noise: float, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of x given y."""
    S, mean = matrix(prior.covariance), prior.mean.flatten()
    gain = S @ A.T @ torch.linalg.pinv(A @ S @ A.T + noise * torch.eye(len(A)).double(), 1e-12)
    return mean + gain @ (y.flatten() - A @ mean), S - gain @ A @ S


def observe(prior: GaussianPrior, degradation: Degradation) -> Tensor:
    x = prior.mean + prior.deviation(3, generators(7, 3))
    return degradation(x, generators(8, 3))


def solve(degradation: Degradation, prior: GaussianPrior, y: Tensor, **settings: float) -> restora.Step:
    (step,) = LMMSE(**settings).steps(y, degradation, prior, generators(0, len(y)))
    return step


@pytest.mark.parametrize("rank", [0, 10])
def test_posterior_mean(degradation: Degradation, rank: int) -> None:
    if isinstance(degradation, Poisson):
        pytest.skip("its noise depends on the image")
    prior = gaussian(rank)
    y = observe(prior, degradation)
    degradation = degradation.given(y)
    exact, usual = solve(degradation, prior, y, tolerance=1e-7), solve(degradation, prior, y)
    for i in (0, 2):
        one = degradation.take(torch.tensor([i]))
        model, observed = whitened(*one.gaussian(prior.mean[None], y[i : i + 1]))
        A = matrix(model.take(torch.zeros(SIZE, dtype=torch.long)).A)
        expected = closed_form(prior, A, model.sigma**2, observed)[0].view(SHAPE)
        expected = one.project(expected[None], y[i : i + 1])[0]
        if isinstance(degradation, Quantize):
            assert model.sigma**2 == pytest.approx(1 / (12 * (degradation.levels - 1) ** 2))
        torch.testing.assert_close(exact.x[i], expected, rtol=0, atol=1e-5)
        assert (usual.x[i] - expected).square().mean().sqrt() < 2e-3
        alone = solve(one, prior, y[i : i + 1])  # rounding differs, so the last iterations do
        torch.testing.assert_close(alone.x[0], usual.x[i], rtol=0, atol=3e-3)
    torch.testing.assert_close(exact.loss, degradation.fidelity(exact.x, y))


def test_known_directions_save_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, degradation = gaussian(40).float(), Grayscale()
    y, mean, calls = observe(prior, degradation), prior.mean.expand(3, -1, -1, -1), [0]
    rest = Stationary.rest

    def counted(self: Stationary, x: Tensor) -> Tensor:
        calls[0] += 1
        return rest(self, x)

    class Unknown(Covariance):
        """Of which no more is known than what it does."""

        def __call__(self, x: Tensor) -> Tensor:
            return prior.covariance(x)

    monkeypatch.setattr(Stationary, "rest", counted)
    plain = lmmse(degradation, mean, Unknown(), y, tolerance=1e-3)
    without = calls[0]
    found = lmmse(degradation, mean, prior.covariance, y)
    torch.testing.assert_close(plain, found, rtol=0, atol=1e-2)
    assert calls[0] - without < without / 2


@pytest.mark.parametrize("name", ["superres-noisy", "masks"])
def test_samples_are_draws_from_the_posterior(name: str) -> None:
    prior, degradation, count = gaussian(10), BUILD[name](), 1000
    y = observe(prior, degradation)[:1]
    degradation = degradation.take(torch.tensor([0]))
    samples = solve(degradation, prior, y, samples=count + 1, tolerance=1e-4).samples
    assert samples is not None
    A = matrix(degradation.take(torch.zeros(SIZE, dtype=torch.long)).A)
    mean, covariance = closed_form(prior, A, degradation.sigma**2, y[0])
    torch.testing.assert_close(samples[0, 0].flatten(), mean, rtol=0, atol=1e-3)
    errors = samples[0, 1:].flatten(1) - mean
    std = covariance.diagonal().clamp(min=0).sqrt()
    assert (errors.mean(0).abs() < 5 * std / count**0.5 + 1e-3).all()
    noise = ((std[:, None] * std[None]) ** 2 + covariance**2).div(count).sqrt()
    assert ((errors.T @ errors / count - covariance).abs() < 6 * noise + 1e-4).all()


@pytest.mark.parametrize("name", ["superres-noisy", "masks"])
def test_standard_deviation_of_the_posterior(name: str) -> None:
    prior, degradation, count = gaussian(10), BUILD[name](), 400
    y = observe(prior, degradation)[:1]
    degradation = degradation.take(torch.tensor([0]))
    method = LMMSE(samples=count + 1, tolerance=1e-4)
    result = restora.restore(y, degradation, prior=prior, method=method, uncertainty=True)
    A = matrix(degradation.take(torch.zeros(SIZE, dtype=torch.long)).A)
    _, covariance = closed_form(prior, A, degradation.sigma**2, y[0])
    std = covariance.diagonal().clamp(min=0).sqrt()
    assert result.std is not None
    assert ((result.std[0].flatten() - std).abs() < 5 * std / (2 * count) ** 0.5 + 1e-3).all()


def test_how_many_draws() -> None:
    assert LMMSE().for_uncertainty() == LMMSE(samples=9)
    assert LMMSE().for_uncertainty(3) == LMMSE(samples=4)
    assert LMMSE(samples=20).for_uncertainty(3) == LMMSE(samples=20)
    y = observe(gaussian(0), AdditiveNoise(0.1))
    assert [solve(AdditiveNoise(0.1), gaussian(0), y, samples=k).std is None for k in (1, 2, 3)] == [1, 1, 0]


def test_through_restore() -> None:
    prior = gaussian(10).float()
    y = observe(prior, AdditiveNoise(0.1))
    result = restora.restore(y, AdditiveNoise(0.1), prior=prior, samples=3, seed=4)
    assert result.method == "lmmse"
    assert result.samples.shape == (3, 3, *SHAPE)
    alone = restora.restore(y[1:2], AdditiveNoise(0.1), prior=prior, samples=3, seed=5)
    torch.testing.assert_close(alone.samples[0], result.samples[1], rtol=0, atol=1e-4)
    assert not torch.allclose(result.samples[:, 1], result.samples[:, 2], atol=1e-2)


def test_refusals(prior: GANPrior) -> None:
    y = torch.rand(1, *SHAPE)
    with pytest.raises(PairingError, match="draws samples for linear tasks alone, not for Quantize"):
        restora.restore(y, Quantize(5), prior=gaussian(0).float(), samples=2)
    with pytest.raises(PairingError, match="for linear tasks alone, not for Grayscale; use samples=1"):
        restora.restore(y[:, :1], Grayscale("value"), prior=gaussian(0).float(), uncertainty=True)
    with pytest.raises(PairingError, match="solver 'lmmse' needs a GaussianPrior"):
        restora.restore(y, AdditiveNoise(), prior=prior, method="lmmse")
    for settings in ({"tolerance": 0.0}, {"tolerance": 1.0}, {"samples": 0}):
        with pytest.raises(OptionError, match=next(iter(settings))):
            LMMSE(**settings)


def test_the_largest_channel_as_grey() -> None:
    prior, degradation = gaussian(10), Grayscale("value")
    y = observe(prior, degradation)
    mean = prior.mean.expand(3, -1, -1, -1)
    first = lmmse(degradation, mean, prior.covariance, y, tolerance=1e-7, rounds=1)
    rows = torch.zeros(SIZE // 3, SIZE).double()
    places = torch.arange(SIZE // 3)
    rows[places, prior.mean.argmax(0).flatten() * (SIZE // 3) + places] = 1
    expected = closed_form(prior, rows, 0.0, y[1])[0].view(1, *SHAPE)
    projected = degradation.prox_l2(expected, y[1:2], math.inf)
    torch.testing.assert_close(first[1:2], projected, rtol=0, atol=1e-4)
    found = solve(degradation, prior, y, tolerance=1e-7).x
    torch.testing.assert_close(found.amax(1, keepdim=True), y, rtol=0, atol=1e-4)
