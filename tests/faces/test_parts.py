"""The warp, the noise about a known part, and the geometry of a face."""

from __future__ import annotations

import cmath
import math

import pytest
import torch

from restora.errors import ShapeError
from restora.faces.face import MARKS, SIDE, Face
from restora.noise import BlockRounding, GaussianNoise, PoissonNoise
from restora.noise.shifted import Shifted
from restora.operators import Function, Maximum
from restora.operators.about import About
from restora.operators.warp import Warp
from restora.random import Window
from restora.testing import check_operator


def face_at(scale: float, angle: float, corner: complex) -> Face:
    turn = scale * cmath.exp(1j * math.radians(angle))
    points = [turn * complex(*mark) + corner for mark in MARKS]
    return Face((0.0, 0.0, 1.0, 1.0), 1.0, tuple((p.real, p.imag) for p in points))


def smooth(height: int, width: int) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [torch.sin(rows / (9 + i) + columns / (13 - i)) for i in range(3)]
    return (torch.stack(waves)[None] + 1) / 2


@pytest.mark.parametrize("reduction", [1.0, 2.3])
def test_the_warp_has_its_adjoint(reduction: float) -> None:
    places = torch.rand(7, 9, 2, generator=torch.Generator().manual_seed(0)) * 11
    check_operator(Warp(places, (12, 12), torch.rand(7, 9), reduction), (3, 12, 12))


def test_the_warp_to_its_own_pixels_is_the_identity() -> None:
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(10.0), indexing="ij")
    x = torch.rand(2, 3, 8, 10)
    assert torch.allclose(Warp(torch.stack([columns, rows], -1), (8, 10))(x), x, atol=1e-6)
    with pytest.raises(ShapeError, match="8x10"):
        Warp(torch.stack([columns, rows], -1), (8, 10))(x.mT)


def test_a_face_is_where_its_points_are() -> None:
    face = face_at(1.4, 25, 30 + 12j)
    assert face.scale == pytest.approx(1.4)
    assert face.size == pytest.approx(1.4 * SIDE)
    assert face.angle == pytest.approx(25)
    assert face.misfit == pytest.approx(0, abs=1e-9)


def test_a_turned_head_does_not_fit() -> None:
    points = list(face_at(1, 0, 20 + 20j).points)
    points[2] = points[2][0] + 18, points[2][1]  # the nose of a profile
    assert Face((0, 0, 1, 1), 1, tuple(points)).misfit > 4.5


@pytest.mark.parametrize(("scale", "angle"), [(0.5, 10), (1.0, 0), (1.5, -35)])
def test_a_face_goes_into_the_picture_and_back(scale: float, angle: float) -> None:
    face = face_at(scale, angle, 60 + 90j)
    window = face.window((200, 220), 8)
    x = smooth(200, 220)
    mask = face.mask(window)
    back = face.spread(window)(face.gather(window)(window.of(x)))
    assert mask.max() == 1
    assert mask[0].max() == mask[:, 0].max() == 0
    assert (back - mask * window.of(x)).abs().max() < 0.02


def test_a_face_that_is_cut_has_a_window_in_the_picture() -> None:
    face = face_at(1, 0, -20 - 10j)
    window = face.window((100, 100), 5, 8)
    assert window == Window(0, 0, 64, 56)
    assert face.mask(window)[0, 0] == 1


@pytest.mark.parametrize("noise", [PoissonNoise(30), BlockRounding(30), GaussianNoise(0.1)])
def test_noise_about_a_known_part_is_that_of_the_sum(noise: torch.nn.Module) -> None:
    u, c = smooth(16, 16), smooth(32, 32)[..., 16:, 16:] / 4
    y = noise.simulate(u + c, torch.Generator().manual_seed(0))
    shifted = Shifted(noise, c, 0.02)
    assert torch.equal(shifted.fidelity(u, y), noise.fidelity(u + c, y))
    features, own, z = shifted.gaussian(u, y)
    plain = noise.gaussian(u + c, y)
    assert torch.allclose(z - features(u), plain.observation - features(u + c), atol=1e-5)
    wider = own.level**2 - plain.noise.level**2
    assert wider == pytest.approx(0.02**2, rel=1e-3)


def test_white_noise_is_added_to_that_of_every_kind() -> None:
    like = torch.zeros(1, 2, 4, 4)
    for noise in (
        GaussianNoise(0.1),
        GaussianNoise(torch.full((1, 2, 4, 4), 0.1)),
        GaussianNoise(covariance=0.01 * torch.eye(2)),
        GaussianNoise(covariance=0.01 * torch.eye(2)[..., None, None].expand(2, 2, 4, 4)),
    ):
        assert torch.allclose(noise.wider(0.2).N(like + 1), (0.01 + 0.04) * (like + 1), atol=1e-6)


def test_an_operator_about_a_picture_says_what_is_added() -> None:
    base, v = torch.rand(1, 3, 6, 6), torch.rand(1, 3, 6, 6) / 4
    for operator in (Maximum(), Function(lambda x: x**2, linear=False)):
        own = About(operator, base)
        assert torch.allclose(own(v), operator(base + v) - operator(base))
        tangent, offset = own.tangent(v)
        assert torch.allclose(offset + tangent(v), own(v), atol=1e-6)
    check_operator(About(Function(lambda x: x**2, linear=False), base), (3, 6, 6), batch=1)
