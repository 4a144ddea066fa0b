from __future__ import annotations

import numpy as np
import pytest
import torch

from restora.degradations import Grayscale
from restora.errors import ShapeError
from restora.operators import Luma, Maximum


def pixel(values: list[float] | np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float64).view(1, -1, 1, 1)


def test_luma_and_value() -> None:
    x = pixel([0.2, 0.5, 0.1])
    assert Grayscale().A(x).item() == pytest.approx(0.299 * 0.2 + 0.587 * 0.5 + 0.114 * 0.1)
    assert Grayscale("value").A(x).item() == 0.5
    assert Luma().linear
    assert not Maximum().linear


def test_value_shares_its_subgradient_at_a_grey_image() -> None:
    x = torch.full((1, 3, 1, 1), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(Grayscale("value").A(x).sum(), x)
    torch.testing.assert_close(gradient, Grayscale("value").A_adjoint(torch.ones(1, 1, 1, 1)))


@pytest.mark.parametrize("gamma", [0.5, 10.0])
@pytest.mark.parametrize("y", [0.1, 0.45, 0.9])
def test_prox_of_value_by_search(gamma: float, y: float) -> None:
    z = [0.5, 0.42, 0.1]
    axis = torch.linspace(0, 1, 101, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis, axis)
    cost = gamma / 2 * (grid.amax(1) - y) ** 2 + (grid - torch.tensor(z)).square().sum(1) / 2
    x = Grayscale("value").prox_l2(pixel(z), pixel([y]), gamma).flatten()
    best = gamma / 2 * (x.max() - y) ** 2 + (x - torch.tensor(z)).square().sum() / 2
    assert best <= cost.min() + 1e-12
    torch.testing.assert_close(x, grid[cost.argmin()], rtol=0, atol=0.011)


def test_condition_of_value_is_that_of_the_largest_channel() -> None:
    """As far as the posterior takes another channel for the largest, it is no more than near."""
    m, y = pixel([0.5, 0.3, 0.2]), pixel([0.7])
    found = Grayscale("value", sigma=0.1).condition(m, 0.04, y)
    torch.testing.assert_close(found.flatten(), torch.tensor([0.5 + 0.8 * 0.2, 0.3, 0.2]).double())
    exact = Grayscale("value").condition(m, 0.04, y)
    assert exact.max().item() == pytest.approx(0.7)


@pytest.mark.parametrize("grey", ["luma", "value"])
def test_only_colour_images(grey: str) -> None:
    with pytest.raises(ShapeError, match="RGB"):
        Grayscale(grey).A(torch.zeros(2, 1, 4, 4))
    with pytest.raises(ShapeError, match="grey"):
        Grayscale(grey).operator.image_shape((3, 4, 4))
