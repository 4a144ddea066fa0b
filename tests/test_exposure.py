"""Dark observations are restored as bright as a prior's images are, and come back as dark as they were."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from restora import exposure, restore
from restora.degradations import AdditiveNoise, Degradation, Downsample, Mask, Poisson, Quantize
from restora.metrics import psnr
from restora.noise import GaussianNoise, PoissonNoise
from restora.operators import Identity
from restora.priors import GaussianPrior


def photo(size: int = 96) -> torch.Tensor:
    x = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255
    return x[..., 20 : 20 + size, 180 : 180 + size].contiguous()


def noisy(x: torch.Tensor, sigma: float) -> torch.Tensor:
    return x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(3))


@given(st.floats(1e-4, 2.0))
def test_factors_fill_the_range_and_never_pass_it(peak: float) -> None:
    c = exposure.factors(torch.tensor([[peak, 0.0]], dtype=torch.float64)).item()
    assert c >= 1
    assert c == 2 ** round(torch.tensor(c).log2().item())
    assert c == 1 or 0.5 <= c * peak < 1


def test_black_stays_as_it_is() -> None:
    assert exposure.factors(torch.zeros(2, 3, 4, 4)).tolist() == [1, 1]


@pytest.mark.parametrize("factor", [4, 16])
@pytest.mark.parametrize("task", ["denoise", "superres", "inpaint"])
def test_a_dark_picture_is_restored_as_the_bright_one(task: str, factor: int) -> None:
    x, sigma = photo(), 0.1
    mask = torch.ones(1, 1, 96, 96)
    mask[..., 30:50, 30:50] = 0
    made = {
        "denoise": AdditiveNoise,
        "superres": lambda s: Downsample(2, sigma=s),
        "inpaint": lambda s: Mask(mask, sigma=s),
    }
    y = noisy(made[task](0.0)(x), sigma).clamp(0, 0.99)
    bright = restore(y, made[task](sigma), prior="natural")
    dark = restore(y / factor, made[task](sigma / factor), prior="natural")
    assert torch.allclose(dark.image * factor, bright.image, atol=1e-4)
    assert torch.allclose(dark.residual * factor, bright.residual, atol=1e-4)
    assert dark.degradation.noise.level == pytest.approx(sigma / factor)


def test_noise_of_a_dark_picture_is_found() -> None:
    x, y = photo(160) / 32, noisy(photo(160) / 32, 0.1 / 32)
    found = restore(y, AdditiveNoise("auto"), prior="natural")
    assert found.degradation.noise.level == pytest.approx(0.1 / 32, rel=0.15)
    assert psnr(found.image * 32, x * 32) > 29


def test_a_result_does_not_depend_on_its_batch() -> None:
    y = noisy(photo(64), 0.05).clamp(0, 0.99)
    rows = torch.cat([y, y / 8, y / 2])
    levels = torch.tensor([0.05, 0.05 / 8, 0.05 / 2])
    together = restore(rows, Degradation(Identity(), GaussianNoise(levels)), prior="natural").image
    alone = [
        restore(row[None], AdditiveNoise(s.item()), prior="natural").image
        for row, s in zip(rows, levels, strict=True)
    ]
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


def test_deviations_and_samples_are_as_dark_as_the_picture() -> None:
    y = noisy(photo(64), 0.1).clamp(0, 0.99)
    bright = restore(y, AdditiveNoise(0.1), prior="natural", uncertainty=True, samples=2)
    dark = restore(y / 8, AdditiveNoise(0.1 / 8), prior="natural", uncertainty=True, samples=2)
    assert bright.std is not None
    assert dark.std is not None
    assert torch.allclose(dark.std * 8, bright.std, atol=1e-4)
    assert torch.allclose((dark.samples * 8).clamp(max=1), bright.samples, atol=2e-3)


def test_a_prior_of_dark_images_sees_them_as_they_are() -> None:
    mean = torch.full((3, 8, 8), 0.02)
    spread = 0.01 * torch.eye(3)[..., None, None].expand(3, 3, 8, 8).contiguous()
    dark = GaussianPrior(mean, torch.zeros(0, 3, 8, 8), spread)
    y = noisy(mean[None], 0.01)
    assert exposure.brightened(y, AdditiveNoise(0.01), dark) is None
    exact = mean + 0.5 * (y - mean)
    assert torch.allclose(
        restore(y, AdditiveNoise(0.01), prior=dark, method="lmmse").image, exact.clamp(0), atol=1e-6
    )


def test_photon_noise_of_a_dark_picture_is_removed_as_that_of_a_bright_one() -> None:
    """The same counts, on a longer and a shorter scale."""
    x = 0.6 * photo(64)
    counts = torch.poisson(60 * x, generator=torch.Generator().manual_seed(5))
    y = counts / 60
    bright = restore(y, Poisson(60.0, sigma=0.02), prior="natural").image
    dark = restore(y / 16, Poisson(960.0, sigma=0.02 / 16), prior="natural").image
    light, dim = torch.tensor([60.0, 960.0]), torch.tensor([0.02, 0.02 / 16])
    both = Degradation(Identity(), PoissonNoise(light, dim))
    together = restore(torch.cat([y, y / 16]), both, prior="natural").image
    assert psnr(bright, x) > psnr(y, x) + 4
    assert torch.allclose(dark * 16, bright, atol=1e-3)
    assert torch.allclose(together[:1], bright, atol=1e-3)
    assert torch.allclose(together[1:], dark, atol=1e-4)


def test_noise_that_has_no_darker_form_is_left() -> None:
    bright = GaussianPrior(torch.full((1, 8, 8), 0.5), torch.zeros(0, 1, 8, 8), torch.full((1, 1, 8, 8), 0.2))
    assert exposure.brightened(torch.full((1, 1, 8, 8), 0.1), Quantize(5), bright) is None
