"""Priors of colours for images of one channel, against what a Gaussian one has to be."""

from __future__ import annotations

import pytest
import torch
from skimage.data import camera
from torch import Tensor, nn

import restora
from restora.degradations import AdditiveNoise, Blur, Downsample, Grayscale, Mask
from restora.errors import ShapeError, WeightsError
from restora.metrics import psnr
from restora.operators import Matrix
from restora.priors import DictionaryPrior, FlowPrior, GANPrior, GaussianPrior, Prior, load_prior
from restora.random import generators

SHAPE = (3, 8, 8)


class Zero(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x[:, :3] * 0


def gaussian(rank: int = 0) -> GaussianPrior:
    """Of channels that are exchangeable, so that their mean tells all that grey noise across them could."""
    stream = torch.Generator().manual_seed(0)
    frequency = 1 + torch.arange(8.0)[:, None] + torch.arange(8.0)[None]
    spread = (0.06 * torch.eye(3) + 0.02)[:, :, None, None] / frequency
    factors = 0.1 * torch.randn(rank, 1, 8, 8, generator=stream).expand(rank, *SHAPE)
    return GaussianPrior(0.4 + 0.2 * torch.rand(SHAPE, generator=stream), factors, spread)


@pytest.mark.parametrize("rank", [0, 3])
def test_a_gaussian_of_the_mean_of_its_channels(rank: int) -> None:
    prior = gaussian(rank)
    basis = torch.eye(64).view(64, 1, 8, 8)
    expected = prior.covariance(basis.expand(64, *SHAPE) / 3).mean(1, keepdim=True)
    torch.testing.assert_close(prior.grey().covariance(basis), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(prior.grey().mean, prior.mean.mean(0, keepdim=True))


def test_a_linear_flow_denoises_grey_exactly() -> None:
    prior = FlowPrior(Zero(), gaussian()).grey()
    w, t = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([0.2, 0.7])
    assert prior.wiener is not None
    expected = prior.wiener(w, t)[0]
    for orientation in range(3):
        torch.testing.assert_close(prior.denoise(w, t, orientation), expected, rtol=0, atol=1e-5)


def test_the_noise_across_the_channels_makes_that_of_the_colours_white() -> None:
    seen = []

    class Network(nn.Module):
        def forward(self, w: Tensor, t: Tensor) -> Tensor:
            seen.append((w, t))
            return w

    prior = FlowPrior(Network(), form="denoiser", image_shape=(3, 64, 64)).grey()
    w = 0.5 * prior.scale * torch.randn(200, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    one, two = (prior.denoise(w, 0.5, k) for k in (2, 3))
    torch.testing.assert_close(one, two)
    noise = torch.cat([x for x, _ in seen]).movedim(1, 0).flatten(1)
    torch.testing.assert_close(noise.cov(correction=0), 0.25**2 * torch.eye(3), rtol=0, atol=4e-3)
    assert all(t.eq(0.5).all() for _, t in seen)
    torch.testing.assert_close(seen[0][0] + seen[1][0], 2 * w.expand(-1, 3, -1, -1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("degradation", [AdditiveNoise(0.1), Downsample(2), Blur(width=0.7, sigma=0.05)])
@pytest.mark.parametrize("method", ["lmmse", "mmse", "flower"])
def test_a_grey_posterior_in_closed_form(degradation: torch.nn.Module, method: str) -> None:
    colour = gaussian() if method == "lmmse" else FlowPrior(Zero(), gaussian())
    x = gaussian().grey().sample(2, torch.Generator().manual_seed(0))
    y = degradation(x, generators(0, 2))
    found = restora.restore(y, degradation, method=method, prior=colour, device="cpu").image
    expected = restora.restore(y, degradation, method="lmmse", prior=gaussian().grey(), device="cpu").image
    assert found.shape == x.shape
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-3 if method != "flower" else 3e-2)


def test_a_gan_of_grey_images() -> None:
    colour = load_prior("faces64-dcgan")
    assert isinstance(colour, GANPrior)
    grey = colour.grey()
    z = grey.latents(2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(grey.generate(z), colour.generate(z).mean(1, keepdim=True))
    x = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(grey.logit(x), colour.logit(x.expand(-1, 3, -1, -1)))
    y = AdditiveNoise(0.1)(grey.generate(z).clamp(0, 1), generators(0, 2))
    found = restora.restore(y, AdditiveNoise(0.1), method="map", prior=colour, device="cpu").image
    assert found.shape == (2, 1, 64, 64)
    assert (found - grey.generate(z)).square().mean().sqrt() < 0.08


def test_a_dictionary_of_grey_patches() -> None:
    atoms = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    colour = DictionaryPrior(atoms - atoms.mean((2, 3), keepdim=True))
    patches = colour.atoms.mean(1).flatten(1)[:5]
    coded, count = colour.grey().code(patches, 2)
    assert count.eq(1).all()
    torch.testing.assert_close(coded, patches, rtol=0, atol=1e-5)


def test_which_channels_a_prior_has() -> None:
    prior = FlowPrior(Zero(), gaussian())
    assert prior.with_channels(3) is prior
    assert prior.fits((1, 8, 8))
    assert not prior.fits((2, 8, 8))
    assert not prior.fits((1, 8, 9))
    assert prior.with_channels(1).with_channels(1) is prior.grey()
    assert Prior.grey(prior) is None
    with pytest.raises(ShapeError, match="with 3 channels, got 2"):
        prior.with_channels(2)
    with pytest.raises(WeightsError, match="store the prior of colour"):
        prior.grey().config()


def test_an_operator_that_only_takes_grey_images() -> None:
    """Its observations are flat, so that they tell no channels; the operator does."""
    rows = torch.randn(40, 64, generator=torch.Generator().manual_seed(0)) / 8
    sums = restora.Degradation(Matrix(rows, shape=(1, 8, 8)), restora.GaussianNoise(0.01))
    prior = FlowPrior(Zero(), gaussian())
    x = gaussian().grey().sample(1, torch.Generator().manual_seed(0))
    found = restora.restore(sums.A(x), sums, method="lmmse", prior=gaussian(), device="cpu").image
    assert restora.restore(sums.A(x), sums, prior=prior, device="cpu").image.shape == x.shape
    assert (found - x).square().mean() < 0.5 * x.var()


def test_a_grey_photo_of_any_size() -> None:
    x = torch.from_numpy(camera()[100:250, 180:340]).float()[None, None] / 255
    natural = load_prior("natural")
    for degradation in (AdditiveNoise(0.1), Mask(torch.ones(150, 160)), Downsample(2)):
        y = degradation(x, generators(0, 1))
        assert restora.restore(y, degradation, prior=natural, device="cpu").image.shape == x.shape
    y = AdditiveNoise(0.1)(x, generators(0, 1))
    whole = restora.restore(y, AdditiveNoise(0.1), prior=natural, device="cpu")
    assert psnr(whole.image, x) > 27.5
    tiled = restora.restore(y, AdditiveNoise(0.1), prior=natural, tile=128, device="cpu")
    assert psnr(tiled.image, whole.image) > 35
    colours = restora.restore(x, Grayscale(), prior=natural, device="cpu").image
    assert colours.shape == (1, 3, 150, 160)
