"""The noise of pictures that were not made by `AdditiveNoise`: grey, of film, of cameras and their files."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage import data
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Degradation, lmmse
from restora.metrics import psnr
from restora.noise import GaussianNoise
from restora.noise.level import estimate_noise
from restora.operators import Convolution, Identity
from restora.operators.convolution import gaussian
from restora.priors import load_prior
from restora.random import generators


@pytest.fixture(scope="module")
def photo() -> Tensor:
    """(3, 240, 320): a cup of coffee on a table."""
    whole = torch.from_numpy(data.coffee()[:, :, :]).movedim(-1, 0)[None].float() / 255
    return torch.nn.functional.interpolate(whole, size=(240, 320), mode="area")[0]


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def jpeg(y: Tensor, quality: int) -> Tensor:
    pixels = (y.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, subsampling=2)
    return torch.from_numpy(np.array(Image.open(stream))).permute(2, 0, 1).float() / 255


def camera(x: Tensor) -> Tensor:
    """Noise that neighbours share and that grows with brightness, as a JPEG file has it."""
    smooth = torch.from_numpy(ndimage.gaussian_filter(normal(*x.shape).numpy(), (0, 0.6, 0.6)))
    return jpeg(x + (0.01 * x + 0.0005).sqrt() * smooth / smooth.std(), 90)


def best(y: Tensor, x: Tensor) -> float:
    """PSNR with the best white noise that could be named."""
    levels = (0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.12)
    found = [restora.restore(y[None], AdditiveNoise(s), prior="natural", device="cpu").image for s in levels]
    return max(psnr(image, x[None]).item() for image in found)


def auto(y: Tensor) -> Tensor:
    return restora.restore(y[None], AdditiveNoise("auto"), prior="natural", device="cpu").image


@pytest.mark.parametrize("quality", [90, 80])
def test_a_jpeg_file_of_a_noisy_photo(photo: Tensor, quality: int) -> None:
    y = jpeg(photo + 20 / 255 * normal(*photo.shape), quality)
    assert psnr(auto(y), photo[None]) > best(y, photo) - 0.3


def test_a_camera(photo: Tensor) -> None:
    y = camera(photo)
    assert psnr(auto(y), photo[None]) > best(y, photo) - 0.3


def test_grey_has_the_noise_of_its_one_channel(photo: Tensor) -> None:
    grey = photo.mean(0, keepdim=True)
    for sigma in (0.03, 0.1):
        y = (grey + sigma * normal(*grey.shape)).clamp(0, 1)
        assert restora.estimate_sigma(y[None]).item() == pytest.approx(sigma, rel=0.15)


def test_channels_that_share_their_noise(photo: Tensor) -> None:
    y = photo + 0.06 * normal(1, *photo.shape[1:])
    found = estimate_noise(y[None])[0]
    assert found.covariance is not None
    torch.testing.assert_close(found.covariance.float(), torch.full((3, 3), 0.06**2), rtol=0.35, atol=3e-4)
    assert psnr(auto(y), photo[None]) > best(y, photo) + 0.5


def test_no_noise_is_found_in_a_clean_photo(photo: Tensor) -> None:
    for y in (
        photo,
        jpeg(photo, 85),
        photo.mean(0, keepdim=True),
        torch.zeros(3, 64, 64),
        torch.ones(1, 9, 9),
    ):
        assert restora.estimate_sigma(y[None]).item() < 0.006


def test_where_there_is_none_nothing_changes(photo: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def network(*args: object) -> Tensor:
        raise AssertionError("nothing is to be removed")

    monkeypatch.setattr("restora.priors.flow.evaluate", network)
    x = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    assert torch.equal(restora.restore(x, AdditiveNoise("auto"), prior="natural", device="cpu").image, x)


def test_an_image_has_the_same_level_in_any_batch(photo: Tensor) -> None:
    noise = normal(*photo.shape)
    y = torch.stack([photo + 0.06 * noise, photo + 0.06 * noise[:1], photo, photo + 0.06 * noise[1:2]])
    together = restora.estimate_sigma(y)
    for i in range(len(y)):
        assert restora.estimate_sigma(y[i : i + 1]) == together[i]
    noises = AdditiveNoise("auto").given(y).noise
    torch.testing.assert_close(noises.white(y), together)


@pytest.mark.parametrize("gain", [0.01, 0.03])
def test_noise_that_grows_with_brightness(photo: Tensor, gain: float) -> None:
    y = (photo + (gain * photo + 0.0003).sqrt() * normal(*photo.shape)).clamp(0, 1)
    found = estimate_noise(y[None])[0]
    assert found.map is not None
    truth = (gain * photo + 0.0003).mean(0).sqrt()
    inside = (photo.mean(0) > 0.25) & (photo.mean(0) < 0.7)
    ratio = (found.map[0] / truth)[inside]
    assert ratio.log().abs().mean() < 0.25
    one = restora.restore(y[None], AdditiveNoise(float(found.sigma)), prior="natural", device="cpu").image
    assert psnr(auto(y), photo[None]) > psnr(one, photo[None]) + 0.05


def test_a_known_map_of_noise(photo: Tensor) -> None:
    sigma = torch.linspace(0.03, 0.15, photo.shape[2]).expand(1, 1, photo.shape[1], -1)
    degradation = Degradation(Identity(), GaussianNoise(sigma))
    y = degradation(photo[None], generators(0, 1))
    found = restora.restore(y, degradation, prior="natural", device="cpu").image
    for flat in (0.06, 0.09, 0.12):
        one = restora.restore(y, AdditiveNoise(flat), prior="natural", device="cpu").image
        assert psnr(found, photo[None]) > psnr(one, photo[None]) + 0.3


@pytest.mark.parametrize("spectrum", [False, True])
def test_coloured_noise_is_removed_exactly_where_images_are_gaussian(spectrum: bool) -> None:
    """The denoiser is told of the largest deviation alone; what y tells beyond that comes after it."""
    natural = load_prior("natural").sized(32, 40)
    assert natural.wiener is not None
    covariance = torch.tensor([[0.01, 0.006, 0.004], [0.006, 0.008, 0.003], [0.004, 0.003, 0.009]])
    if spectrum:
        slope = 1 / (1 + torch.arange(32.0)[:, None] + torch.arange(40.0)) ** 0.5
        covariance = covariance[..., None, None] * slope
    degradation = Degradation(Identity(), GaussianNoise(covariance=covariance))
    mean, C = natural.gaussian.mean[None], natural.gaussian.covariance
    y = degradation(mean + C.draw(mean, generators(0, 1)), generators(1, 1))
    sigma = degradation.noise.white(y)
    more = degradation.noise.beyond
    assert sigma is not None
    assert more is not None
    white = Degradation(Identity(), GaussianNoise(sigma.item()))
    level = 1 / (1 + sigma.item() / natural.scale)
    x = lmmse(white, mean, C, y, tolerance=1e-6)
    left = natural.wiener.covariance(level)
    found = Degradation(Identity(), more).condition(x, left, y, tolerance=1e-6)
    torch.testing.assert_close(found, lmmse(degradation, mean, C, y, tolerance=1e-6), rtol=0, atol=2e-3)


def test_a_blur_with_a_map_of_noise_is_restored(photo: Tensor) -> None:
    """Whether the kernel is right, nobody can tell from noise that differs from place to place."""
    sigma = torch.linspace(0.01, 0.03, 64).expand(1, 1, 64, 64)
    degradation = Degradation(Convolution(gaussian(1.2)), GaussianNoise(sigma))
    x = photo[None, :, 60:124, 60:124]
    found = restora.restore(degradation(x, generators(0, 1)), degradation, prior="natural", device="cpu")
    assert found.warnings == ((),)


def test_a_part_without_any_noise() -> None:
    """As in a truncated file, whose end is grey; the noise of the rest grows with brightness."""
    ramp = torch.linspace(0.1, 0.9, 256).expand(3, 256, 256)
    noise = torch.randn(ramp.shape, generator=torch.Generator().manual_seed(0))
    y = (ramp + (0.02 + 0.06 * ramp) * noise).clamp(0, 1)
    whole = estimate_noise(y[None])[0].sigma
    y[:, 180:] = 128 / 255
    assert 0.3 * whole < estimate_noise(y[None])[0].sigma < whole
