"""Flows for images of any size: what ties one to its size, and that what it says does not change with it."""

from __future__ import annotations

import pytest
import torch

from restora.degradations import AdditiveNoise, Downsample, Mask
from restora.errors import ShapeError
from restora.networks.unet import UNet
from restora.priors import FlowPrior, GaussianPrior
from restora.restoration import restore


def flow(size: int = 32, rank: int = 0, attention: bool = False) -> FlowPrior:
    """A smooth stationary field and a network that is not trained, but says something."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    frequency = (torch.arange(size)[:, None] ** 2 + torch.arange(size)[None] ** 2).sqrt() / (2 * size)
    spread = (0.3 * torch.eye(3) + 0.1)[..., None, None] / (1 + (20 * frequency) ** 2)
    factors = 0.1 * torch.randn(rank, 3, size, size, generator=generator)
    gaussian = GaussianPrior(torch.full((3, size, size), 0.5), factors, spread)
    network = UNet(6, 3, width=4, multipliers=(1, 2), blocks=1, attention=attention)
    torch.nn.init.normal_(network.last.weight, std=0.05)
    return FlowPrior(network, gaussian)


def test_what_has_one_size() -> None:
    assert flow().any_size
    tied = [flow(rank=2), flow(attention=True), FlowPrior(torch.nn.Identity(), None, image_shape=(3, 8, 8))]
    for prior in tied:
        assert not prior.any_size
        assert prior.sized(*prior.image_shape[1:]) is prior
        with pytest.raises(ShapeError, match=r"images only; got 24x16"):
            prior.sized(16, 24)


def test_the_middle_of_an_image_is_denoised_alike_in_any_size() -> None:
    prior = flow()
    w = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(0))
    large, small = prior.sized(64, 80).denoise(w, 0.7), prior.sized(48, 48).denoise(w[..., 8:56, 16:64], 0.7)
    apart = (large[..., 8:56, 16:64] - small)[..., 16:-16, 16:-16]
    assert apart.abs().max() < 0.02 * (large - w).abs().mean()
    assert prior.sized(64, 80).name == prior.name


@pytest.mark.parametrize("degradation", [AdditiveNoise(0.1), Downsample(4), Mask.center((24, 40))])
def test_images_of_any_size_are_restored(degradation: torch.nn.Module) -> None:
    x = flow().sized(24, 40).gaussian.sample(2, torch.Generator().manual_seed(0))
    y = degradation(x, torch.Generator().manual_seed(0))
    found = restore(y, degradation, prior=flow())
    assert found.image.shape == x.shape
    assert found.residual.max() < 0.12
    assert restore(y[:, :1], degradation, prior=flow()).image.shape == x[:, :1].shape
    with pytest.raises(ShapeError):
        restore(y[:, :2], degradation, prior=flow())
