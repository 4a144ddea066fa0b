"""restora.observation: tensors as researchers have them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from restora import (
    AdditiveNoise,
    Degradation,
    Function,
    GANPrior,
    GaussianNoise,
    GaussianPrior,
    LinearDegradation,
    Mask,
    Restoration,
    load_prior,
    restore,
    stream,
)
from restora.errors import CallError, ObservationError, OptionError, RestoraError, ShapeError
from restora.operators import Identity
from restora.operators.base import verify

SHAPE = (3, 12, 10)
NOISE = AdditiveNoise(0.1)


@pytest.fixture
def x() -> Tensor:
    """Two smooth pictures in [0.1, 0.9]."""
    row, column = torch.linspace(0, 1, 12).view(-1, 1), torch.linspace(0, 1, 10)
    images = [torch.stack([row + 0 * column, 0 * row + column, (row + column) / 2]), torch.ones(SHAPE) * row]
    return 0.1 + 0.8 * torch.stack(images)


@pytest.fixture
def y(x: Tensor) -> Tensor:
    return NOISE(x, torch.Generator().manual_seed(0))


@pytest.fixture
def gaussian() -> GaussianPrior:
    spread = 0.1 * torch.eye(3)[..., None, None].expand(-1, -1, 12, 10)
    return GaussianPrior(
        0.4 + 0.2 * torch.linspace(0, 1, 10).expand(SHAPE).contiguous(), torch.zeros(0, *SHAPE), spread
    )


def tv(y: Any, degradation: Degradation = NOISE, **options: Any) -> Restoration:
    return restore(y, degradation, method="tv", device="cpu", **options)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["tv", "lmmse", "wavelet"])
def test_any_float_in_and_the_same_out(
    method: str, dtype: torch.dtype, y: Tensor, gaussian: GaussianPrior
) -> None:
    prior = gaussian if method == "lmmse" else None
    result, expected = (
        restore(v, NOISE, method=method, prior=prior, device="cpu") for v in (y.to(dtype), y.float())
    )
    assert result.image.dtype == result.samples.dtype == dtype
    assert (result.image.float() - expected.image).abs().max() < 0.02


def test_a_prior_of_float64(y: Tensor, gaussian: GaussianPrior) -> None:
    result = restore(y, NOISE, method="lmmse", prior=gaussian.double(), device="cpu")
    assert result.image.dtype == torch.float32


def test_arrays_come_back_as_arrays(y: Tensor) -> None:
    result: Any = tv(y.numpy())
    assert all(isinstance(value, np.ndarray) for value in (result.image, result.samples, result.residual))
    assert result.image.dtype == np.float32
    assert np.array_equal(result.image, tv(y).image.numpy())
    assert tv(y.double().numpy()[:, :, ::-1]).image.dtype == np.float64  # type: ignore[comparison-overlap]


@pytest.mark.parametrize(("dtype", "full"), [(torch.uint8, 255), (torch.uint16, 65535)])
def test_integers_count_by_their_dtype(dtype: torch.dtype, full: int, y: Tensor) -> None:
    levels = (y.clamp(0, 1) * full).round()
    assert torch.equal(tv(levels.to(dtype)).image, tv(levels / full).image)


def test_what_has_no_certain_meaning_is_refused(x: Tensor, y: Tensor) -> None:
    for factor, remedy in ((255, "divide by 255"), (65535, "divide by 65535"), (20, "scale them|divide")):
        with pytest.raises(ObservationError, match=rf"y: values from .* from 0 to 1; ({remedy})"):
            tv(y * factor)
    with pytest.raises(ObservationError, match=r"use \(y \+ 1\) / 2"):
        tv(2 * x - 1)
    with pytest.raises(ObservationError, match="expected real numbers, got complex64"):
        tv(torch.complex(y, y))
    for dtype in (torch.int32, torch.int64, torch.bool):
        with pytest.raises(ObservationError, match="expected floats, or uint8 or uint16"):
            tv(y.to(dtype))
    for wrong in (None, "a.png", np.array(["a"])):
        with pytest.raises(ObservationError, match="expected a tensor or an array of numbers"):
            tv(wrong)


def test_observations_of_a_user_s_operator_may_have_any_range(x: Tensor) -> None:
    degradation = LinearDegradation(lambda v: 255 * v, lambda u: 255 * u, sigma=25.5)
    y = degradation(x, torch.Generator().manual_seed(0))
    assert (tv(y, degradation).image - x).square().mean() < 0.1
    with pytest.raises(ObservationError, match="their unit is unknown"):
        tv(y.clamp(0, 255).to(torch.uint8), degradation)


def test_much_noise_is_no_other_range(x: Tensor) -> None:
    for sigma in (0.5, torch.tensor([0.01, 1.0])):
        degradation = Degradation(Identity(), GaussianNoise(sigma))
        tv(degradation(x, torch.Generator().manual_seed(0)), degradation)


def test_a_batch_axis_that_is_missing(y: Tensor, gaussian: GaussianPrior) -> None:
    assert torch.equal(tv(y[0]).image, tv(y[:1]).image)
    assert restore(y[0], NOISE, method="lmmse", prior=gaussian, device="cpu").image.shape == (1, *SHAPE)
    with pytest.raises(ShapeError, match="channels last"):
        tv(y[0].permute(1, 2, 0))


def test_a_batch_without_images(y: Tensor) -> None:
    result = tv(y[:0])
    assert (result.image.shape, result.samples.shape) == ((0, *SHAPE), (0, 1, *SHAPE))
    assert result.residual.shape == (0,)
    with pytest.raises(ShapeError, match="has no values"):
        tv(y[..., :0])


@pytest.mark.parametrize("method", ["tv", "lmmse", "biharmonic", "observed"])
def test_a_hole_may_hold_anything(method: str, x: Tensor, gaussian: GaussianPrior) -> None:
    mask = Mask.center(SHAPE[1:])
    prior, known = (gaussian if method == "lmmse" else None), mask.mask.bool()
    clean, bad = (
        restore(torch.where(known, x, value), mask, method=method, prior=prior, device="cpu")
        for value in (0.0, torch.nan)
    )
    assert torch.equal(clean.image, bad.image)
    assert torch.equal(bad.image[known.expand_as(x)], x[known.expand_as(x)])
    half = restore(x.half(), mask, method=method, prior=prior, device="cpu").image
    assert torch.equal(half[known.expand_as(x)], x.half()[known.expand_as(x)])


def test_known_pixels_of_masks_of_their_own(x: Tensor) -> None:
    masks = torch.ones(2, 1, 12, 10)
    masks[0, :, 3:5, 2:6], masks[1, :, 7:, :4] = 0, 0
    image = tv(x, Mask(masks)).image
    assert torch.equal(image[masks.expand_as(x) > 0], x[masks.expand_as(x) > 0])


def test_nan_elsewhere_is_an_error(x: Tensor) -> None:
    x[0, 0, 0, :3] = torch.nan
    with pytest.raises(ObservationError, match="3 of 720 values are NaN"):
        tv(x)
    with pytest.raises(ObservationError, match="3 of 720 values that were observed are NaN"):
        tv(x, Mask.center(SHAPE[1:]))


def test_numbers_of_any_kind(y: Tensor) -> None:
    degradation = AdditiveNoise(np.float32(0.1))  # type: ignore[arg-type]
    expected = tv(y, AdditiveNoise(float(np.float32(0.1))), seed=3).image
    for seed in (np.int64(3), torch.tensor(3), torch.tensor([3, 4]), np.array([3, 4]), [np.int32(3), 4]):
        result = tv(y, degradation, seed=seed, samples=np.int64(1), tile=torch.tensor(512))
        assert torch.equal(result.image, expected)
    with pytest.raises(OptionError, match="seed: expected one number, or 2, one per image; got 3"):
        tv(y, seed=torch.arange(3))
    for seed in (1.5, None, [1, 2.5], True):
        with pytest.raises(OptionError, match=r"seed: expected .*whole number"):
            tv(y, seed=seed)
    for name in ("samples", "tile"):
        with pytest.raises(OptionError, match=f"{name}: expected a whole number, got 2.5"):
            tv(y, **{name: 2.5})


def test_one_sigma_an_image(y: Tensor) -> None:
    levels = torch.tensor([0.1, 0.3])
    together = tv(y, Degradation(Identity(), GaussianNoise(levels))).image
    for sigma in (levels, levels.numpy()):
        named = AdditiveNoise(sigma)  # type: ignore[arg-type]
        assert torch.equal(tv(y, named).image, together)
        assert isinstance(named.sigma, float)
    for i in range(2):
        alone = tv(y[[i]], AdditiveNoise(levels[i])).image  # type: ignore[arg-type]
        torch.testing.assert_close(together[[i]], alone, atol=1e-6, rtol=0)
    with pytest.raises(OptionError, match="sigma: expected one number, or 2, one per image; got 3"):
        tv(y, Degradation(Identity(), GaussianNoise(torch.ones(3))))


@pytest.mark.parametrize("method", ["tv", "lmmse"])
def test_observations_in_a_row(method: str, x: Tensor, gaussian: GaussianPrior) -> None:
    M = torch.randn(200, 360, generator=torch.Generator().manual_seed(0)) / 200**0.5
    degradation = LinearDegradation(
        lambda v: v.flatten(1) @ M.T, lambda u: (u @ M).view(-1, *SHAPE), sigma=0.01
    )
    prior = gaussian if method == "lmmse" else None
    y = degradation(x, torch.Generator().manual_seed(0))
    image = restore(y, degradation, method=method, prior=prior, device="cpu").image
    assert image.shape == x.shape
    wide = restore(y.double().numpy(), degradation, method=method, prior=prior, device="cpu").image
    assert np.abs(wide - image.numpy()).max() < 1e-2
    assert restore(y[0], degradation, method=method, prior=prior, device="cpu").image.shape == (1, *SHAPE)


def test_an_operator_with_weights(y: Tensor) -> None:
    A, back = nn.Conv2d(3, 3, 4, 2, 1, bias=False), nn.ConvTranspose2d(3, 3, 4, 2, 1, bias=False)
    back.load_state_dict(A.state_dict())
    before = A.weight.clone()
    degradation = LinearDegradation(nn.Sequential(A, nn.Dropout()), back, sigma=0.02)
    seen = A(y).detach().requires_grad_()
    result = tv(seen, degradation)
    assert not any(v.requires_grad for v in (result.image, result.samples, result.residual, result.history))
    assert torch.equal(A.weight, before)
    assert A.weight.requires_grad
    assert degradation.training
    assert A.weight.grad is None
    assert not any(step.x.requires_grad for step in stream(seen, degradation, method="tv", device="cpu"))


def test_nothing_of_the_process_changes(y: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy(v: Tensor) -> Tensor:
        torch.rand(1), np.random.rand(), random.random()
        return v

    threads = torch.get_num_threads()
    for degradation in (NOISE, LinearDegradation(noisy, noisy, sigma=0.1)):
        torch.manual_seed(0), np.random.seed(0), random.seed(0)
        expected = (torch.rand(1).item(), np.random.rand(), random.random())
        torch.manual_seed(0), np.random.seed(0), random.seed(0)
        restore(y, degradation, method="tv", device="cpu")
        assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_float64_as_the_default(y: Tensor, gaussian: GaussianPrior) -> None:
    expected = restore(y, NOISE, method="lmmse", prior=gaussian, device="cpu").image
    torch.set_default_dtype(torch.float64)
    try:
        for degradation in (
            NOISE,
            AdditiveNoise(0.1),
            LinearDegradation(lambda v: v, lambda u: u, sigma=0.1),
        ):
            found = restore(y, degradation, method="lmmse", prior=gaussian, device="cpu").image
            assert torch.get_default_dtype() == torch.float64
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        loaded = load_prior("faces64-gaussian")
        assert all(value.dtype == torch.float32 for value in loaded.buffers())
    finally:
        torch.set_default_dtype(torch.float32)


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        raise KeyError("lost")


def test_whatever_raises_is_named(y: Tensor) -> None:
    with pytest.raises(CallError, match=r"A \(Failing\) raised KeyError .*: 'lost'") as caught:
        tv(y, LinearDegradation(Failing(), lambda u: u, sigma=0.1))
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(CallError, match=r"prior.generator \(Failing\) raised KeyError: 'lost'"):
        GANPrior(Failing(), latent_shape=(4,))
    network = nn.Sequential(nn.Linear(4, 360), nn.Unflatten(1, SHAPE))
    prior = GANPrior(network, latent_shape=(4,))
    prior.generator = Failing()
    with pytest.raises(CallError, match=r"prior.generator \(Failing\) raised KeyError: 'lost'") as caught:
        restore(y, NOISE, method="map", prior=prior, device="cpu")
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_operator_that_is_wrong_is_refused(y: Tensor) -> None:
    flipped = LinearDegradation(lambda v: v.cumsum(-1), lambda u: u.cumsum(-1), sigma=0.1)
    with pytest.raises(OptionError, match=r"adjoint: expected .* got a relative error of 0\.\d+"):
        tv(y, flipped)
    for A in (lambda v: v + 0.1, lambda v: v.square(), torch.sigmoid):
        with pytest.raises(OptionError, match="A: expected a linear map, got a relative error of"):
            tv(y, LinearDegradation(A, lambda u: u, sigma=0.1))
        with pytest.raises(OptionError, match="A: expected a linear map"):
            tv(y, LinearDegradation(A, sigma=0.1))
    tv(y, Degradation(Function(torch.sigmoid, linear=False), GaussianNoise(0.1)))
    with pytest.raises(CallError, match="expected a tensor of floats, got complex64"):
        tv(y, LinearDegradation(torch.fft.fft2, torch.fft.ifft2, sigma=0.1))


def test_a_right_operator_is_tried_once(y: Tensor) -> None:
    calls = []

    def A(v: Tensor) -> Tensor:
        calls.append(len(v))
        return v

    function = Function(A, A)
    verify(function, SHAPE)
    tried = len(calls)
    assert tried <= 7
    verify(function, SHAPE)
    verify(function @ Identity(), SHAPE)
    assert len(calls) == tried


def test_messages_do_not_contradict_themselves(gaussian: GaussianPrior) -> None:
    for shape in ((1, 2, 12, 10), (1, 4, 12, 10), (1, 3, 9, 10), (1, 1, 9, 10), (1, 7)):
        with pytest.raises(RestoraError) as caught:
            restore(torch.rand(shape), NOISE, method="lmmse", prior=gaussian, device="cpu")
        text = str(caught.value)
        assert ("Crop or scale" in text) == (shape == (1, 3, 9, 10))
        assert "--" not in text


def test_arrays_of_another_byte_order() -> None:
    """As FITS and many raw files have them."""
    y = torch.rand(1, 3, 16, 16).numpy()
    noise = AdditiveNoise(0.1)
    found = restore(y.astype(y.dtype.newbyteorder()), noise, method="tv").image
    np.testing.assert_array_equal(found, restore(y, noise, method="tv").image)


@pytest.mark.parametrize("y", [torch.rand(1, 3, 8, 8).to_sparse(), torch.empty(1, 3, 8, 8, device="meta")])
def test_tensors_that_lack_values(y: torch.Tensor) -> None:
    with pytest.raises(ObservationError, match="y: expected a tensor with all its values, got one"):
        restore(y, AdditiveNoise(0.1), method="tv")
