"""Images in pieces: the pieces cover them, their noise is that of the whole, and so is what is restored."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from smooth_flow import SIZE, flow

from restora import random, tiles
from restora.degradations import (
    JPEG,
    AdditiveNoise,
    Blur,
    Degradation,
    Downsample,
    Grayscale,
    Impulse,
    LinearDegradation,
    Mask,
    Quantize,
)
from restora.errors import MaskError, OptionError, PairingError
from restora.networks.unet import UNet
from restora.priors import AmortisedPrior
from restora.random import Stream, Window, WindowStream, generators, randn
from restora.restoration import restore
from restora.solvers import LMMSE, MMSE, Flower, OnePass


@settings(deadline=None)
@given(
    st.integers(1, 400), st.integers(1, 400), st.sampled_from([128, 192, 512]), st.sampled_from([1, 16, 48])
)
def test_windows_cover_every_pixel(height: int, width: int, tile: int, grain: int) -> None:
    weight = torch.zeros(height, width)
    parts = tiles.windows(height, width, tile, grain)
    for window, fade in zip(parts, tiles.fade(parts, height, width), strict=True):
        assert window.height <= max(tile, 2 * tiles.OVERLAP) + grain
        assert window.top % grain == 0
        assert window.left % grain == 0
        assert window.of(weight).shape == (window.height, window.width)
        assert fade.min() > 0
        window.of(weight).add_(fade)
    torch.testing.assert_close(weight, torch.ones(height, width))


def test_the_noise_of_a_window_is_that_of_the_image() -> None:
    whole, part = WindowStream(3, Window(0, 0, 200, 264)), WindowStream(3, Window(48, 96, 100, 80))
    for _ in range(2):
        n, m = whole.randn((3, 200, 264)), part.randn((3, 100, 80))
        torch.testing.assert_close(n[:, 48:148, 96:176], m, rtol=0, atol=0)
    assert not torch.equal(n, WindowStream(3, Window(0, 0, 200, 264)).randn((3, 200, 264)))  # the second draw
    coarse = WindowStream(3, Window(0, 0, 200, 264)).randn((1, 50, 66))
    fine = WindowStream(3, Window(48, 96, 100, 80)).randn((1, 25, 20))
    torch.testing.assert_close(coarse[:, 12:37, 24:44], fine, rtol=0, atol=0)
    noise = WindowStream(0, Window(0, 0, 256, 256)).randn((3, 256, 256))
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert abs((noise[:, :, 63] * noise[:, :, 64]).mean()) < 0.1
    padded = WindowStream(3, Window(48, 96, 100, 80)).randn((3, 112, 96))
    assert torch.equal(padded[:, :100, :80], WindowStream(3, Window(48, 96, 100, 80)).randn((3, 100, 80)))
    halves = WindowStream(3, Window(48, 96, 100, 80)).randn((3, 56, 48))
    assert torch.equal(halves[:, :50, :40], WindowStream(3, Window(48, 96, 100, 80)).randn((3, 50, 40)))
    for height, width in ((7, 9), (100, 120), (99, 80)):
        with pytest.raises(ValueError, match="no part"):
            part.randn((3, height, width))
    assert torch.equal(randn((1, 3, 100, 80), [WindowStream(3, Window(48, 96, 100, 80))])[0], part_of(0))


def part_of(seed: int) -> torch.Tensor:
    return WindowStream(3, Window(48, 96, 100, 80)).randn((3, 100, 80))


MASK = Mask((torch.rand(1, 1, *SIZE, generator=torch.Generator().manual_seed(0)) < 0.5).float())


@pytest.mark.parametrize(
    "degradation",
    [
        JPEG(30),
        AdditiveNoise(0.1),
        MASK,
        Impulse(0.3),
        Downsample(4),
        Grayscale(),
        Quantize(5),
        Blur(width=1.0, sigma=0.05),
    ],
    ids=lambda d: type(d).__name__,
)
def test_pieces_are_the_whole(degradation: Degradation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws with the same noise, in pieces and at once; and other noise makes other pictures."""
    prior, method = flow(), Flower(iterations=2, refine="sample")
    x = prior.sized(*SIZE).gaussian.sample(1, torch.Generator().manual_seed(0))
    y = degradation(x, torch.Generator().manual_seed(0))
    pieces = restore(y, degradation, method=method, prior=prior, tile=160, seed=4).image
    other = restore(y, degradation, method=method, prior=prior, tile=160, seed=5).image

    whole = Window(0, 0, *SIZE)

    def patched(seeds: int, count: int, purpose: str = "") -> list[Stream]:
        return [g.within(whole) for g in generators(seeds, count, purpose)]

    monkeypatch.setattr(random, "generators", patched)
    once = restore(y, degradation, method=method, prior=prior, seed=4).image
    assert middle(pieces - once) < 0.1 * middle(other - once)


