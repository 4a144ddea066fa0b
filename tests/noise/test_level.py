"""estimate_sigma on pictures whose noise is known."""

from __future__ import annotations

import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Degradation
from restora.errors import OptionError, ShapeError
from restora.noise import GaussianNoise, level
from restora.noise.flat import Flat
from restora.operators import Identity
from restora.pictures import colour
from restora.random import generators


@pytest.fixture(scope="module")
def photo() -> Tensor:
    """(1, 3, 256, 256): a face, a bright suit, and a black helmet."""
    whole = torch.from_numpy(astronaut()).movedim(-1, 0)[None].float() / 255
    return torch.nn.functional.avg_pool2d(whole, 2)


def file(y: Tensor) -> Tensor:
    return colour.to_uint8(y).float() / 255


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1, 0.2])
def test_a_photo_of_8_bits(photo: Tensor, sigma: float) -> None:
    y = file(AdditiveNoise(sigma)(photo, generators(0, 1)))
    assert restora.estimate_sigma(y).item() == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("sigma", [0.1, 0.2])
def test_a_grey_one(photo: Tensor, sigma: float) -> None:
    y = file(AdditiveNoise(sigma)(photo[:, 1:2], generators(0, 1)))
    assert restora.estimate_sigma(y).item() == pytest.approx(sigma, rel=0.2)


@pytest.mark.parametrize("tone", [0.02, 0.5, 0.99])
def test_what_a_file_cut_is_left_out(tone: float) -> None:
    x = torch.full((1, 3, 128, 128), tone)
    x[..., :64] = 0.5
    y = file(AdditiveNoise(0.1)(x, generators(0, 1)))
    assert restora.estimate_sigma(y).item() == pytest.approx(0.1, rel=0.05)


def test_each_image_has_its_own(photo: Tensor) -> None:
    noise = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sigma = torch.tensor([0.0, 0.05, 0.2]).double()
    found = restora.estimate_sigma(0.5 + sigma.view(3, 1, 1, 1) * noise)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, sigma, rtol=0.05, atol=0)
    assert restora.estimate_sigma(0.5 + sigma[1] * noise[1:2]) == found[1]


def test_restore_finds_it(photo: Tensor) -> None:
    y = file(AdditiveNoise(0.1)(photo[..., :64, :64], generators(0, 1)))
    found = restora.restore(y, AdditiveNoise("auto"), method="tv")
    assert not found.degradation.blind
    assert found.degradation.sigma == pytest.approx(0.1, rel=0.12)
    again = restora.restore(y, found.degradation, method="tv")
    assert torch.equal(found.image, again.image)


def test_one_level_an_image() -> None:
    x, sigma = torch.full((2, 3, 64, 64), 0.5), torch.tensor([0.05, 0.2])
    y = Degradation(Identity(), GaussianNoise(sigma))(x, generators(0, 2))
    known = AdditiveNoise("auto").given(y)
    torch.testing.assert_close(known.noise.white(y), sigma, rtol=0.1, atol=0)
    mean = known.condition(x + 0.1, 0.01, y)
    for i in range(2):
        index = torch.tensor([i])
        alone = AdditiveNoise("auto").given(y[index]).condition(x[index] + 0.1, 0.01, y[index])
        torch.testing.assert_close(mean[index], alone)


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="at least 4 pixels a side"):
        restora.estimate_sigma(torch.zeros(1, 3, 3, 9))
    with pytest.raises(OptionError, match="expected a number to simulate noise"):
        AdditiveNoise("auto")(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("period", [5, 9, 15])
def test_smooth_shading_is_no_noise(period: int) -> None:
    row, column = torch.meshgrid(torch.arange(96.0), torch.arange(112.0), indexing="ij")
    wave = 0.5 + 0.4 * torch.sin(row / period) * torch.cos(column / (period + 3))
    assert restora.estimate_sigma(wave[None, None]).item() == 0
    noise = torch.randn(wave.shape, generator=torch.Generator().manual_seed(0))
    assert restora.estimate_sigma((wave + 0.04 * noise)[None, None]).item() == pytest.approx(0.04, rel=0.1)


def ranges(mean: tuple[float, ...], difference: tuple[float, ...], even: tuple[int, ...]) -> Flat:
    """Four ranges of brightness: deviations of the mean of the channels and of differences of colours, and
    which of them look like noise. As in JPEG files, colours have no high frequencies."""
    falling = torch.tensor([1.0, 1.0, 0.5, 0.1, 0.0])
    deviations = torch.tensor([mean, difference, difference]).T
    power = torch.stack([torch.ones(4, 5), falling.expand(4, 5), falling.expand(4, 5)], 1)
    power = power * deviations.square()[..., None]
    covariance = torch.diag_embed(power[..., 0])
    likeness = torch.where(torch.tensor(even) > 0, 1.0, 1.45)
    limit = torch.full((4, 5), torch.inf)
    return Flat(torch.tensor([0.3, 0.4, 0.5, 0.6]), power, covariance, likeness, torch.ones(4), limit)


def estimate(monkeypatch: pytest.MonkeyPatch, flat: Flat) -> level.Estimate:
    monkeypatch.setattr(level, "flat_blocks", lambda image, basis: flat)
    row = torch.linspace(0.25, 0.65, 64)
    return level.estimate_noise(row.expand(1, 3, 64, 64))[0]


def test_one_range_of_texture_is_not_taken_for_all_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a photo with noise of 0.08 in a JPEG file: 0.138 was found, which cost 1.4 dB."""
    flat = ranges((0.088, 0.138, 0.107, 0.084), (0.040, 0.044, 0.040, 0.040), (0, 1, 0, 0))
    found = estimate(monkeypatch, flat)
    assert found.map is None
    assert 0.08 < found.sigma < 0.1


def test_a_range_of_texture_makes_no_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of 0.08 everywhere: a bright range of texture made it grow to 0.2."""
    flat = ranges((0.075, 0.080, 0.084, 0.244), (0.037, 0.039, 0.040, 0.042), (1, 1, 0, 0))
    found = estimate(monkeypatch, flat)
    assert found.map is None
    assert found.sigma == pytest.approx(0.08, rel=0.1)


def test_noise_that_grows_still_makes_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = ranges((0.06, 0.09, 0.11, 0.13), (0.028, 0.04, 0.05, 0.06), (1, 1, 1, 0))
    found = estimate(monkeypatch, flat)
    assert found.map is not None
    assert found.map.max() > 1.3 * found.map.min()


def test_texture_in_one_range_of_brightness_is_no_noise_of_a_grey_picture() -> None:
    """Fine texture that looks like noise, in the dark half, and noise of 0.05 everywhere."""
    generator = torch.Generator().manual_seed(0)
    rough = 0.25 + 0.25 * (torch.rand(256, 128, generator=generator) - 0.5)
    x = torch.cat([rough, torch.full((256, 128), 0.75)], 1)
    x[:, 128:] += 0.02 * torch.randn(256, 128, generator=generator).cumsum(1) / 10
    y = x + 0.05 * torch.randn(256, 256, generator=generator)
    sigma = level.estimate_sigma(y[None, None]).item()
    assert 0.045 < sigma < 0.075
