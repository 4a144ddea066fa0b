from __future__ import annotations

import pytest
import torch

from restora import Chain, restore
from restora.degradations import (
    JPEG,
    AdditiveNoise,
    Blur,
    Downsample,
    Impulse,
    Mask,
    Poisson,
    Quantize,
    named,
)
from restora.errors import OptionError
from restora.noise import BlockRounding, ImpulseNoise, PoissonNoise, Rounding
from restora.random import Window, generators
from restora.tiles import cut


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), "expected degradations, got none"),
        ((Quantize(5), Downsample(2)), "superres cannot come after dequantize.*Put superres first"),
        ((Poisson(), Downsample(2)), "superres cannot come after poisson.*Put superres first"),
        ((Blur(), Downsample(2)), "cannot come after deblur.*or set sigma to 0 in deblur"),
        ((AdditiveNoise(), Poisson()), "poisson cannot follow denoise; put poisson first"),
        ((JPEG(), AdditiveNoise()), "denoise cannot follow jpeg; put denoise first"),
        ((Quantize(5), JPEG()), "jpeg cannot follow dequantize; use only the stronger of the two"),
        ((AdditiveNoise("auto"), JPEG()), "'auto' is found where noise is last, not before jpeg"),
        ((JPEG(), Mask(torch.ones(1, 1, 8, 8))), "inpaint cannot come after jpeg, because it would break"),
    ],
)
def test_what_cannot_be_chained(parts, message) -> None:
    with pytest.raises(OptionError, match=message):
        Chain(*parts)


def test_noise_sums_up_where_a_formula_is_known() -> None:
    assert Chain(Blur(sigma=0.0), AdditiveNoise(0.2)).sigma == 0.2
    assert Chain(AdditiveNoise(0.3), AdditiveNoise(0.4)).sigma == pytest.approx(0.5)
    for last, kind in ((JPEG(30), BlockRounding), (Quantize(8), Rounding), (Impulse(0.1), ImpulseNoise)):
        noise = Chain(AdditiveNoise(0.2), last).noise
        assert isinstance(noise, kind)
        assert noise.sigma == 0.2
    noise = Chain(Poisson(50, sigma=0.03), AdditiveNoise(0.04)).noise
    assert isinstance(noise, PoissonNoise)
    assert noise.peak == 50
    assert noise.sigma == pytest.approx(0.05)


def test_a_chain_does_what_its_parts_do_in_turn() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mask = (torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1)) > 0.2).float()
    parts = Blur(width=1.0, sigma=0.0), Downsample(2), Mask(mask), AdditiveNoise(0.1)
    y = Chain(*parts)(x, generators(3, 1))
    expected = x
    for part in parts:
        expected = part(expected, generators(3, 1))
    torch.testing.assert_close(y, mask * expected)


def test_words_become_a_chain() -> None:
    task, options = named.words("blur:width=1.2+superres:scale=2:kernel=bicubic+noise:sigma=0.02+jpeg")
    assert task == "deblur+superres+denoise+jpeg"
    assert options == {"width": 1.2, "scale": 2, "superres:kernel": "bicubic", "sigma": 0.02}
    d = named.build(task, (32, 32), options | {"quality": 40})
    assert isinstance(d, Chain)
    assert isinstance(d.noise, BlockRounding)
    assert (d.noise.quality, d.noise.sigma) == (40, 0.02)
    assert named.task_name(d) == task
    told = named.options(d)
    assert told["deblur:kernel"] == "gaussian"
    assert told["superres:kernel"] == "bicubic"
    assert told["quality"] == 40
    assert told["sigma"] == 0.02
    assert named.same(d, named.build(task, (32, 32), told))
    assert not named.same(d, named.build(task, (32, 32), told | {"scale": 4}))


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("deblur+superres", {"kernel": "motion"}, "an option of deblur and superres; name the task"),
        ("deblur+superres", {"levels": 3}, "no such option"),
        ("superres+superres", {}, "superres is given twice"),
        ("superres+", {}, "expected tasks joined by"),
        ("inpaint+superres", {}, "superres cannot come after inpaint"),
        ("inpaint+jpeg", {}, "inpaint and jpeg cannot be one task"),
    ],
)
def test_words_that_make_no_chain(task, options, message) -> None:
    with pytest.raises(OptionError, match=message):
        named.build(task, (32, 32), options)


def test_the_noise_of_words_is_that_of_denoise_else_the_largest_default() -> None:
    assert named.build("deblur+superres", (32, 32)).sigma == Blur.sigma
    assert named.build("superres+jpeg", (32, 32)).sigma == 0
    assert named.build("deblur+noise", (32, 32)).sigma == AdditiveNoise.sigma
    assert named.build("deblur+noise", (32, 32), {"sigma": 0.3}).sigma == 0.3


def test_a_hole_is_of_the_picture_as_it_is_now() -> None:
    d = named.build("superres+inpaint", (64, 64), {"scale": 2, "hole": "center"})
    assert tuple(d.operator.observed_shape((3, 64, 64))) == (3, 32, 32)


def test_noise_of_a_chain_is_found() -> None:
    x = torch.linspace(0.2, 0.8, 96).expand(1, 3, 96, 96).contiguous()
    y = Chain(Blur(width=1.0, sigma=0.0), AdditiveNoise(0.05))(x, generators(0, 1))
    found = restore(y, Chain(Blur(width=1.0, sigma=0.0), AdditiveNoise("auto")), method="lmmse").degradation
    assert found.sigma == pytest.approx(0.05, rel=0.1)


def test_a_window_of_a_chain_is_the_chain_of_the_window() -> None:
    d = named.build("colorize+superres+inpaint", (64, 64), {"scale": 2, "hole": "pixels"})
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    window = Window(16, 32, 32, 32)
    own, y = cut(d, window, d.A(x), (64, 64))
    torch.testing.assert_close(own.A(window.of(x)), y)
    assert d.operator.grain == 2
