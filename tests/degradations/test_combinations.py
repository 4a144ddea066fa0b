"""Operators and noise that no task brings together, against brute force on tiny images.

Gaussian noise is exact, for any covariance: dense linear algebra. For other noise the posterior mean is a sum
over many draws of x, each weighted by p(y | A x), on images of so few degrees of freedom that draws reach all
of it. What is compared with is stated at each, and how far a plausible mistake would be away.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from restora.degradations import JPEG, Blur, Chain, Degradation, Downsample, Mask, Poisson, Quantize
from restora.gaussian.covariance import Covariance, Isotropic, LowRank, Stationary, root
from restora.noise import GaussianNoise, Noise, PoissonNoise
from restora.operators import Function, Identity, Luma, Masking, Operator
from restora.random import generators
from restora.testing.operators import matrix

SHAPE = (3, 8, 8)
COLOURS = torch.tensor([[1.0, 0.6, 0.2], [0.6, 1.0, 0.6], [0.2, 0.6, 1.0]]).double()
DRAWS = 24_000


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fall(side: int = 8) -> Tensor:
    """(side, side): a spectrum that falls with frequency."""
    k = torch.arange(side).double()
    return 1 / (1 + k.view(-1, 1) ** 2 + k**2)


def smooth(channels: int = 3) -> Stationary:
    """Images that vary together in their channels, and slowly from pixel to pixel."""
    return Stationary(root(0.5 * COLOURS[:channels, :channels, None, None] * fall()))


def few(channels: int = 3, side: int = 8, rank: int = 3) -> LowRank:
    """Images of `rank` degrees of freedom: a base that is smooth, and nothing else."""
    k = torch.arange(channels * side**2).double()
    rows = torch.stack([torch.cos(math.pi * (i + 1) * (k + 0.5) / len(k)) for i in range(rank)])
    directions = torch.linalg.qr(rows.T).Q.T.reshape(rank, channels, side, side)
    weights = 2.0 / (1 + torch.arange(rank).double())
    return LowRank(torch.zeros(channels, channels, side, side).double(), directions.contiguous(), weights)


def dense(C: Covariance | GaussianNoise, shape: tuple[int, ...]) -> Tensor:
    """The matrix of a covariance, (n, n)."""
    size = math.prod(shape)
    N = C.N if isinstance(C, GaussianNoise) else C
    return N(torch.eye(size).double().view(size, *shape)).flatten(1)


# Gaussian noise, exactly


NOISES: dict[str, Callable[[int], GaussianNoise]] = {
    "sigma": lambda channels: GaussianNoise(0.1),
    "channels": lambda channels: GaussianNoise(covariance=0.01 * COLOURS[:channels, :channels]),
    "spectrum": lambda channels: GaussianNoise(
        covariance=0.05 * COLOURS[:channels, :channels, None, None] * fall()
    ),
    "map": lambda channels: GaussianNoise(0.02 + 0.3 * uniform(1, channels, 8, 8)),
    "one-an-image": lambda channels: GaussianNoise(torch.tensor([0.05, 0.3]).double()),
}
OPERATORS: dict[str, Callable[[], Operator]] = {
    "identity": Identity,
    "mask": lambda: Masking(uniform(8, 8, seed=5) < 0.7),
    "luma": Luma,
    "mask-of-luma": lambda: Masking(uniform(8, 8, seed=5) < 0.7) @ Luma(),
    "function": lambda: Function(lambda x: x + 0.5 * x.roll(1, -1)).double(),
}
COVARIANCES: dict[str, Covariance] = {
    "white": Isotropic(0.04),
    "stationary": smooth(),
    "directions": LowRank(0.2 * smooth().spread, few().directions, few().weights),
}


@pytest.mark.parametrize("prior", COVARIANCES)
@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("name", OPERATORS)
def test_any_gaussian_noise_is_exact(name: str, kind: str, prior: str) -> None:
    operator, C = OPERATORS[name](), COVARIANCES[prior]
    d = Degradation(operator, NOISES[kind](operator.observed_shape(SHAPE)[0]))
    x_hat, x = uniform(2, *SHAPE), uniform(2, *SHAPE, seed=1)
    y = d(x, generators(0, 2))
    found = d.condition(x_hat, C, y, tolerance=1e-9)
    A, S = matrix(operator, SHAPE), dense(C, SHAPE)
    for i in range(2):
        one = d.take(torch.tensor([i])).noise
        assert isinstance(one, GaussianNoise)
        m, observed = x_hat[i].flatten(), tuple(y.shape[1:])
        basis = torch.eye(math.prod(observed)).double().view(-1, *observed)
        P = operator.restrict(basis).flatten(1)  # what counts in an observation
        N = P @ dense(one.take(torch.zeros(len(P)).long()), observed) @ P
        inverse = torch.linalg.pinv(A @ S @ A.T + N, hermitian=True)
        expected = m + S @ A.T @ inverse @ (y[i].flatten() - A @ m)
        torch.testing.assert_close(found[i].flatten(), expected, rtol=0, atol=1e-5)


def test_a_covariance_of_luma_matters() -> None:
    """Were a spectrum taken for white noise of the same power, the test above would see it."""
    x_hat, x = uniform(1, *SHAPE), uniform(1, *SHAPE, seed=1)
    coloured = Degradation(Luma(), GaussianNoise(covariance=(0.05 * fall())[None, None]))
    white = Degradation(Luma(), GaussianNoise(coloured.sigma))
    y = coloured(x, generators(0, 1))
    difference = coloured.condition(x_hat, 0.04, y) - white.condition(x_hat, 0.04, y)
    assert difference.abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["channels", "spectrum", "map"])
def test_draws_of_any_gaussian_noise_have_the_dense_covariance(kind: str) -> None:
    count, noise = 2000, NOISES[kind](3)
    d = Degradation(Masking(uniform(8, 8, seed=5) < 0.7), noise)
    x_hat, y = uniform(1, *SHAPE), d(uniform(1, *SHAPE, seed=1), generators(0, 1))
    many = x_hat.expand(count, *SHAPE), y.expand(count, *SHAPE)
    draws = d.draw(many[0], 0.04, many[1], torch.Generator().manual_seed(0), tolerance=1e-6)
    A = matrix(d.operator, SHAPE)
    inner = 0.04 * A @ A.T + A @ dense(noise, SHAPE) @ A.T
    gain = 0.04 * A.T @ torch.linalg.pinv(inner, hermitian=True)
    left = 0.04 * (torch.eye(len(A)).double() - gain @ A)
    error = (draws - d.condition(x_hat, 0.04, y, tolerance=1e-6)).flatten(1)
    assert ((error.mean(0) / (left.diagonal().sqrt() / count**0.5)).abs() < 5).all()
    found = error.T @ error / count
    assert (found - left).abs().max() < 6 * 0.04 / count**0.5
    assert found.trace().item() == pytest.approx(left.trace().item(), rel=0.02)


def test_noise_without_an_end_is_a_missing_value() -> None:
    mask = uniform(1, 1, 8, 8, seed=5) < 0.7
    sigma = torch.where(mask, 0.1, torch.inf).double()
    x_hat, y = uniform(1, *SHAPE), uniform(1, *SHAPE, seed=1)
    for C in COVARIANCES.values():
        found = Degradation(Identity(), GaussianNoise(sigma)).condition(x_hat, C, y, tolerance=1e-9)
        expected = Mask(mask, sigma=0.1).condition(x_hat, C, y, tolerance=1e-9)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", NOISES)
def test_single_precision_is_kept(kind: str) -> None:
    """Noise of another precision than the images does not change theirs."""
    d = Degradation(Identity(), NOISES[kind](3))
    x = uniform(2, *SHAPE).float()
    y = d(x, generators(0, 2))
    assert y.dtype == torch.float32
    single = Stationary(smooth().spread.float())
    for C in (0.04, single):
        assert d.condition(x, C, y).dtype == torch.float32
        assert d.draw(x, C, y, generators(0, 2)).dtype == torch.float32


# other noise: sums over draws of x


def posterior_mean(x: Tensor, log_likelihood: Tensor) -> Tensor:
    """E[x | y] of draws x (n, ...) weighted by p(y | x)."""
    weight = torch.softmax(log_likelihood, 0)
    assert weight.max() < 0.02, "too few draws carry the sum"
    return (weight.view(-1, *[1] * (x.ndim - 1)) * x).sum(0)


def relative(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize("peak", [20.0, 200.0])
def test_blur_and_photons(peak: float) -> None:
    """The Gaussian that stands for photons is an approximation: within a tenth of the way that y moves x_hat.
    Without the blur, or with the photons of another peak, it would be several tenths off."""
    d, C = Chain(Blur(width=1.0, sigma=0.0), Poisson(peak)), few(1)
    x_hat = torch.full((1, 1, 8, 8), 0.5).double()
    truth = x_hat + C.draw(x_hat, generators(4, 1)) * 0.3
    y = d(truth, generators(0, 1))
    C = LowRank(C.spread, C.directions, 0.09 * C.weights)
    x = x_hat + C.draw(x_hat.expand(DRAWS, -1, -1, -1), torch.Generator().manual_seed(1))
    u = d.A(x).clamp(min=1e-9)
    log = (peak * y * (peak * u).log() - peak * u).flatten(1).sum(1)
    mean = posterior_mean(x, log)
    found = d.condition(x_hat, C, y)[0]
    assert relative(found - x_hat[0], mean - x_hat[0]) < 0.1
    for wrong in (Chain(Blur(width=1.0, sigma=0.0), Poisson(peak / 8)), Poisson(peak)):
        assert relative(wrong.condition(x_hat, C, y)[0] - x_hat[0], mean - x_hat[0]) > 0.1


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_reduction_and_jpeg(seed: int) -> None:
    """The mean of all draws in the cells of y. Rounding is taken for Gaussian noise of its variance: within
    0.08 of the way that y moves x_hat. The tables of another quality are 0.7 off, and the decoder's picture
    put in place 0.2."""
    d, C = Chain(Downsample(2), JPEG(10, "4:4:4")), few(3, 16)
    x_hat = torch.full((1, 3, 16, 16), 0.5).double()
    y = d(x_hat + C.draw(x_hat, generators(seed, 1)))
    x = x_hat + C.draw(x_hat.expand(DRAWS, -1, -1, -1), torch.Generator().manual_seed(1))
    misfit = torch.cat([d.fidelity(part, y.expand(len(part), -1, -1, -1)) for part in x.split(4000)])
    mean = posterior_mean(x, torch.where(misfit < 1e-18, 0.0, -torch.inf)) - x_hat[0]
    assert relative(d.condition(x_hat, C, y)[0] - x_hat[0], mean) < 0.08
    other = Chain(Downsample(2), JPEG(5, "4:4:4"))
    for wrong in (other.condition(x_hat, C, y), d.A_dagger(y)):
        assert relative(wrong[0] - x_hat[0], mean) > 0.2


@pytest.mark.parametrize("noise", [PoissonNoise(30.0), Quantize(5).noise])
def test_luma_and_any_noise_value_by_value(noise: Noise) -> None:
    """Each grey value by itself: the mean over draws of its three colours."""
    d, std = Degradation(Luma(), noise), 0.2
    x_hat = torch.tensor([0.6, 0.4, 0.5]).double().view(1, 3, 1, 1)
    y = torch.full((1, 1, 1, 1), 0.75).double()
    x = x_hat + std * normal(400_000, 3, 1, 1)
    u = Luma()(x)
    if isinstance(noise, PoissonNoise):
        rate = 30 * u.clamp(min=1e-9)
        log = (30 * y * rate.log() - rate).flatten()
        near = 0.04 * std  # the normal form of the counts
    else:
        inside = (noise.simulate(u) == y) & (u >= 0) & (u <= 1)
        log, near = torch.where(inside, 0.0, -torch.inf).flatten().double(), 0.01 * std
    found = d.condition(x_hat, std**2, y)[0]
    torch.testing.assert_close(found, posterior_mean(x, log), rtol=0, atol=near)
    assert (found - x_hat[0]).abs().min() > 3 * near
