"""What a mask hides is restored with what is around it, and the rest of the picture is not touched."""

from __future__ import annotations

import torch
from smooth_flow import SIZE, flow

from restora import tiles
from restora.degradations import Mask
from restora.restoration import restore
from restora.solvers import Flower


def holes(*places: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> torch.Tensor:
    mask = torch.ones(1, 1, *size)
    for top, left, height, width in places:
        mask[..., top : top + height, left : left + width] = 0
    return mask


class Counting(Flower):
    """Flower, and the windows that it was given."""

    def steps(self, y, degradation, prior, generator):  # type: ignore[no-untyped-def]
        self.seen.append((len(y), *y.shape[-2:]))
        return super().steps(y, degradation, prior, generator)


def test_only_what_is_hidden_is_restored() -> None:
    """And the rest is y, to the bit, whatever the windows."""
    Counting.seen = []  # type: ignore[attr-defined]
    size, prior = (300, 420), flow()
    y = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    mask = holes((100, 150, 8, 12), size=size)
    found = restore(
        y * mask, Mask(mask), method=Counting(iterations=2), prior=prior, samples=2, uncertainty=True
    )
    assert Counting.seen == [(1, 144, 160)]  # type: ignore[attr-defined]
    known = (mask == 1).expand_as(y)
    assert torch.equal(found.image[known], y[known])
    assert found.std is not None
    assert (found.std[known] == 0).all()
    assert (found.std[~known] > 0).all()
    assert torch.equal(found.samples[:, 1][known], y[known])
    assert not torch.equal(found.samples[:, 0], found.samples[:, 1])


def test_windows_without_a_hidden_pixel_are_left_out() -> None:
    Counting.seen = []  # type: ignore[attr-defined]
    size = (140, 900)
    mask = holes((20, 5, 4, 4), (20, 880, 4, 4), size=size)
    y = torch.rand(1, 3, *size)
    found = restore(y * mask, Mask(mask), method=Counting(iterations=2), prior=flow(), tile=128).image
    assert len(Counting.seen) == 3  # type: ignore[attr-defined]
    assert torch.equal(found[(mask == 1).expand_as(y)], y[(mask == 1).expand_as(y)])
    assert (found != y * mask)[(mask == 0).expand_as(y)].float().mean() > 0.8  # some are cut to black


def test_each_image_has_its_own_part() -> None:
    """So that the batch changes nothing."""
    size, prior, method = (256, 320), flow(), Flower(iterations=2)
    mask = torch.cat([holes((10, 10, 8, 8), size=size), holes((200, 250, 20, 9), size=size)])
    y = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * mask
    both = restore(y, Mask(mask), method=method, prior=prior, seed=[3, 4]).image
    for i in range(2):
        alone = restore(y[i, None], Mask(mask[i, None]), method=method, prior=prior, seed=3 + i).image
        assert torch.equal(both[i, None], alone)


def test_a_noisy_picture_is_restored_as_a_whole() -> None:
    assert tiles.hidden(Mask(holes((10, 10, 8, 8)), sigma=0.1)) is None
    assert tiles.whole(Mask(holes((10, 10, 8, 8)), sigma=0.1), (3, *SIZE), 512)
    assert not tiles.whole(Mask(holes((10, 10, 8, 8))), (3, *SIZE), 512)
