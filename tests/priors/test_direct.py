"""The prior of one task: its linear estimate, its agreement with a flow, its form in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from restora.degradations import (
    JPEG,
    AdditiveNoise,
    Degradation,
    Downsample,
    Grayscale,
    Mask,
    Quantize,
    lmmse,
    named,
)
from restora.errors import OptionError, ShapeError, WeightsError
from restora.networks.unet import UNet
from restora.operators import codec
from restora.priors import DirectPrior, FlowPrior, GaussianPrior, load_prior, store
from restora.priors.conventions import SCALE
from restora.priors.direct import Units
from restora.random import generators

SHAPE = (3, 8, 8)
TASKS: dict[str, dict[str, Any]] = {
    "inpaint": {},
    "colorize": {},
    "superres": {},
    "denoise": {},
    "dequantize": {},
}
TASKS["deblur"] = {"width": 1.0}


def gaussian(rank: int = 0) -> GaussianPrior:
    """A smooth field about different greys, and some directions more."""
    generator = torch.Generator().manual_seed(0)
    frequency = torch.arange(8.0)[:, None] + torch.arange(8.0)[None]
    spread = (0.06 * torch.eye(3) + 0.02)[:, :, None, None] / (1 + frequency)
    factors = 0.03 * torch.randn(rank, *SHAPE, generator=generator)
    return GaussianPrior(0.4 + 0.2 * torch.rand(SHAPE, generator=generator), factors, spread)


def network(seed: int | None = None) -> UNet:
    """As it is initialised, with an answer of 0; or, with a seed, any."""
    net = UNet(width=4, blocks=1)
    if seed is not None:
        torch.manual_seed(seed)
        for parameter in net.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return net


def observations(degradation: Degradation, prior: DirectPrior, count: int = 3) -> Tensor:
    x = prior.gaussian.mean + prior.gaussian.deviation(count, generators(7, count))
    return degradation(x, generators(8, count))


@pytest.mark.parametrize("task", TASKS)
def test_without_an_answer_of_the_network_it_is_the_linear_estimate(task: str) -> None:
    prior = DirectPrior(network(), gaussian(4), task, TASKS[task])
    y, g = observations(prior.degradation, prior), prior.gaussian
    expected = lmmse(prior.degradation, g.mean.expand(3, -1, -1, -1), g.covariance, y, tolerance=1e-5)
    torch.testing.assert_close(prior.estimate(y), expected, rtol=0, atol=2e-3)
    torch.testing.assert_close(prior.estimate(y[1:2])[0], prior.estimate(y)[1], rtol=0, atol=1e-3)


def test_the_answer_counts_in_units_of_the_linear_error() -> None:
    class One(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            assert x.shape[1:] == (6, 8, 8)
            assert torch.equal(t, torch.full((3,), 0.25))
            return torch.ones_like(x[:, :3])

    prior = DirectPrior(One(), gaussian(), "superres", units=Units(0.125, 0.2, 0.25))
    y = observations(prior.degradation, prior)
    torch.testing.assert_close(prior.estimate(y) - prior.linear(y), torch.full((3, *SHAPE), 0.125))


@pytest.mark.parametrize("task", ["inpaint", "colorize", "superres", "denoise"])
def test_the_lift_is_the_image_nearest_to_the_mean_that_explains_the_observation(task: str) -> None:
    prior = DirectPrior(network(), gaussian(), task)
    y, A = observations(prior.degradation, prior), prior.degradation
    lift = prior.lift(y)
    torch.testing.assert_close(A.A(lift), A.A(A.A_dagger(y)), rtol=0, atol=1e-5)
    change = lift - prior.gaussian.mean
    torch.testing.assert_close(A.A_dagger(A.A(change)), change, rtol=0, atol=1e-5)  # nothing A cannot see


def test_for_denoising_it_is_the_flow_with_the_same_network() -> None:
    sigma, net, g = 0.1, network(1), gaussian()
    flow, t = FlowPrior(net, g), 1 / (1 + sigma / SCALE)
    assert flow.wiener is not None
    error = flow.wiener(g.mean[None], torch.tensor([t]))[1].item()
    prior = DirectPrior(net, g, "denoise", {"sigma": sigma}, Units(error, sigma, t))
    y = observations(prior.degradation, prior)
    expected = flow.denoise(t * y, t)
    assert (expected - prior.linear(y)).abs().max() > 0.005
    torch.testing.assert_close(prior.estimate(y), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("task", "options"),
    [("inpaint", {}), ("denoise", {"sigma": 0.2}), ("dequantize", {"levels": 9, "distance": "identity"})],
)
def test_round_trip(task: str, options: dict[str, Any], tmp_path: Path) -> None:
    prior = DirectPrior(network(1), gaussian(4), task, options, Units(0.05, 0.1, 0.7))
    store.save(tmp_path / "own", prior, {"summary": "test"})
    loaded = load_prior(tmp_path / "own")
    assert isinstance(loaded, DirectPrior)
    assert (loaded.task, loaded.units, loaded.image_shape) == (task, prior.units, SHAPE)
    assert named.same(loaded.degradation, prior.degradation)
    assert not any(p.requires_grad for p in loaded.parameters())
    y = observations(prior.degradation, prior)
    torch.testing.assert_close(loaded.estimate(y), prior.estimate(y), rtol=0, atol=5e-3)
    assert all(v.element_size() <= 2 for k, v in prior.pack().items() if k != "gaussian.steps")


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(OptionError, match="levels"):
        DirectPrior(network(), gaussian(), "dequantize", {"levels": 1})
    with pytest.raises(ShapeError, match="scale"):
        DirectPrior(network(), gaussian(), "superres", {"scale": 3})
    with pytest.raises(WeightsError, match="own UNet"):
        DirectPrior(nn.Identity(), gaussian(), "denoise").config()


def test_degradations_by_name() -> None:
    center, options = named.build("inpaint", (8, 8)), {"sigma": 0.0, "hole": "center"}
    assert named.options(center) == options
    assert named.same(center, named.build("inpaint", (8, 8), options))
    assert center.operator.mask is not None
    assert named.same(center, Mask(center.operator.mask.expand(5, -1, -1, -1)))
    assert named.same(JPEG(20), JPEG(20, tables=codec.tables(20)[None]))
    others = [
        (center, Mask.center((8, 8), 2)),
        (center, Mask.center((8, 8), sigma=0.1)),
        (center, Mask.center((16, 16))),
        (AdditiveNoise(0.1), AdditiveNoise(0.2)),
        (Downsample(2), Downsample(4)),
        (Quantize(), AdditiveNoise(math.sqrt(1 / 192))),
        (Grayscale(), Grayscale("value")),
        (JPEG(20), JPEG(20, tables=codec.tables(30)[None])),
    ]
    assert not any(named.same(a, b) for a, b in others)
    assert named.options(Mask.center((8, 8), 2)) == {"sigma": 0.0}
    assert named.describe(AdditiveNoise(0.2)) == "denoise (sigma=0.2)"
    assert named.parse("colorize", "grey=value,sigma=0.1") == {"grey": "value", "sigma": 0.1}
    assert named.parse("superres", "scale=2") == {"scale": 2}
    assert named.parse("inpaint", "") == {}
    assert named.parse("inpaint", "hole=center,sigma=0.1") == {"hole": "center", "sigma": 0.1}
    for task, text in {"denoise": "scale=2", "superres": "scale", "inpaint": "mask=a.png"}.items():
        with pytest.raises(OptionError, match=f"{text}: expected NAME=VALUE with an option of {task}"):
            named.parse(task, text)
    with pytest.raises(OptionError, match="levels=few: expected a whole number"):
        named.parse("dequantize", "levels=few")
