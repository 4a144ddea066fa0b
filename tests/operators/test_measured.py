"""Operators of laboratories against closed forms and other libraries: kernels, frequencies, rays, mosaics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from restora import restore
from restora.degradations import Blur, Degradation
from restora.errors import ObservationError, OptionError, ShapeError
from restora.gaussian.covariance import Stationary
from restora.noise import GaussianNoise
from restora.operators import Convolution, FourierMask, Matrix, Mosaic, Radon
from restora.random import generators


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# kernels


@pytest.mark.parametrize("size", [(3, 3), (4, 4), (2, 5), (1, 4)])
@pytest.mark.parametrize(("boundary", "mode"), [("reflect", "mirror"), ("circular", "wrap")])
def test_kernels_of_any_size_are_those_of_scipy(size: tuple[int, int], boundary: str, mode: str) -> None:
    x, taps = values(1, 2, 9, 11), values(*size, seed=1) - 0.3
    expected = [ndimage.convolve(channel, taps.numpy(), mode=mode) for channel in x[0].numpy()]
    found = Convolution(taps, boundary)(x)[0]  # type: ignore[arg-type]
    torch.testing.assert_close(found, torch.from_numpy(np.stack(expected)), rtol=0, atol=1e-12)


def test_one_kernel_an_image() -> None:
    x, taps = values(3, 3, 12, 12), values(3, 4, 5, seed=1)
    taps = taps / taps.sum((-2, -1), keepdim=True)
    together = Convolution(taps.numpy())
    assert not together.shared
    for i in range(3):
        torch.testing.assert_close(together(x)[i], Convolution(taps[i])(x[i : i + 1])[0])
    with pytest.raises(ShapeError, match="expected 1, or one for each of the 2 images, got 3; select"):
        together(x[:2])
    y = Degradation(together, GaussianNoise(0.01))(x, generators(0, 3)).float()
    alone = restore(y[1:2], Degradation(Convolution(taps[1]), GaussianNoise(0.01)), method="tv").image
    both = restore(y, Degradation(together, GaussianNoise(0.01)), method="tv").image
    torch.testing.assert_close(both[1:2], alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("taps", "text"),
    [
        (torch.ones(3), r"expected shape \(h, w\) or \(B, h, w\), got \(3,\)"),
        (torch.ones(2, 3, 3, 3), r"expected shape .*got \(2, 3, 3, 3\)"),
        (torch.zeros(3, 3), "not all 0"),
        (torch.full((3, 3), torch.nan), "finite"),
        (torch.ones(3, 3, dtype=torch.complex64), "expected real"),
    ],
)
def test_what_is_no_kernel(taps: Tensor, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        Convolution(taps)


# frequencies


def test_frequencies_of_an_image() -> None:
    """As numpy has them, frequency 0 in the middle, and unitary."""
    x = values(2, 3, 6, 7)
    full = FourierMask(torch.ones(6, 7))
    axes = (-2, -1)
    expected = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(x.numpy(), axes), norm="ortho"), axes)
    u = full(x)
    assert u.shape == (2, 6, 6, 7)
    torch.testing.assert_close(
        torch.view_as_complex(u.view(2, 3, 2, 6, 7).movedim(2, -1).contiguous()), torch.from_numpy(expected)
    )
    torch.testing.assert_close(full.adjoint(u), x)
    mean = u[:, ::2, 3, 3] / 42**0.5
    torch.testing.assert_close(mean, x.mean((-2, -1)))


def test_lines_of_frequencies() -> None:
    mask = FourierMask.lines((64, 64), 4, 0.08, seed=3).get_buffer("measured")[0, 0]
    assert mask.sum() == 16 * 64
    assert mask[:, 30:35].all()
    assert (mask == mask[:1]).all()
    assert not torch.equal(mask, FourierMask.lines((64, 64), 4, 0.08, seed=4).get_buffer("measured")[0, 0])
    with pytest.raises(OptionError, match="32 columns in the middle and 16 in all of 64"):
        FourierMask.lines((64, 64), 4, 0.5)


def test_posterior_of_frequencies_is_exact_for_white_images() -> None:
    """A^T A is a circular filter of gain h: one number for each frequency."""
    mask, variance, sigma = values(8, 8) < 0.5, 0.04, 0.1
    degradation = Degradation(FourierMask(mask), GaussianNoise(sigma))
    x, mean = values(1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.5).double()
    y = degradation(x, generators(0, 1))
    opposite = mask.flip((0, 1)).roll((1, 1), (0, 1))  # of frequency 0 at (4, 4)
    h = torch.fft.ifftshift((mask.double() + opposite.double()) / 2)
    back = torch.fft.fft2(degradation.A_adjoint(y - degradation.A(mean)))
    expected = mean + torch.fft.ifft2(back * variance / (variance * h + sigma**2)).real
    torch.testing.assert_close(degradation.condition(mean, variance, y), expected, rtol=0, atol=1e-10)


def test_stationary_images_need_few_steps() -> None:
    """The preconditioner: with it conjugate gradients are done in a tenth of the steps."""
    side = 16
    frequency = torch.arange(side).double()
    power = 1 / (1 + frequency.view(-1, 1) ** 2 + frequency**2)
    C = Stationary(power.sqrt().view(1, 1, side, side))
    operator = FourierMask.lines((side, side), 4, 0.1)
    calls = [0, 0]

    class Counted(FourierMask):
        def forward(self, x: Tensor) -> Tensor:
            calls[0] += 1
            return super().forward(x)

    class Plain(Counted):
        def preconditioner(self, *settings: object) -> None:
            return None

    found = []
    mean = torch.full((1, 1, side, side), 0.5).double()
    for kind in (Counted, Plain):
        calls[0] = 0
        degradation = Degradation(kind(operator.get_buffer("measured")), GaussianNoise(0.01))
        y = Degradation(operator, GaussianNoise(0.01))(values(1, 1, side, side), generators(0, 1))
        found.append((degradation.condition(mean, C, y, tolerance=1e-6), calls[0]))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-4)
    assert found[0][1] < 0.7 * found[1][1]


def test_complex_observations() -> None:
    operator = FourierMask.lines((16, 16), 2, 0.2)
    degradation = Degradation(operator, GaussianNoise(0.01))
    y = degradation(values(2, 1, 16, 16).float(), generators(0, 2))
    whole = torch.view_as_complex(y.view(2, 1, 2, 16, 16).movedim(2, -1).contiguous())
    expected = restore(y, degradation, method="tv").image
    torch.testing.assert_close(restore(whole, degradation, method="tv").image, expected)
    assert np.allclose(restore(whole[0].numpy(), degradation, method="tv").image, expected[:1], atol=1e-5)
    with pytest.raises(ObservationError, match="y: expected real numbers, got complex64"):
        restore(whole, Blur(), method="tv")


# rays


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("circle", [True, False])
def test_rays_are_those_of_scikit_image(size: int, circle: bool) -> None:
    from skimage.transform import radon

    row, column = np.ogrid[:size, :size]
    inside = (row - size // 2) ** 2 + (column - size // 2) ** 2 <= (size // 2 - 1) ** 2
    image = values(size, size).numpy() * inside
    angles = [0.0, 17.0, 45.0, 90.0, 130.0]
    found = Radon(size, angles, circle)(torch.from_numpy(image)[None, None])[0, 0]
    expected = radon(image, angles, circle=circle)
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=0, atol=1e-9)


def test_rays_can_be_differentiated_twice() -> None:
    operator, x = Radon(6, 4), values(1, 1, 6, 6).requires_grad_()
    assert torch.autograd.gradcheck(operator, (x,))
    assert torch.autograd.gradgradcheck(lambda v: operator(v).square(), (x,))
    with pytest.raises(ShapeError, match="is for images of 6x6, got 5x6"):
        operator(x[..., :5, :])
    with pytest.raises(ShapeError, match="expected a sinogram of 6 detectors and 4 angles, got 6x5"):
        operator.image_shape((1, 6, 5))


# compressed sensing


def test_any_matrix() -> None:
    """The pseudo-inverse is that of least squares, and the posterior mean that of the textbook."""
    matrix, sigma, variance = values(20, 48) - 0.5, 0.05, 0.09
    degradation = Degradation(Matrix(matrix.numpy(), (3, 4, 4)), GaussianNoise(sigma))
    y = degradation(values(2, 3, 4, 4), generators(0, 2))
    assert y.shape == (2, 20)
    expected = torch.linalg.lstsq(matrix, y.T, driver="gelsd").solution.T
    torch.testing.assert_close(degradation.A_dagger(y).flatten(1), expected, rtol=0, atol=1e-8)
    gain = (
        variance
        * matrix.T
        @ torch.linalg.inv(variance * matrix @ matrix.T + sigma**2 * torch.eye(20).double())
    )
    mean = torch.full((2, 3, 4, 4), 0.5).double()
    found = degradation.condition(mean, variance, y).flatten(1)
    residual = y - mean.flatten(1) @ matrix.T
    torch.testing.assert_close(found, mean.flatten(1) + residual @ gain.T, rtol=0, atol=1e-8)
    with pytest.raises(ShapeError, match="matrix: expected real numbers, got complex128"):
        Matrix(matrix.to(torch.complex128), (3, 4, 4))


def test_a_matrix_of_switches() -> None:
    """As of a single-pixel camera."""
    on, x = values(5, 48) < 0.5, values(2, 3, 4, 4).float()
    torch.testing.assert_close(Matrix(on, (3, 4, 4))(x), x.flatten(1) @ on.float().T)
    torch.testing.assert_close(Matrix(on.numpy().astype(int), (3, 4, 4))(x), x.flatten(1) @ on.float().T)


# mosaics


def test_a_mosaic_has_one_colour_a_pixel() -> None:
    x = torch.stack([torch.full((4, 6), value) for value in (0.1, 0.5, 0.9)])[None]
    expected = {
        "RGGB": [[0.1, 0.5], [0.5, 0.9]],
        "BGGR": [[0.9, 0.5], [0.5, 0.1]],
        "GRBG": [[0.5, 0.1], [0.9, 0.5]],
    }
    for pattern, tile in expected.items():
        u = Mosaic(pattern)(x)  # type: ignore[arg-type]
        assert torch.equal(u[0, 0], torch.tensor(tile).repeat(2, 3))
        assert torch.equal(Mosaic(pattern)(Mosaic(pattern).adjoint(u)), u)  # type: ignore[arg-type]
