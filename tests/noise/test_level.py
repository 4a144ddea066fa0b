"""estimate_sigma on pictures whose noise is known."""

from __future__ import annotations

import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Degradation
from restora.errors import OptionError, ShapeError
from restora.noise import GaussianNoise
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


@pytest.mark.parametrize("level", [0.02, 0.5, 0.99])
def test_what_a_file_cut_is_left_out(level: float) -> None:
    x = torch.full((1, 3, 128, 128), level)
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
    with pytest.raises(ShapeError, match="at least 4 pixels per side"):
        restora.estimate_sigma(torch.zeros(1, 3, 3, 9))
    with pytest.raises(OptionError, match="expected a number to simulate noise"):
        AdditiveNoise("auto")(torch.zeros(1, 3, 8, 8))
