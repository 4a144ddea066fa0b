"""A physics object as deepinv has it, without deepinv."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from restora import Degradation, Downsample, from_physics
from restora.errors import OptionError
from restora.noise import GaussianNoise
from restora.random import generators


class Noise:
    sigma = torch.tensor(0.05)


class Physics:
    """Means of 2x2 pixels, as deepinv's physics has its methods."""

    noise_model = Noise()

    def A(self, x: Tensor, **parameters: object) -> Tensor:
        return torch.nn.functional.avg_pool2d(x, 2)

    def A_adjoint(self, y: Tensor, **parameters: object) -> Tensor:
        return y.repeat_interleave(2, -2).repeat_interleave(2, -1) / 4


class Curve:
    """Without an adjoint, and without noise."""

    def A(self, x: Tensor) -> Tensor:
        return x.clamp(min=0) ** 2


def test_it_is_the_degradation_that_it_describes() -> None:
    found, expected = from_physics(Physics()), Downsample(2, sigma=0.05)
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    y = expected(x, generators(0, 2))
    torch.testing.assert_close(found(x, generators(0, 2)), y)
    x_hat = torch.full_like(x, 0.5)
    torch.testing.assert_close(found.condition(x_hat, 0.04, y), expected.condition(x_hat, 0.04, y))
    assert found.sigma == pytest.approx(0.05)
    assert found.operator.image_shape((3, 4, 4)) == (3, 8, 8)


def test_without_an_adjoint_it_need_not_be_linear() -> None:
    found = from_physics(Curve())
    assert isinstance(found, Degradation)
    assert not found.operator.linear
    assert isinstance(found.noise, GaussianNoise)
    assert found.sigma == 0
    x = torch.full((1, 3, 8, 8), 0.5)
    torch.testing.assert_close(found.A_dagger(found(x)), x, rtol=0, atol=1e-2)


def test_what_is_no_physics() -> None:
    with pytest.raises(OptionError, match="physics: expected an object with a method A, got int"):
        from_physics(3)
