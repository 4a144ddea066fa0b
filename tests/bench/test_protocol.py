"""restora.bench.protocol: the observations, and the scores, on known answers."""

from __future__ import annotations

import math

import pytest
import torch

from restora import metrics
from restora.bench.protocol import TASKS, Clean, Deck, check_tasks, own_range, protocols
from restora.degradations import Mask, Quantize, degradations, lmmse, named
from restora.errors import ShapeError, UnknownNameError
from restora.gaussian.covariance import Isotropic
from restora.noise import Rounding
from restora.random import generators
from restora.restoration import restore

SHAPE = (3, 16, 16)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("protocol", [Clean(), Deck()])
@pytest.mark.parametrize("task", degradations.names())
def test_every_task_has_an_observation(protocol: Clean, task: str) -> None:
    degradation = protocol.degradation(task, SHAPE[1:])
    y = protocol.observe(degradation, pictures(), generators(0, 2))
    assert tuple(y.shape[1:]) == degradation.operator.observed_shape(SHAPE)


def test_the_deck_keeps_noise_as_it_is() -> None:
    protocol = Deck()
    y = protocol.observe(protocol.degradation("denoise", SHAPE[1:]), torch.ones(1, *SHAPE), generators(0, 1))
    assert y.max() > 1.1
    assert y.std().item() == pytest.approx(0.1, rel=0.1)


