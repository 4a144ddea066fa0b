from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from restora.degradations import Blur
from restora.errors import ShapeError
from restora.operators.convolution import motion
from restora.random import Window, generators


@pytest.mark.parametrize(("boundary", "mode"), [("reflect", "mirror"), ("circular", "wrap")])
@pytest.mark.parametrize("width", [0.7, 1.6])
def test_gaussian_against_scipy(boundary: str, mode: str, width: float) -> None:
    x = torch.rand(2, 3, 17, 23, dtype=torch.float64)
    radius = round(3 * width)
    expected = ndimage.gaussian_filter(
        x.numpy(), (0, 0, width, width), mode=mode, radius=(0, 0, radius, radius)
    )
    y = Blur(width=width, boundary=boundary).A(x)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_no_images(boundary: str) -> None:
    blur, none = Blur(boundary=boundary), torch.zeros(0, 3, 20, 30)
    assert blur.A(none).shape == blur.A_adjoint(none).shape == none.shape


def test_a_piece_smaller_than_the_kernel_says_what_to_do() -> None:
    y = torch.rand(1, 3, 90, 120)
    with pytest.raises(ShapeError, match=r"31x31 pixels.*30x40.*tile"):
        Blur(width=5).operator.window(Window(0, 0, 30, 40), y, (90, 120))


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, -90.0, 200.0])
def test_motion_lies_along_its_angle(angle: float) -> None:
    taps = Blur("motion", length=9, angle=angle).operator.kernel.double()
    assert taps.sum().item() == pytest.approx(1, abs=1e-6)
    assert torch.equal(taps, taps.flip(0, 1))
    axis = torch.arange(len(taps)).double() - len(taps) // 2
    right, up = axis.expand_as(taps), -axis[:, None].expand_as(taps)
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along = (taps * (right * cosine + up * sine) ** 2).sum().item()
    across = (taps * (up * cosine - right * sine) ** 2).sum().item()
    assert along == pytest.approx(9**2 / 12, rel=0.07)
    assert across < 0.2


def test_motion_of_whole_pixels_is_an_average() -> None:
    taps = Blur("motion", length=9).operator.kernel
    torch.testing.assert_close(taps[len(taps) // 2], torch.full((9,), 1 / 9))
    assert Blur("motion", length=1).operator.kernel.shape == (1, 1)


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_kernel_larger_than_the_image(boundary: str) -> None:
    with pytest.raises(ShapeError, match="11x11 pixels, larger than the 8x30 image; use a narrower blur"):
        Blur(boundary=boundary).A(torch.zeros(1, 3, 8, 30))
    with pytest.raises(ShapeError, match="larger than the 30x30 image"):
        Blur("motion", boundary=boundary, length=40).operator.image_shape((3, 30, 30))


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_blur_has_noise_by_default(boundary: str) -> None:
    blur, x = Blur(boundary=boundary), torch.rand(1, 3, 64, 64)
    noise = blur.forward(x, generators(0, 1)) - blur.A(x)
    assert noise.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 70.0, 90.0, 120.0, -30.0])
def test_motion_turns_anticlockwise_as_opencv_turns_pictures(angle: float) -> None:
    """Both are anticlockwise on the screen, as MATLAB's fspecial('motion', length, angle) is."""
    line = np.zeros((31, 31), np.float32)
    line[15, 5:26] = 1 / 21
    turned = cv2.warpAffine(line, cv2.getRotationMatrix2D((15, 15), angle, 1), (31, 31))
    spread = torch.zeros(1, 1, 31, 31)
    spread[..., 15, 15] = 1
    own = Blur("motion", length=21, angle=angle, sigma=0).A(spread)[0, 0].numpy()
    blurred = [cv2.GaussianBlur(kernel, (0, 0), 1) for kernel in (turned, own, np.flipud(turned).copy())]
    agree, mirrored = (np.corrcoef(blurred[1].ravel(), blurred[k].ravel())[0, 1] for k in (0, 2))
    assert agree > 0.98
    assert angle in (0, 90) or mirrored < 0.7


def test_motion_of_45_degrees_goes_from_the_lower_left_to_the_upper_right() -> None:
    taps = motion(7, 45)
    assert taps.flip(1).diagonal().sum() > 0.9  # the antidiagonal, as in MATLAB
