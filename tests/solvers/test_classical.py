"""The rows that every method is compared with."""

from __future__ import annotations

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
    Quantize,
)
from restora.errors import PairingError
from restora.random import generators
from restora.solvers import solvers


@pytest.fixture
def x() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def image(name: str, y: Tensor, degradation: Degradation) -> Tensor:
    (step,) = solvers.get(name)().steps(y, degradation, None, generators(0, len(y)))
    assert step.loss.shape == (len(y),)
    return step.x


@pytest.mark.parametrize("degradation", [AdditiveNoise(0.3), Quantize(3), Blur()])
def test_observed_is_the_observation(degradation: Degradation, x: Tensor) -> None:
    y = degradation(x, generators(0, 2))
    assert torch.equal(image("observed", y, degradation), y)


def test_observed_where_it_is_no_image(x: Tensor) -> None:
    mask = Mask.center((16, 16))
    assert torch.equal(image("observed", x, mask), x * mask.mask)
    small = Downsample(4)(x)
    large = image("observed", small, Downsample(4))
    assert torch.equal(large[:, :, 5, 9], small[:, :, 1, 2])
    assert large.shape == x.shape
    grey = Grayscale()(x)
    assert torch.equal(image("observed", grey, Grayscale()), grey.repeat(1, 3, 1, 1))
    rows = LinearDegradation(lambda x: x.mean(-1, keepdim=True), lambda y: y.expand(-1, -1, -1, 16) / 16)
    torch.testing.assert_close(image("observed", rows(x), rows), x.mean(-1, keepdim=True).expand_as(x))


def test_bicubic_keeps_a_ramp() -> None:
    ramp = (torch.arange(32.0).view(-1, 1) + 2 * torch.arange(32.0)).expand(1, 3, 32, 32) / 96
    large = image("bicubic", Downsample(4)(ramp), Downsample(4))
    torch.testing.assert_close(large[..., 8:-8, 8:-8], ramp[..., 8:-8, 8:-8], rtol=0, atol=1e-5)
    assert (
        image("bicubic", Downsample(4)(ramp), Downsample(4))
        != image("observed", Downsample(4)(ramp), Downsample(4))
    ).any()


def test_biharmonic_fills_a_ramp_and_takes_a_mask_for_each_image() -> None:
    ramp = (torch.arange(16.0).view(-1, 1) + 2 * torch.arange(16.0)).expand(2, 3, 16, 16) / 48
    mask = torch.ones(2, 1, 16, 16)
    mask[0, :, 5:9, 4:12] = 0
    mask[1, :, 9:12, 3:5] = 0
    degradation = Mask(mask)
    y = degradation(ramp)
    assert (y != ramp).any()
    torch.testing.assert_close(image("biharmonic", y, degradation), ramp, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "task"), [("bicubic", "denoise"), ("bicubic", "inpaint"), ("biharmonic", "superres")]
)
def test_what_they_decline(name: str, task: str, x: Tensor) -> None:
    degradation = {"denoise": AdditiveNoise(), "inpaint": Mask.center((16, 16)), "superres": Downsample()}[
        task
    ]
    with pytest.raises(PairingError, match=f"'{name}' has no answer to task '{task}'"):
        restora.restore(degradation(x), degradation, method=name)


def test_any_size_through_restore(x: Tensor) -> None:
    result = restora.restore(x[..., :8, :12], Downsample(3), method="bicubic", device="cpu")
    assert result.image.shape == (2, 3, 24, 36)
