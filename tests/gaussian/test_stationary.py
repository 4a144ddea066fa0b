"""Restoring with a stationary covariance: right, and in a few steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from restora.degradations import (
    JPEG,
    AdditiveNoise,
    Blur,
    Chain,
    Degradation,
    Downsample,
    Grayscale,
    Mask,
    Poisson,
    Quantize,
    lmmse,
    system_of,
)
from restora.gaussian.cosine import dct
from restora.gaussian.covariance import LowRank, invert, mix
from restora.gaussian.system import TOLERANCE

SMALL, LARGE = (3, 16, 24), (3, 64, 96)


def photographs(shape: tuple[int, int, int], least: float = 1e-3) -> LowRank:
    """Variances that fall as those of photographs do, luma stronger than colours; `least` is added to all."""
    channels, height, width = shape
    rows, columns = (torch.arange(side).double() / side for side in (height, width))
    radius = (rows.square().view(-1, 1) + columns.square()).sqrt()
    power = 0.002 / (radius + 0.01).square() + least
    colours = torch.full((channels, channels), 0.8).double() + 0.2 * torch.eye(channels).double()
    values, vectors = torch.linalg.eigh(colours)
    root = vectors * values.sqrt() @ vectors.T
    spread = root[..., None, None] * power.sqrt()
    return LowRank(spread, torch.zeros(0, *shape).double(), torch.zeros(0).double())


def masks(size: tuple[int, int], sigma: float = 0.0) -> Mask:
    """One with single pixels missing, one with a block, one with nothing missing."""
    block = torch.ones(size)
    block[3:11, 5:15] = 0
    mask = torch.stack([Mask.pixels(size).mask[0], block[None], torch.ones(1, *size)])
    return Mask(mask, sigma=sigma)


Make = Callable[[tuple[int, int]], Degradation]
DEGRADATIONS: dict[
    str, tuple[Make, int]
] = {  # with the applications of A that are allowed; opposite borders are what no spectrum knows of
    "noise": (lambda size: AdditiveNoise(0.1), 3),
    "quantize": (lambda size: Quantize(5), 3),
    "luma": (lambda size: Grayscale(sigma=0.03), 3),
    "box": (lambda size: Downsample(4), 3),
    "bicubic": (lambda size: Downsample(2, "bicubic", sigma=0.01), 10),
    "gaussian": (lambda size: Downsample(2, "gaussian", sigma=0.01), 10),
    "blur": (lambda size: Blur(width=1.2), 20),
    "circular": (lambda size: Blur(width=1.2, boundary="circular"), 600),
    "motion": (lambda size: Blur("motion", length=5, angle=30, sigma=0.02), 30),
    "chain": (lambda size: Chain(Blur(width=0.8, sigma=0.0), Grayscale(), Downsample(2, sigma=0.02)), 15),
    "pixels": (lambda size: Mask.pixels(size), 3),
    "masks": (lambda size: masks(size), 3),
    "masks-noisy": (lambda size: masks(size, 0.05), 3),
    "jpeg": (lambda size: JPEG(10), 25),
    "poisson": (lambda size: Poisson(30.0, sigma=0.01), 15),
}


def observe(degradation: Degradation, covariance: LowRank) -> Tensor:
    x = (
        0.5
        + covariance.draw(
            torch.zeros(3, *covariance.spread.shape[1:]).double(), torch.Generator().manual_seed(0)
        )
        / 4
    )
    return degradation(x.clamp(0, 1), torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_it_is_the_dense_solution(name: str) -> None:
    covariance, make = photographs(SMALL), DEGRADATIONS[name][0]
    degradation = make(SMALL[1:])
    y = observe(degradation, covariance)
    mean = torch.full((3, *SMALL), 0.5).double()
    model, observed = degradation.gaussian(mean, y)
    for i in range(3):
        one = model.take(torch.tensor([i]))
        residual = observed[i : i + 1] - one.A(mean[:1])
        found = system_of(one).solve(covariance, residual, 1e-9).flatten()
        units = torch.eye(residual.numel()).double().view(-1, *residual.shape[1:])
        alone = one.take(torch.zeros(len(units), dtype=torch.long))
        noise = system_of(one).noise(units).flatten(1)
        M = alone.A(covariance(alone.A_adjoint(units))).flatten(1) + noise
        # by what it makes of images, since where A A^T is singular the solution is not the only one
        dense = torch.linalg.pinv(M, hermitian=True) @ residual.flatten()
        image, expected = (covariance(one.A_adjoint(u.view_as(residual))) for u in (found, dense))
        assert (image - expected).norm() < 1e-5 * expected.norm()
        together = system_of(model).solve(covariance, observed - model.A(mean), 1e-9)[i].flatten()
        torch.testing.assert_close(found, together, rtol=1e-5, atol=1e-5 * found.abs().max().item())


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_it_takes_a_few_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the plain system there would be hundreds."""
    covariance, (make, allowed) = photographs(LARGE), DEGRADATIONS[name]
    degradation = make(LARGE[1:])
    y = observe(degradation, covariance)
    model, observed = degradation.gaussian(torch.full((3, *LARGE), 0.5).double(), y)
    residual = observed - model.A(torch.full((3, *LARGE), 0.5).double())
    count, A = 0, model.operator.forward

    def counted(x: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return A(x)

    monkeypatch.setattr(model.operator, "forward", counted)
    system = system_of(model)
    u = system.solve(covariance, residual, TOLERANCE)
    assert count <= allowed
    left = system.whiten(A(covariance(model.A_adjoint(u))) + system.noise(u) - residual)
    assert (left.flatten(1).norm(dim=1) <= 0.02 * system.whiten(residual).flatten(1).norm(dim=1)).all()


@pytest.mark.parametrize("name", ["noise", "luma", "box", "bicubic", "gaussian", "chain"])
def test_the_observed_spectrum_is_that_of_what_is_seen(name: str) -> None:
    covariance, degradation = photographs(SMALL), DEGRADATIONS[name][0](SMALL[1:])
    spectrum = degradation.operator.spectrum(covariance.spectrum)
    assert spectrum is not None
    shape = degradation.operator.observed_shape(SMALL)
    units = torch.eye(shape[0] * shape[1] * shape[2]).double().view(-1, *shape)
    basis = dct(units)  # its transpose, unit by unit, and T is orthogonal
    columns = basis.flatten(1).T.reshape(-1, *shape)
    M = dct(degradation.A(covariance(degradation.A_adjoint(columns)))).flatten(1)
    diagonal = M.diagonal().view(shape)
    own = torch.stack([spectrum[c, c] for c in range(shape[0])])
    tolerance = 0.1 if name == "chain" else 1e-9
    torch.testing.assert_close(own, diagonal, rtol=tolerance, atol=1e-4 * diagonal.max().item())


def test_invert() -> None:
    matrices = photographs(SMALL).spectrum + 0.01 * torch.eye(3).double()[..., None, None]
    x = torch.randn(2, *SMALL, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(mix(invert(matrices), mix(matrices, x)), x)
    two = torch.stack([matrices, 3 * matrices])
    torch.testing.assert_close(mix(invert(two), x)[1], mix(invert(matrices), x)[1] / 3)


def test_colours_that_never_occur() -> None:
    """A spectrum without variance in some direction, as that of grey pictures, is no division by zero."""
    grey = photographs(SMALL, least=0.0)
    spread = grey.spread.mean((0, 1), keepdim=True).expand_as(grey.spread)
    covariance = LowRank(spread.contiguous(), grey.directions, grey.weights)
    y = observe(degradation := masks(SMALL[1:]), covariance)
    x = lmmse(degradation, torch.full_like(y, 0.5), covariance, y)
    torch.testing.assert_close(x[:, 0], x[:, 1], atol=1e-3, rtol=0)
    assert (degradation.A(x) - y).abs().max() < 0.01


def test_channels_that_are_multiples_of_each_other_can_be_inverted() -> None:
    """As of grey photographs that were read as colour."""
    shape = (3, 32, 32)
    spread = photographs(shape).spread.float()
    spread = torch.ones(3, 3, 1, 1) * spread[:1, :1]
    C = LowRank(spread, spread.new_zeros(0, *shape), spread.new_zeros(0))
    grey = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)).expand(1, 3, 32, 32)
    mask = (torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1)) > 0.3).float()
    found = lmmse(Mask(mask), torch.zeros_like(grey), C, mask * grey)
    assert (mask * (found - grey)).square().mean().sqrt() < 0.03
