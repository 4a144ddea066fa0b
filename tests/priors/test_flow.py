"""The flow prior: its forms against closed forms, its samples, and its form in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from restora.errors import OptionError, WeightsError
from restora.gaussian.wiener import Wiener
from restora.networks.unet import UNet
from restora.priors import FlowPrior, GaussianPrior, load_prior, store
from restora.random import generators

SHAPE = (3, 8, 8)


def gaussian(rank: int = 0) -> GaussianPrior:
    """A smooth field about different greys; cut at 0 and 1 it would hardly change."""
    generator = torch.Generator().manual_seed(0)
    frequency = torch.arange(8.0)[:, None] + torch.arange(8.0)[None]
    spread = (0.06 * torch.eye(3) + 0.02)[:, :, None, None] / (1 + frequency)
    factors = 0.1 * torch.randn(rank, *SHAPE, generator=generator)
    return GaussianPrior(0.4 + 0.2 * torch.rand(SHAPE, generator=generator), factors, spread)


class Zero(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x[:, :3] * 0


class Velocity(nn.Module):
    """(D - w) / (1 - t) of a Gaussian in the convention of images in [-1, 1]."""

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        t_ = t.view(-1, 1, 1, 1)
        w = (z + t_) / 2
        return 2 * (Wiener(gaussian().mean, gaussian().covariance)(w, t)[0] - w) / (1 - t_) - 1


class Denoiser(nn.Module):
    def forward(self, w: Tensor, t: Tensor) -> Tensor:
        return Wiener(gaussian().mean, gaussian().covariance)(w, t)[0]


def forms() -> list[FlowPrior]:
    return [
        FlowPrior(Zero(), gaussian()),
        FlowPrior(Velocity(), image_shape=SHAPE),
        FlowPrior(Denoiser(), form="denoiser", image_shape=SHAPE),
    ]


@pytest.mark.parametrize("prior", forms(), ids=lambda prior: prior.form)
def test_forms_of_one_flow(prior: FlowPrior) -> None:
    w, t = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1)), torch.tensor([0.2, 0.7])
    expected = Wiener(gaussian().mean, gaussian().covariance)(w, t)[0]
    torch.testing.assert_close(prior.denoise(w, t), expected, rtol=0, atol=1e-5)
    expected = (expected - w) / (1 - t.view(-1, 1, 1, 1))
    torch.testing.assert_close(prior.velocity(w, t), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(prior.velocity(w[:1], 0.2), expected[:1], rtol=0, atol=1e-4)
    assert prior.image_shape == SHAPE


def test_a_residual_network_learns_in_units_of_the_linear_error() -> None:
    prior, truth = FlowPrior(Zero(), gaussian()), gaussian()
    x = truth.mean + truth.deviation(500, torch.Generator().manual_seed(1))
    e = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    for t in (0.1, 0.5, 0.9):
        parts = prior.precondition(t * x + (1 - t) * 0.5 * e, torch.full((500,), t))
        assert ((x - parts.skip) / parts.scale).square().mean().item() == pytest.approx(1, abs=0.05)
        assert 0.5 < parts.input[:, 3:].square().mean().item() < 1.05


def test_samples_have_the_mean_and_the_variance() -> None:
    prior, truth, count = forms()[0], gaussian(), 2000
    samples = prior.sample(count, torch.Generator().manual_seed(1))
    spectrum = torch.eye(192).view(192, *SHAPE)
    std = truth.covariance(spectrum).flatten(1).diagonal().sqrt().view(SHAPE)
    assert ((samples.mean(0) - truth.mean).abs() < 5 * std / count**0.5 + 2e-3).all()
    assert (samples.std(0) / std).mean().item() == pytest.approx(1, abs=0.02)
    alone, together = prior.sample(1, generators(4, 1)), prior.sample(2, generators(3, 2))
    torch.testing.assert_close(alone[0], together[1], rtol=0, atol=1e-5)


def stored(form: str | None = None, rank: int = 4) -> FlowPrior:
    torch.manual_seed(0)
    network = UNet(inputs=3 if form else 6, width=8)
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return FlowPrior(network, gaussian(rank), form, symmetries=2)


@pytest.mark.parametrize("form", [None, "velocity"])
def test_round_trip(form: str | None, tmp_path: Path) -> None:
    prior = stored(form)
    store.save(tmp_path / "own", prior, {"summary": "test"})
    loaded = load_prior(tmp_path / "own")
    assert isinstance(loaded, FlowPrior)
    assert (loaded.form, loaded.name, loaded.image_shape) == (prior.form, "own", SHAPE)
    assert loaded.symmetries == 2
    w = torch.rand(2, *SHAPE)
    torch.testing.assert_close(loaded.denoise(w, 0.5), prior.denoise(w, 0.5), rtol=0, atol=1e-2)
    packed = sum(v.numel() * v.element_size() for v in prior.pack().values())
    assert packed < 0.51 * sum(v.numel() * 4 for v in prior.state_dict().values())


def test_without_a_gaussian_it_can_be_stored(tmp_path: Path) -> None:
    prior = FlowPrior(UNet(inputs=3, width=4), image_shape=SHAPE)
    store.save(tmp_path / "own", prior, {})
    loaded = load_prior(tmp_path / "own")
    assert isinstance(loaded, FlowPrior)
    assert (loaded.gaussian, loaded.form) == (None, "velocity")


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(OptionError, match="needs a GaussianPrior"):
        FlowPrior(Zero(), form="residual", image_shape=SHAPE)
    with pytest.raises(OptionError, match="needs image_shape"):
        FlowPrior(Zero())
    with pytest.raises(
        OptionError, match="form must be one of residual, velocity, denoiser, or a convention, got 'score'"
    ):
        FlowPrior(Zero(), gaussian(), form="score")
    with pytest.raises(WeightsError, match="a Zero cannot be stored"):
        FlowPrior(Zero(), gaussian()).config()


def test_the_network_is_frozen() -> None:
    prior = stored()
    assert not prior.training
    assert not any(p.requires_grad for p in prior.parameters())
    w = torch.rand(1, *SHAPE).requires_grad_()
    prior.denoise(w, 0.5).sum().backward()  # but solvers differentiate it in w
    assert w.grad is not None
    assert w.grad.abs().max() > 0


def test_a_prior_keeps_its_last_size_where_it_is() -> None:
    spread = torch.rand(3, 1, 8, 8).square().expand(3, 3, 8, 8) * torch.eye(3)[..., None, None]
    gaussian = GaussianPrior(torch.full((3, 8, 8), 0.5), torch.zeros(0, 3, 8, 8), spread.contiguous())
    prior = FlowPrior(UNet(6, 3, 8, (1, 1), 1, attention=False), gaussian)
    large = prior.sized(16, 24)
    assert prior.to("cpu").sized(16, 24) is large
    assert prior.sized(24, 16).image_shape == (3, 24, 16)
    assert prior.double().sized(24, 16).gaussian.mean.dtype == torch.float64
