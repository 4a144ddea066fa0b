"""The smooth field and Poisson blending, against dense linear algebra and known harmonic functions."""

from __future__ import annotations

import torch
from torch import Tensor

from restora.degradations import (
    AdditiveNoise,
    Degradation,
    Downsample,
    Grayscale,
    Mask,
    Quantize,
    lmmse,
)
from restora.noise import Rounding
from restora.solvers.finish import _variance
from restora.solvers.poisson import poisson_blend
from restora.solvers.residual import SmoothField

SHAPE = (3, 6, 8)


def dense(operator) -> Tensor:
    basis = torch.eye(144, dtype=torch.float64).view(144, *SHAPE)
    return operator(basis).flatten(1).T


def test_the_covariance_is_symmetric_positive_and_of_unit_variance() -> None:
    matrix = dense(SmoothField())
    torch.testing.assert_close(matrix, matrix.T)
    assert torch.linalg.eigvalsh(matrix).min() > 0
    assert abs(matrix.diagonal().mean().item() - 1) < 1e-9


def test_neighbours_and_channels_correlate() -> None:
    matrix = dense(SmoothField(grey=0.9)).view(*SHAPE, *SHAPE)
    variance = matrix[0, 3, 4, 0, 3, 4]
    assert 0.85 < matrix[0, 3, 4, 1, 3, 4] / variance < 0.95
    assert 0.3 < matrix[0, 3, 4, 0, 3, 5] / variance < 1
    assert matrix[0, 3, 4, 0, 3, 7] < matrix[0, 3, 4, 0, 3, 5]


def posterior_mean(degradation: Degradation, mean: Tensor, y: Tensor) -> Tensor:
    a, c = dense(degradation.A), dense(SmoothField())
    system = a @ c @ a.T + degradation.sigma**2 * torch.eye(len(a), dtype=a.dtype)
    gain = c @ a.T @ torch.linalg.pinv(system)
    return mean + ((y - degradation.A(mean)).flatten(1) @ gain.T).view_as(mean)


def test_lmmse_is_the_gaussian_posterior_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, truth = torch.rand(2, 2, *SHAPE, generator=generator, dtype=torch.float64)
    mask = Mask(torch.rand(2, 1, 6, 8, generator=generator) < 0.6)
    for degradation in (AdditiveNoise(), Grayscale(), Downsample(2), Downsample(2, sigma=0.1)):
        y = degradation.A(truth)
        found = lmmse(degradation, mean, SmoothField(), y)
        torch.testing.assert_close(found, posterior_mean(degradation, mean, y), atol=2e-3, rtol=0)
    for i in range(2):
        one = mask.take(torch.tensor([i]))
        y, expected = mask.A(truth)[i : i + 1], posterior_mean(one, mean[i : i + 1], mask.A(truth)[i : i + 1])
        torch.testing.assert_close(lmmse(one, mean[i : i + 1], SmoothField(), y), expected, atol=2e-3, rtol=0)


def test_lmmse_of_the_quantiser_is_wiener_within_the_cells() -> None:
    generator, degradation = torch.Generator().manual_seed(0), Quantize(5)
    mean, truth = torch.rand(2, 2, *SHAPE, generator=generator, dtype=torch.float64)
    y, rounding = degradation(truth), Rounding(5)
    wiener = posterior_mean(AdditiveNoise(rounding.rounding**0.5), mean, y)
    low, high = rounding.cell(y)
    found = lmmse(degradation, mean, SmoothField(), y)
    torch.testing.assert_close(found, wiener.clamp(low, high), atol=2e-3, rtol=0)
    assert (rounding.snap(found) == y).double().mean() > 0.99


def test_the_variance_of_a_model_is_recovered() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(1, 3, 64, 64, generator=generator)
    model = truth + 0.1 * torch.randn(truth.shape, generator=generator)
    for degradation in (AdditiveNoise(0.2), Mask.center((64, 64), sigma=0.05), Quantize(5)):
        y = degradation(truth, generator)
        assert abs(_variance(model, y, degradation).item() - 0.01) < 2e-3


def test_poisson_blending_keeps_a_harmonic_picture() -> None:
    ramp = (torch.arange(16.0).view(1, 1, 1, 16) + 2 * torch.arange(12.0).view(1, 1, 12, 1)) / 40
    picture, mask = ramp.expand(2, 3, -1, -1), Mask.center((12, 16)).mask
    blended = poisson_blend(torch.zeros_like(picture), picture * mask, mask)
    torch.testing.assert_close(blended, picture)


def test_poisson_blending_keeps_the_gradients_of_the_guide() -> None:
    guide = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    mask = Mask.center((12, 12)).mask
    blended = poisson_blend(guide, (guide + 0.2) * mask, mask)
    torch.testing.assert_close(blended, guide + 0.2)


def test_poisson_blending_reaches_the_border_of_the_picture() -> None:
    guide = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, 1, 8, 8)
    mask[..., :4] = 0
    torch.testing.assert_close(poisson_blend(guide, (guide - 0.1) * mask, mask), guide - 0.1)


def test_each_mask_of_a_batch_is_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    guide, y = torch.rand(2, 3, 3, 8, 8, generator=generator)
    masks = (torch.rand(3, 1, 8, 8, generator=generator) < 0.5).float()
    masks[2] = masks[0]
    together = poisson_blend(guide, y, masks)
    for i in range(3):
        alone = poisson_blend(guide[i : i + 1], y[i : i + 1], masks[i : i + 1])
        torch.testing.assert_close(alone[0], together[i])


def test_the_smooth_field_without_cutoff_is_poisson_blending() -> None:
    guide, truth = torch.rand(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    mask = Mask.center((16, 16))
    y = mask.A(truth)
    field = lmmse(mask, guide, SmoothField(cutoff=1e-3, grey=0.0), y)
    difference = (field - poisson_blend(guide, y, mask.mask)).abs().mean()
    assert difference < 0.2 * (guide - truth).abs().mean()