def test_clean_observations_are_those_of_a_file() -> None:
    protocol = Clean()
    degradation = protocol.degradation("denoise", SHAPE[1:])
    y = protocol.observe(degradation, torch.ones(1, *SHAPE), generators(0, 1))
    assert y.max() == 1
    assert torch.equal(y * 255, (y * 255).round())
    unclipped = degradation(torch.ones(1, *SHAPE), generators(0, 1))
    assert (y - unclipped.clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6


def test_clean_observations_and_scores_of_16_bits() -> None:
    protocol = Clean(16)
    truth = pictures()
    y = protocol.observe(protocol.degradation("denoise", SHAPE[1:]), truth, generators(0, 2)).double()
    torch.testing.assert_close(y * 65535, (y * 65535).round(), rtol=0, atol=0.01)
    assert (y * 255 - (y * 255).round()).abs().max() > 0.4
    assert (protocol.score(Quantize(), truth + 1e-4, truth).psnr - 80).abs().max() < 0.2


def test_clean_scores_are_those_of_the_metrics() -> None:
    truth = pictures()
    x = truth + 0.2 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    scores = Clean().score(Quantize(), x, truth)
    assert torch.equal(scores.psnr, metrics.psnr(x, truth))
    assert torch.equal(scores.ssim, metrics.ssim(x, truth))
    assert scores.hole_psnr is None


def test_hole_psnr_counts_the_missing_pixels_alone() -> None:
    truth = torch.full((1, *SHAPE), 102 / 255)
    degradation = Mask.center(SHAPE[1:])
    x = truth + (51 / 255) * (1 - degradation.mask)
    scores = Clean().score(degradation, x, truth)
    assert scores.hole_psnr is not None
    assert scores.hole_psnr.item() == pytest.approx(-20 * math.log10(0.2))
    assert scores.psnr.item() == pytest.approx(-20 * math.log10(0.2) + 10 * math.log10(4))
    wrong_outside = truth + 0.1 * degradation.mask
    assert Clean().score(degradation, wrong_outside, truth).hole_psnr.item() == math.inf


def test_own_range() -> None:
    x = torch.stack([torch.full(SHAPE, 0.25), torch.full(SHAPE, 0.7)])
    x[0, 0, 0, 0], x[0, 1, 0, 0] = -0.25, 0.75
    scaled = own_range(x)
    assert scaled[0, 0, 0, 0] == 0
    assert scaled[0, 1, 0, 0] == 1
    assert scaled[0, 2, 3, 3].item() == 0.5
    assert torch.equal(scaled[1], torch.zeros(SHAPE).double())
    dark = torch.zeros(1, *SHAPE)
    dark[0, :, :4] = 0.5
    dark[0, :, 4:8] = 0.25
    assert torch.equal(own_range(dark), dark.double() / dark.max())


def test_deck_does_not_see_brightness_and_contrast() -> None:
    truth = pictures()
    scores = Deck().score(Quantize(), 0.3 + 0.5 * truth, truth)
    assert (scores.psnr > 100).all()
    assert scores.ssim.tolist() == pytest.approx([1, 1])
    assert (Clean().score(Quantize(), 0.3 + 0.5 * truth, truth).psnr < 20).all()


def test_deck_scores_known_difference() -> None:
    truth = torch.zeros(1, *SHAPE)
    truth[..., 0, 0] = 1
    x = truth.clone()
    x[:, :, 8:] = 0.5
    assert Deck().score(Quantize(), x, truth).psnr.item() == pytest.approx(-10 * math.log10(0.125), abs=1e-6)


def test_deck_quantiser() -> None:
    degradation = Deck().degradation("dequantize", SHAPE[1:])
    values = torch.arange(256).float() / 255
    x = values.view(1, 1, 16, 16).expand(1, 3, 16, 16)
    y = degradation(x)
    expected = torch.arange(256).div(55, rounding_mode="floor").clamp(max=4) * 55 / 255
    assert torch.allclose(y[0, 0].flatten(), expected, atol=1e-6)
    assert isinstance(degradation.noise, Rounding)
    low, high = degradation.noise.cell(y)
    assert (low <= x + 1e-6).all()
    assert (x <= high + 1e-6).all()
    assert torch.allclose(low, y)
    assert torch.allclose(high, (y + 55 / 255).clamp(max=1))
    assert degradation.fidelity(x, y).item() == pytest.approx(0, abs=1e-9)
    assert torch.equal(degradation(y), y)


def test_deck_lmmse_aims_at_the_middle_of_the_cell() -> None:
    degradation = Deck().degradation("dequantize", SHAPE[1:])
    truth = pictures()
    y = degradation(truth)
    mean = torch.full_like(truth, 0.5)
    found = lmmse(degradation, mean, Isotropic(1e3), y)
    assert isinstance(degradation.noise, Rounding)
    low, high = degradation.noise.cell(y)
    assert torch.allclose(found, (low + high) / 2, atol=1e-3)


def test_deck_tv_aims_at_the_middle_of_the_cell() -> None:
    degradation = Deck().degradation("dequantize", SHAPE[1:])
    y = torch.full((1, *SHAPE), 110 / 255)
    found = restore(y, degradation, method="tv").image
    torch.testing.assert_close(found, torch.full_like(y, (110 + 27.5) / 255), rtol=0, atol=1e-4)


def test_deck_shows_the_observation_itself() -> None:
    protocol, x = Deck(), torch.rand(1, *SHAPE)
    noisy = 3 * torch.randn(1, *SHAPE)
    assert torch.equal(protocol.unrestored(protocol.degradation("denoise", SHAPE[1:]), noisy, x), noisy)
    small = torch.rand(1, 3, 4, 4)
    large = protocol.unrestored(protocol.degradation("superres", SHAPE[1:]), small, x)
    assert torch.equal(large, small.repeat_interleave(4, 2).repeat_interleave(4, 3))
    grey = torch.rand(1, 1, 16, 16)
    shown = protocol.unrestored(protocol.degradation("colorize", SHAPE[1:]), grey, x)
    assert torch.equal(shown, grey.expand(1, 3, 16, 16))


def test_facts_say_how_a_task_was_set() -> None:
    facts = lambda task: named.options(Clean().degradation(task, (16, 16)))  # noqa: E731
    assert facts("inpaint") == {"sigma": 0.0, "hole": "center"}
    assert facts("superres:kernel=bicubic") == {"sigma": 0.0, "scale": 4, "kernel": "bicubic"}


def test_names() -> None:
    assert protocols.names() == ["clean", "deck"]
    assert set(TASKS) <= set(degradations.names())
    with pytest.raises(ShapeError, match="task 'superres' does not fit these images: scale"):
        check_tasks(Clean(), TASKS, [(3, 18, 16)])
    with pytest.raises(UnknownNameError, match="denoise"):
        check_tasks(Clean(), ["denoize"], [SHAPE])
