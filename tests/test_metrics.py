from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from restora import metrics
from restora.errors import ObservationError, ShapeError
from restora.pictures import colour


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 3, 24, 20, generator=generator)
    return truth + 0.1 * torch.randn(truth.shape, generator=generator), truth


def test_equal_scikit_images_on_the_rounded_images() -> None:
    x, truth = pair()
    a = (x.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    b = (truth * 255).round().to(torch.uint8).numpy()
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for i in range(3):
        psnr = peak_signal_noise_ratio(b[i], a[i], data_range=255)
        ssim = structural_similarity(b[i], a[i], data_range=255, channel_axis=0, **options)
        assert metrics.psnr(x, truth)[i].item() == pytest.approx(psnr, abs=1e-4)
        assert metrics.ssim(x, truth)[i].item() == pytest.approx(ssim, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(11, 40), st.integers(11, 40)),
    noise=st.floats(0, 1),
)
def test_equal_scikit_images_on_any_images(seed: int, size: tuple[int, int], noise: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(1, 3, *size, generator=generator)
    x = truth + noise * torch.randn(truth.shape, generator=generator)
    a, b = (colour.to_uint8(i)[0].numpy() for i in (x, truth))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(b, a, data_range=255, channel_axis=0, **options)
    assert metrics.ssim(x, truth).item() == pytest.approx(expected, abs=1e-6)
    if noise > 0.01:
        expected = peak_signal_noise_ratio(b, a, data_range=255)
        assert metrics.psnr(x, truth).item() == pytest.approx(expected, abs=1e-6)


def test_only_the_pixels_that_count() -> None:
    truth, where = torch.zeros(2, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    where[..., 2:4, 2:6] = 1
    x = truth + 0.5 * (1 - where)
    x[1] += 0.1 * where[0]
    found = metrics.peak_ratio(x.double(), truth.double(), where)
    assert found[0].item() == math.inf
    assert found[1].item() == pytest.approx(20, abs=1e-4)


def test_too_small_for_the_window() -> None:
    with pytest.raises(ShapeError, match="at least 11x11 pixels, got 12x10"):
        metrics.ssim(torch.zeros(1, 3, 10, 12), torch.zeros(1, 3, 10, 12))


def test_known_values() -> None:
    truth = torch.zeros(1, 3, 16, 16)
    assert metrics.psnr(truth, truth).item() == math.inf
    assert metrics.ssim(truth, truth).item() == pytest.approx(1)
    assert metrics.psnr(truth + 51 / 255, truth).item() == pytest.approx(-20 * math.log10(0.2))


def test_values_out_of_range_are_clipped_first() -> None:
    truth = torch.ones(1, 3, 16, 16)
    assert metrics.psnr(truth + 3, truth).item() == math.inf


def test_the_interval_is_that_of_a_mean() -> None:
    mean = metrics.mean([1.0, 2.0, 3.0, 4.0])
    assert mean.value == 2.5
    assert mean.half_width == pytest.approx(1.96 * math.sqrt(5 / 3) / 2)


def test_shapes_must_agree() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        metrics.psnr(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, truth = torch.rand(2, 2, channels, 16, 18, generator=generator)
    single = torch.stack([metrics.ssim(x[:, [c]], truth[:, [c]]) for c in range(channels)])
    torch.testing.assert_close(metrics.ssim(x, truth), single.mean(0))
    squares = [10 ** (-metrics.psnr(x[:, [c]], truth[:, [c]]) / 10) for c in range(channels)]
    torch.testing.assert_close(metrics.psnr(x, truth), -10 * torch.stack(squares).mean(0).log10())


def test_of_nan_it_is_nan_and_integers_are_refused() -> None:
    x, truth = pair()
    x[1, 0, 3, 4] = math.nan
    for measure in (metrics.psnr, metrics.ssim):
        assert measure(x, truth).isnan().tolist() == [False, True, False]
        torch.testing.assert_close(measure(x.numpy(), truth.numpy()), measure(x, truth), equal_nan=True)
        with pytest.raises(ObservationError, match="expected images of floats from 0 to 1, got uint8"):
            measure(x.nan_to_num().clamp(0, 1).mul(255).to(torch.uint8), truth)
