"""Total variation against known answers, its optimality conditions and scikit-image."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor

from restora.align import astronaut
from restora.degradations import AdditiveNoise, Mask, Poisson
from restora.gaussian.cosine import dct, idct
from restora.metrics import psnr
from restora.random import generators
from restora.solvers import TV
from restora.solvers.tv import TotalVariation, frequencies, gradient, gradient_adjoint, magnitude

SEED = st.integers(0, 10_000)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def solve(solver: TV, y: Tensor, sigma: float) -> Tensor:
    *_, last = solver.steps(y, AdditiveNoise(sigma), None, generators(0, len(y)))
    return last.x


@given(SEED, st.integers(1, 6), st.integers(1, 6))
@settings(deadline=None, max_examples=20)
def test_adjoint(seed: int, height: int, width: int) -> None:
    x, d = noise(seed, 2, 3, height, width), noise(seed + 1, 2, 2, 3, height, width)
    torch.testing.assert_close((gradient(x) * d).sum(), (x * gradient_adjoint(d)).sum())


def test_value_of_a_corner() -> None:
    x = torch.zeros(1, 2, 4, 4)
    x[:, 0, 2:, 2:] = 3
    x[:, 1, 2:, 2:] = 4
    # Two sides of length 2 and height 5; above and to the left of the corner no difference is shared.
    expected = 4 * 5.0
    torch.testing.assert_close(TotalVariation(x).value(x), torch.tensor([expected]))
    rounded = TotalVariation(x, rounding=10.0).value(x)
    torch.testing.assert_close(rounded, torch.tensor([4 * 25 / 20]))
    assert TotalVariation(x, rounding=2.0).value(x) == 4 * (5 - 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_step_becomes_lower(channels: int) -> None:
    """Each of n columns moves by factor / (n sqrt(C)) to the other side: Strong and Chan, 2003."""
    y = torch.zeros(1, channels, 5, 12).double()
    y[..., 4:] = 1
    found = solve(TV(weight=2.0, rounding=0, penalty=1.0, iterations=1500), y, 0.1)
    shift = 0.2 / math.sqrt(channels)
    expected = torch.full_like(y, shift / 4)
    expected[..., 4:] = 1 - shift / 8
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@given(SEED, st.sampled_from([0.0, 0.05]))
@settings(deadline=None, max_examples=4)
def test_the_proximal_operator_is_optimal(seed: int, rounding: float) -> None:
    """v - z = step grad^T p, |p| <= 1, and p = grad z / max(|grad z|, delta) wherever that is not 0."""
    v, step = 0.3 * noise(seed, 1, 2, 9, 7), 0.2
    regularizer = TotalVariation(v, rounding)
    for _ in range(1500):
        z = regularizer.prox(v, step)
    p = regularizer.coupling * regularizer.e / step
    torch.testing.assert_close(v - z, step * gradient_adjoint(p), rtol=0, atol=1e-5)
    assert magnitude(p).max() <= 1 + 1e-9
    d = gradient(z)
    size = magnitude(d)
    expected = d / size.clamp(min=max(rounding, 1e-3))
    torch.testing.assert_close(
        p * (size > 1e-2 * (rounding == 0)), expected * (size > 1e-2 * (rounding == 0)), rtol=0, atol=1e-2
    )


def test_rounded_for_good_it_is_a_linear_filter() -> None:
    """Below delta, R = |grad x|^2 / (2 delta): z = (I + step/delta grad^T grad)^-1 v."""
    v, step, delta = 0.1 * noise(0, 1, 3, 8, 10), 5.0, 10.0
    regularizer = TotalVariation(v, delta)
    for _ in range(300):
        z = regularizer.prox(v, step)
    laplacian = frequencies(8).view(-1, 1) + frequencies(10)
    torch.testing.assert_close(z, idct(dct(v) / (1 + step / delta * laplacian)), rtol=0, atol=1e-8)


def test_no_higher_than_the_minimum_of_scikit_image() -> None:
    y = (noise(3, 1, 1, 24, 24) * 0.1 + torch.linspace(0, 1, 24).double().round()).float()
    factor = 0.15
    exact = denoise_tv_chambolle(y[0, 0].numpy(), weight=factor, eps=1e-9, max_num_iter=5000)
    found = solve(TV(weight=1.5, rounding=0, penalty=1.0, iterations=100), y, 0.1)

    def objective(x: Tensor) -> float:
        return float((x - y).square().sum() / 2 + factor * TotalVariation(x).value(x)[0])

    theirs, ours = objective(torch.from_numpy(exact)[None, None]), objective(found)
    assert ours < theirs * (1 + 1e-3)
    assert ours > theirs * (1 - 1e-2)
    assert objective(y) > 1.5 * ours


def test_twice_the_picture_with_twice_the_noise() -> None:
    y = noise(4, 2, 3, 12, 12).float() * 0.2 + 0.5
    solver = TV(weight=1.0, rounding=0, penalty=1.0, iterations=200)
    torch.testing.assert_close(2 * solve(solver, y, 0.1), solve(solver, 2 * y, 0.2), rtol=0, atol=1e-3)


def test_a_hole_in_a_plane_is_filled_with_the_plane() -> None:
    """With a rounding the plane is the one minimum: harmonic, and its differences are all below delta."""
    plane = (torch.arange(16).view(-1, 1) * 0.01 + torch.arange(16) * 0.02).expand(1, 3, 16, 16)
    degradation = Mask.center((16, 16))
    *_, last = TV(rounding=0.1).steps(degradation(plane), degradation, None, generators(0, 1))
    torch.testing.assert_close(last.x, plane, rtol=0, atol=2e-3)


def test_the_steps_report_a_falling_objective() -> None:
    y = noise(5, 2, 3, 16, 16).float() * 0.2 + 0.5
    steps = list(TV().steps(y, AdditiveNoise(0.2), None, generators(0, 2)))
    assert [s.i for s in steps][-1] == steps[0].total
    assert 4 <= len(steps) <= 40
    assert steps[-1].converged is not None
    assert steps[-1].converged.all()
    losses = torch.stack([s.loss for s in steps])
    assert (losses[-1] <= losses.min(0).values * 1.001).all()
    assert (losses[0] > losses[-1] * 1.01).all()


def test_photon_noise_is_removed() -> None:
    x, photons = astronaut()[None], Poisson(30.0)
    y = photons(x, generators(0, 1))
    *_, last = TV().steps(y, photons, None, generators(0, 1))
    assert psnr(last.x, x) > psnr(y, x) + 4
