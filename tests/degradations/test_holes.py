"""Masks that have a name."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
import torch

from restora.degradations import Mask, named
from restora.degradations.holes import HOLES, Hole
from restora.errors import OptionError

DRAWN = [name for name in HOLES if name != "center"]


def test_every_name_has_its_constructor() -> None:
    assert get_args(get_type_hints(Hole)["hole"]) == tuple(HOLES)
    for name in HOLES:
        mask = getattr(Mask, name)((20, 30), sigma=0.1)
        assert mask.sigma == 0.1
        assert named.same(mask, named.build("inpaint", (20, 30), {"hole": name, "sigma": 0.1}))
        assert named.parse("inpaint", f"hole={name}") == {"hole": name}
    assert named.parse("inpaint", "hole=pixels,missing=0.8,hole_seed=2")["missing"] == 0.8


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("size", [(8, 8), (64, 64), (33, 70)])
def test_they_depend_on_size_and_seed_alone(name: str, size: tuple[int, int]) -> None:
    make = getattr(Mask, name)
    torch.manual_seed(5)
    first = make(size, seed=1).mask
    torch.manual_seed(6)
    assert first.shape == (1, 1, *size)
    assert torch.equal(make(size, seed=1).mask, first)
    assert not torch.equal(make(size, seed=2).mask, first)
    assert not torch.equal(make(size).mask, first)  # seed 0


@pytest.mark.parametrize("missing", [0.1, 0.5, 0.95])
def test_pixels_are_this_share_exactly_and_anywhere(missing: float) -> None:
    lost = 1 - Mask.pixels((40, 50), missing).mask[0, 0]
    assert lost.sum().item() == round(missing * 2000)
    for part in (lost[:20], lost[20:], lost[:, :25], lost[:, 25:]):
        assert part.mean().item() == pytest.approx(missing, abs=5 * (missing * (1 - missing) / 1000) ** 0.5)
    assert Mask.pixels((2, 2), 0.999).mask.sum() == 1


@pytest.mark.parametrize("side", [64, 256])
@pytest.mark.parametrize("seed", range(4))
def test_scratches_are_thin_and_few(side: int, seed: int) -> None:
    mask = Mask.scratches((side, side), seed).mask
    assert 0.06 <= 1 - mask.mean().item() < 0.13
    # a square of 5 pixels at 64 is wider than any of them, but for a place where some meet
    width = 5 * side // 64
    blocks = torch.nn.functional.max_pool2d(mask, width, stride=1)
    assert (blocks == 0).float().mean() < 0.01


@pytest.mark.parametrize("side", [64, 256])
def test_letters_are_all_over(side: int) -> None:
    lost = 1 - Mask.text((side, side)).mask
    assert 0.1 < lost.mean().item() < 0.3
    quarters = torch.nn.functional.avg_pool2d(lost, side // 4)
    assert quarters.min() > 0.05


def test_what_cannot_be() -> None:
    for missing in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(OptionError, match=r"missing: expected a number from 0\.001 to 0\.999"):
            Mask.pixels((8, 8), missing)
