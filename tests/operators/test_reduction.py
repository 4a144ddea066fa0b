"""The kernels of super-resolution, against those of others."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from restora.degradations import Downsample
from restora.errors import ShapeError
from restora.operators.resize import reduction


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_that_of_pillow(scale: int) -> None:
    x = torch.rand(2, 3, 24, 36, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    size = (24 // scale, 36 // scale)
    expected = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
    torch.testing.assert_close(Downsample(scale, "bicubic").A(x), expected, rtol=0, atol=1e-9)


def test_box_is_the_average() -> None:
    x = torch.rand(1, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    R = reduction(12, 4, "box")
    torch.testing.assert_close(Downsample(4).A(x), R @ x @ R.T)


def test_gaussian_is_as_wide_as_it_says() -> None:
    R = reduction(64, 4, "gaussian")
    place = torch.arange(64).double()
    middle = R[8]
    mean = (middle * place).sum()
    assert mean.item() == pytest.approx(8 * 4 + 1.5)
    assert ((middle * (place - mean).square()).sum() ** 0.5).item() == pytest.approx(1.6, rel=1e-3)
    torch.testing.assert_close(R.sum(1), torch.ones(16).double())


def test_downsample_averages_boxes_of_images_that_divide() -> None:
    x = torch.rand(1, 3, 8, 12, dtype=torch.float64)
    expected = x.view(1, 3, 2, 4, 3, 4).mean((3, 5))
    torch.testing.assert_close(Downsample(4).A(x), expected)
    with pytest.raises(ShapeError, match=r"divide by 4.*crop it to 8x8"):
        Downsample(4).A(torch.zeros(1, 3, 8, 11))