def middle(apart: torch.Tensor) -> float:
    """Root mean square away from the borders."""
    return apart[..., 40:-40, 40:-40].square().mean().sqrt().item()


@pytest.mark.parametrize(
    "degradation",
    [MASK, Downsample(2), Blur(width=1.0, sigma=0.05), JPEG(30), Quantize(5)],
    ids=lambda d: type(d).__name__,
)
def test_the_mean_has_no_seams(degradation: Degradation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pieces meet, in columns 48 to 160, it is as near to that of the whole as anywhere."""
    prior, method = flow(), MMSE(iterations=2)
    x = prior.sized(*SIZE).gaussian.sample(1, torch.Generator().manual_seed(0))
    y = degradation(x, torch.Generator().manual_seed(0))
    pieces = restore(y, degradation, method=method, prior=prior, tile=160).image
    whole = Window(0, 0, *SIZE)

    def patched(seeds: int, count: int, purpose: str = "") -> list[Stream]:
        return [g.within(whole) for g in generators(seeds, count, purpose)]

    monkeypatch.setattr(random, "generators", patched)
    apart = pieces - restore(y, degradation, method=method, prior=prior).image
    assert middle(apart) < 0.003
    steps = apart.diff(dim=-1).square().mean((0, 1, 2)).sqrt()
    assert steps[48:160].max() < 0.005


@pytest.mark.parametrize("tile", [127, 0, -5])
def test_pieces_that_are_too_small(tile: int) -> None:
    with pytest.raises(OptionError, match=f"tile must be at least 128, got {tile}"):
        restore(torch.rand(1, 3, 8, 8), AdditiveNoise(0.1), prior=flow(), tile=tile)


def test_samples_and_their_spread_come_in_pieces_too() -> None:
    prior, degradation = flow(), AdditiveNoise(0.2)
    y = degradation(prior.sized(*SIZE).gaussian.sample(1), generators(0, 1))
    method = Flower(iterations=2, runs=3, refine="sample")
    found = restore(y, degradation, method=method, prior=prior, samples=3, tile=160)
    assert found.samples.shape == (1, 3, 3, *SIZE)
    assert found.std is not None
    assert found.std.shape == (1, 3, *SIZE)
    assert found.std.min() > 0


def test_a_gaussian_of_any_size_works_in_pieces() -> None:
    prior, degradation = flow().gaussian, AdditiveNoise(0.1)
    assert prior is not None
    x = prior.sized(*SIZE).sample(1, torch.Generator().manual_seed(0))
    y = degradation(x, generators(0, 1))
    pieces = restore(y, degradation, method=LMMSE(), prior=prior, tile=160)
    once = restore(y, degradation, method=LMMSE(), prior=prior)
    assert (pieces.image - once.image)[..., 40:-40, 40:-40].abs().max() < 0.02
    assert (once.image - x).square().mean() < 0.5 * (y - x).square().mean()


def test_what_cannot_be_cut() -> None:
    prior, shape = flow(), (1, 3, *SIZE)
    own = LinearDegradation(lambda x: x, lambda y: y, sigma=0.1)
    with pytest.raises(PairingError, match="does not support tiles"):
        restore(torch.rand(shape), own, prior=prior, tile=160)
    mask = torch.ones(1, 1, *SIZE)
    mask[..., :, :170] = 0
    with pytest.raises(MaskError, match="no pixel is observed in the 144x160 piece at row 0, column 0"):
        restore(torch.rand(shape), Mask(mask), prior=prior, tile=160)


@pytest.mark.parametrize("size", [(150, 203), (129, 160)])
@pytest.mark.parametrize("sampling", ["4:2:0", "4:4:4"])
def test_sides_that_are_no_whole_blocks(size: tuple[int, int], sampling: Any) -> None:
    """Of a JPEG file, in pieces, by every method that draws what was observed."""
    prior = flow()
    assert prior.gaussian is not None
    amortised = AmortisedPrior(prior.network, prior.gaussian, UNet(9, 6, 4, (1, 2), 1, False), 8)
    degradation = JPEG(40, sampling)
    y = degradation(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)), torch.Generator())
    for method in (OnePass(), Flower(iterations=2, refine="sample")):
        found = restore(y, degradation, method=method, prior=amortised, tile=128)
        assert found.image.shape == y.shape
        assert found.image.isfinite().all()
