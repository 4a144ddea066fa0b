"""Another library's physics as a degradation."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

import restora
from restora.errors import OptionError
from restora.random import generators
from restora.testing import check_operator

SHAPE = (3, 8, 8)


def images(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, *SHAPE, generator=generator, dtype=torch.float64)


class Sampler:
    """Physics as deepinv has it: A, A_adjoint, and noise with a sigma."""

    def __init__(self, sigma: object):
        self.noise_model = SimpleNamespace(sigma=sigma)

    def A(self, x: Tensor, **settings: object) -> Tensor:
        return x[..., ::2, 1::2]

    def A_adjoint(self, y: Tensor, **settings: object) -> Tensor:
        x = y.new_zeros(*y.shape[:-2], 2 * y.shape[-2], 2 * y.shape[-1])
        x[..., ::2, 1::2] = y
        return x


@pytest.mark.parametrize("sigma", [0.1, torch.tensor(0.1), torch.tensor([0.1])])
def test_physics_of_another_library(sigma: object) -> None:
    d = restora.from_physics(Sampler(sigma))
    check_operator(d.operator, SHAPE)
    assert d.linear
    assert d.sigma == pytest.approx(0.1)
    x_hat, x = images(0), images(1)
    y = d(x, generators(0, 2))
    assert (y - d.A(x)).std().item() == pytest.approx(0.1, rel=0.3)
    moved = 0.04 / (0.04 + 0.01) * d.A_adjoint(y - d.A(x_hat))
    torch.testing.assert_close(d.condition(x_hat, 0.04, y), x_hat + moved, rtol=0, atol=1e-6)
    found = restora.restore(y.float(), d, method="tv").image
    assert found.shape == x.shape


def test_physics_that_is_not_linear_or_has_no_noise() -> None:
    d = restora.from_physics(SimpleNamespace(A=lambda x: x.clamp(min=0) ** 2.2), shape=(1, 4, 4))
    assert not d.operator.linear
    assert d.sigma == 0
    check_operator(d.operator, (1, 4, 4))
    with pytest.raises(OptionError, match="expected an object with a method A, got str"):
        restora.from_physics("blur")
