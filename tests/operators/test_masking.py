from __future__ import annotations

import pytest
import torch

from restora.degradations import Mask
from restora.errors import MaskError, OptionError, ShapeError
from restora.random import generators


def test_center_is_the_decks_hole() -> None:
    mask = Mask.center((64, 64)).mask
    assert mask.shape == (1, 1, 64, 64)
    assert (mask[..., 16:48, 16:48] == 0).all()
    assert mask.sum() == 64 * 64 - 32 * 32
    assert (Mask.center((10, 20), hole=4).mask == 0).sum() == 16


def test_only_observed_pixels_carry_noise() -> None:
    mask = Mask.center((16, 16), sigma=0.1)
    x = torch.rand(200, 3, 16, 16)
    noise = mask.forward(x, generators(0, 200)) - mask.A(x)
    assert (noise[..., 4:12, 4:12] == 0).all()
    assert noise[..., 0, :].std().item() == pytest.approx(0.1, rel=0.05)


def test_what_the_picture_holds_in_the_hole_does_not_count() -> None:
    mask, x = Mask.center((8, 8)), torch.rand(1, 3, 8, 8)
    clean, junk = mask.A(x), mask.A(x) + (1 - mask.mask) * 7
    z = torch.rand_like(x)
    assert torch.equal(mask.fidelity(z, clean), mask.fidelity(z, junk))
    assert torch.equal(mask.condition(z, 0.1, clean), mask.condition(z, 0.1, junk))
    assert torch.equal(mask.A_dagger(junk), clean)


def test_bad_masks() -> None:
    with pytest.raises(MaskError, match="no pixel is observed"):
        Mask(torch.zeros(1, 1, 4, 4))
    with pytest.raises(MaskError, match="no pixel is observed"):
        Mask(torch.stack([torch.ones(1, 4, 4), torch.zeros(1, 4, 4)]))
    with pytest.raises(MaskError, match="only 0"):
        Mask(torch.full((1, 1, 4, 4), 0.5))
    with pytest.raises(MaskError, match="only 0"):
        Mask(torch.full((1, 1, 4, 4), float("nan")))
    with pytest.raises(MaskError, match="one channel"):
        Mask(torch.ones(1, 3, 4, 4))
    with pytest.raises(MaskError, match="no pixel is observed"):
        Mask.center((8, 8), hole=8)
    with pytest.raises(OptionError, match="at least 1"):
        Mask.center((8, 8), hole=0)


def test_a_mask_of_another_size_or_batch() -> None:
    with pytest.raises(ShapeError, match="mask is 8x8"):
        Mask.center((8, 8)).A(torch.zeros(1, 3, 8, 9))
    with pytest.raises(ShapeError, match="take"):
        Mask(torch.ones(2, 1, 4, 4)).A(torch.zeros(3, 3, 4, 4))


def test_any_type_and_number_of_axes() -> None:
    mask = torch.rand(5, 6) < 0.5
    for given in (mask, mask[None], mask[None, None], mask.int()):
        assert torch.equal(Mask(given).mask, mask.float()[None, None])
    assert Mask(mask).to(torch.float64).operator.mask.dtype == torch.float64
    assert [value.shape for value in Mask(mask).buffers()] == [(1, 1, 5, 6)]
