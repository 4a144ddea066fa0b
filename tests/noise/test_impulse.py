"""Salt and pepper: what is hit, and what is read off the observation."""

from __future__ import annotations

import pytest
import torch

import restora
from restora.degradations import Blur, Chain, Impulse
from restora.errors import MaskError
from restora.random import generators


def pictures(count: int = 2, channels: int = 3, side: int = 32) -> torch.Tensor:
    return 0.2 + 0.6 * torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def test_a_share_is_hit_in_all_channels_half_of_it_white() -> None:
    x = pictures(4, side=64)
    y = Impulse(0.3)(x, generators(0, 4))
    hit = (y != x).any(1)
    assert torch.equal(hit, (y != x).all(1))
    assert hit.float().mean().item() == pytest.approx(0.3, abs=0.02)
    values = y.movedim(1, -1)[hit]
    assert set(values.unique().tolist()) == {0, 1}
    assert (values == values[:, :1]).all()
    assert values.mean().item() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_mask_is_read_off_the_observation(channels: int) -> None:
    x = pictures(channels=channels)
    y = Impulse(0.4, sigma=0.02)(x, generators(0, 2))
    found = Impulse(0.1, sigma=0.02).given(y)
    assert found.linear
    assert found.sigma == 0.02
    assert torch.equal(found.operator.mask, ((y != 0) & (y != 1)).all(1, keepdim=True).float())


def test_colours_at_the_end_of_the_scale_were_not_hit() -> None:
    y = torch.full((1, 3, 4, 4), 0.5)
    y[..., 0, 0] = torch.tensor([1.0, 0, 1])  # magenta
    y[..., 1, 1] = 1
    y[..., 2, 2] = 0
    mask = Impulse().given(y).operator.mask[0, 0]
    assert (1 - mask).nonzero().tolist() == [[1, 1], [2, 2]]


def test_share_zero_does_nothing() -> None:
    x = pictures()
    assert torch.equal(Impulse(0.0)(x, generators(0, 2)), x)


def test_restore_is_inpainting() -> None:
    x = pictures()
    y = Impulse(0.2)(x, generators(0, 2))
    mask = Impulse().given(y)
    for method in ("tv", "biharmonic"):
        found = restora.restore(y, Impulse(), method=method)
        assert not found.degradation.blind
        assert torch.equal(found.image, restora.restore(y, mask, method=method).image)
        kept = mask.operator.mask.expand_as(x) > 0
        torch.testing.assert_close(found.image[kept], x[kept], rtol=0, atol=1e-5)


def test_a_picture_of_two_levels() -> None:
    y = torch.stack([torch.full((3, 4, 4), 0.5), torch.ones(3, 4, 4)])
    with pytest.raises(MaskError, match=r"every pixel is black or white.*expected other values too"):
        restora.restore(y, Impulse(), method="tv")


def test_after_a_blur_the_others_are_deblurred() -> None:
    x = pictures()
    chain = Chain(Blur(width=0.7, sigma=0.0), Impulse(0.3, sigma=0.02))
    y = chain(x, generators(0, 2))
    known = chain.given(y)
    hit = (y == 0).all(1, keepdim=True) | (y == 1).all(1, keepdim=True)
    torch.testing.assert_close(known.A(x), Blur(width=0.7).A(x) * ~hit)
    assert known.sigma == 0.02
    error = lambda found: (found - x).square().mean()  # noqa: E731
    smooth = Blur(width=2.0).A(x)
    assert error(known.condition(smooth, 0.05, y)) < 0.6 * error(smooth)
