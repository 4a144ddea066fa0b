from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from restora.degradations import Blur, LinearDegradation
from restora.errors import OptionError, ShapeError
from restora.gaussian.conjugate_gradient import conjugate_gradient
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
    with pytest.raises(ShapeError, match=r"31 pixels a side.*30x40.*--tile"):
        Blur(width=5).window(Window(0, 0, 30, 40), y, (90, 120))


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, -90.0, 200.0])
def test_motion_lies_along_its_angle(angle: float) -> None:
    taps = Blur("motion", length=9, angle=angle).taps.double()
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
    taps = Blur("motion", length=9).taps
    torch.testing.assert_close(taps[len(taps) // 2], torch.full((9,), 1 / 9))
    assert Blur("motion", length=1).taps.shape == (1, 1)


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_kernel_larger_than_the_image(boundary: str) -> None:
    with pytest.raises(ShapeError, match="11x11 pixels, larger than the 8x30 image; reduce width"):
        Blur(boundary=boundary).A(torch.zeros(1, 3, 8, 30))
    with pytest.raises(ShapeError, match="reduce length"):
        Blur("motion", boundary=boundary, length=40).image_shape((3, 30, 30))


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_blur_has_noise_by_default(boundary: str) -> None:
    blur, x = Blur(boundary=boundary), torch.rand(1, 3, 64, 64)
    noise = blur.forward(x, generators(0, 1)) - blur.A(x)
    assert noise.std().item() == pytest.approx(0.01, rel=0.05)


def test_conjugate_gradient_leaves_finished_images_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(2, 8, 8, generator=generator, dtype=torch.float64)
    matrices = root @ root.mT + torch.tensor([100.0, 1e-3]).view(2, 1, 1) * torch.eye(8)
    b = torch.randn(2, 8, 1, generator=generator, dtype=torch.float64)
    together = conjugate_gradient(lambda x: matrices @ x, b)
    torch.testing.assert_close(together, torch.linalg.solve(matrices, b), rtol=1e-6, atol=1e-8)
    coarse = conjugate_gradient(lambda x: matrices @ x, b, tolerance=0.1)
    for i in range(2):
        one = slice(i, i + 1)
        alone = conjugate_gradient(lambda x, one=one: matrices[one] @ x, b[one], tolerance=0.1)
        torch.testing.assert_close(coarse[one], alone, rtol=1e-9, atol=1e-12)
    assert torch.equal(conjugate_gradient(lambda x: x, torch.zeros(2, 3)), torch.zeros(2, 3))


def test_a_finished_image_stays_finite_while_others_take_long() -> None:
    """What is left of the first is large, though small beside what it began with."""
    diagonals = torch.stack([torch.ones(200), torch.logspace(-3, 0, 200)])
    diagonals[0, 1] = 1.5
    b = torch.ones(2, 200)
    b[0] = torch.zeros(200).index_fill(0, torch.tensor([0]), 1e6).index_fill(0, torch.tensor([1]), 100)
    found = conjugate_gradient(lambda x: diagonals * x, b, tolerance=1e-3)
    torch.testing.assert_close(
        found[:1], conjugate_gradient(lambda x: diagonals[:1] * x, b[:1], tolerance=1e-3)
    )
    assert ((diagonals * found - b).norm(dim=1) <= 1.1e-3 * b.norm(dim=1)).all()


def test_linear_checks_its_adjoint() -> None:
    def crop(x: torch.Tensor) -> torch.Tensor:
        return x[..., 1:-1, 1:-1]

    def pad(y: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(y, (1, 1, 1, 1))

    right = LinearDegradation(crop, pad)
    right.check((3, 8, 8))
    assert right.observed_shape((3, 8, 8)) == (3, 6, 6)
    with pytest.raises(OptionError, match="transpose"):
        LinearDegradation(crop, lambda y: 2 * pad(y)).check((3, 8, 8))
    with pytest.raises(OptionError, match="function"):
        LinearDegradation(torch.eye(3), pad)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="sigma"):
        LinearDegradation(crop, pad, sigma=-1)


def test_linear_takes_modules_and_any_unit_of_noise() -> None:
    turn = torch.nn.Linear(4, 4, bias=False).double()
    back = torch.nn.Linear(4, 4, bias=False).double()
    back.weight.data = turn.weight.data.T.clone()
    d = LinearDegradation(turn, back, sigma=30.0).double().requires_grad_(False)
    d.check((3, 2, 4))
    x = torch.rand(2, 3, 2, 4).double()
    torch.testing.assert_close(d.A(d.A_dagger(d.A(x))), d.A(x), rtol=0, atol=1e-6)
