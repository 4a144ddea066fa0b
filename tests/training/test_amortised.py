"""The second stage of a flow, on tiny images whose Gaussian posterior it starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import restora
from restora.degradations import AdditiveNoise, Blur, Chain, Downsample
from restora.errors import OptionError
from restora.networks.unet import UNet, grown
from restora.priors import AmortisedPrior, FlowPrior, GaussianPrior, load_prior, store
from restora.training import AmortisedTrainer, loop
from restora.training.amortised import AmortisedConfig
from restora.training.damage import damage, draw, kinds

SHAPE = (3, 16, 16)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flow for images of any size whose network adds nothing yet."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("priors") / "start"
    frequency = torch.arange(16.0)[:, None] + torch.arange(16.0)[None]
    spread = (0.2 * torch.eye(3) + 0.1)[..., None, None] / (1 + frequency) + 0.02 * torch.eye(3)[
        ..., None, None
    ]
    gaussian = GaussianPrior(torch.full(SHAPE, 0.5), torch.zeros(0, *SHAPE), spread)
    network = UNet(6, 3, 8, blocks=1, attention=False)
    store.save(folder, FlowPrior(network, gaussian, symmetries=8), {"summary": "For tests."})
    return folder


def pictures(n: int = 40) -> list[Tensor]:
    """Discs on a ramp: far from Gaussian."""
    generator, row = torch.Generator().manual_seed(0), torch.arange(24.0)
    found = []
    for _ in range(n):
        top, left, radius, *colour = torch.rand(6, generator=generator).tolist()
        disc = ((row[:, None] - 24 * top) ** 2 + (row - 24 * left) ** 2).sqrt() < 3 + 5 * radius
        x = (row[:, None] + row).expand(3, -1, -1) / 60 * torch.tensor(colour)[:, None, None]
        found.append((255 * torch.where(disc, 1 - x, x)).to(torch.uint8))
    return found


def trainer(start: Path, **settings: Any) -> AmortisedTrainer:
    own = {"prior": str(start), "batch": 8, "group": 4, "warmup": 64, **settings}
    return AmortisedTrainer(AmortisedConfig(**own), pictures())


def test_it_starts_as_the_linear_estimate(start: Path) -> None:
    own = trainer(start)
    x = torch.rand(8, *SHAPE, generator=torch.Generator().manual_seed(0))
    seen = own._see(damage(x, 4, torch.Generator().manual_seed(1)), torch.Generator().manual_seed(2))
    mean, logs = own.prior.estimate(seen)
    torch.testing.assert_close(mean, seen.linear)
    torch.testing.assert_close(logs, (2 * seen.error.log()).view(-1, 1, 1, 1).expand_as(logs))


def test_grown_networks_give_what_the_narrow_ones_do() -> None:
    torch.manual_seed(0)
    narrow, wide = UNet(6, 3, 8, blocks=1, attention=False), UNet(9, 6, 8, blocks=1, attention=False, fine=2)
    for parameter in narrow.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    wide.load_state_dict(grown(narrow.state_dict(), wide.state_dict()))
    x, t = torch.rand(2, 9, 16, 16), torch.rand(2)
    answer = wide(x, t)
    torch.testing.assert_close(answer[:, :3], narrow(x[:, :6], t))
    assert (answer[:, 3:] == 0).all()


def test_training_improves_on_it(start: Path, tmp_path: Path) -> None:
    own = trainer(start, rate=2e-3, decay_from=0.5)
    before = own.check()["validation_loss"]
    for _ in loop.run(own, tmp_path / "run", loop.Budget(images=640)):
        pass
    assert own.check()["validation_loss"] < before - 0.05
    prior = load_prior(tmp_path / "run")
    assert isinstance(prior, AmortisedPrior)
    assert prior.card["calibration"].keys() == {*kinds(SHAPE), "all"}
    x = torch.rand(1, 3, 20, 28)  # any size, any degradation
    degradation = Chain(Blur(width=0.8, sigma=0), Downsample(2), AdditiveNoise(0.03))
    found = restora.restore(degradation(x).clamp(0, 1), degradation, prior=prior)
    assert (found.method, tuple(found.image.shape)) == ("onepass", (1, 3, 20, 28))
    assert found.std is not None
    assert (found.std > 0).all()
    low, high = found.interval(0.5)
    wide_low, wide_high = found.interval(0.95)
    assert ((wide_low < low) & (high < wide_high)).all()


def test_larger_images_than_the_flows(start: Path, tmp_path: Path) -> None:
    own = trainer(start, squares=20)
    assert own._sized.image_shape == (3, 20, 20)
    for _ in loop.run(own, tmp_path / "run", loop.Budget(images=16)):
        pass
    prior = load_prior(tmp_path / "run")
    assert prior.image_shape == SHAPE
    assert trainer(start).config.size == 16


def test_a_flow_of_one_size_refuses_others(start: Path, tmp_path: Path) -> None:
    prior = load_prior(start)
    fixed = FlowPrior(UNet(6, 3, 8, blocks=1, attention=True), prior.gaussian)
    store.save(tmp_path / "fixed", fixed, {})
    with pytest.raises(OptionError, match="16x16 only, got 20"):
        AmortisedConfig(prior=str(tmp_path / "fixed"), squares=20)


def test_a_run_goes_on_where_it_stopped(start: Path, tmp_path: Path) -> None:
    whole, first = trainer(start), trainer(start)
    for step in range(4):
        whole.step(step / 4)
    for step in range(2):
        first.step(step / 4)
    again = trainer(start)
    again.load_state(first.state())
    for step in range(2, 4):
        again.step(step / 4)
    for a, b in zip(whole.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", kinds(SHAPE))
def test_every_kind_of_damage(start: Path, kind: str) -> None:
    own, x = trainer(start), torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(3))
    for seed in range(12 if kind == "chain" else 3):
        generator = torch.Generator().manual_seed(seed)
        seen = own._see(damage(x, 2, generator, kind), generator)
        assert all(part.isfinite().all() for part in seen)
        assert (seen.error > 0).all()


def test_damage_is_that_of_its_seed() -> None:
    x = torch.rand(6, *SHAPE)
    one, two, other = (damage(x, 2, torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(one, two, strict=True))
    assert any(a.shape != b.shape or not torch.equal(a, b) for (a, _), (b, _) in zip(one, other, strict=True))


def test_noise_that_grows_with_brightness() -> None:
    x = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    grown = [draw("noise", x, torch.Generator().manual_seed(s)).noise for s in range(12)]
    maps = [noise.sigma for noise in grown if isinstance(noise.sigma, Tensor)]
    assert maps
    assert all(sigma[..., -1].mean() > sigma[..., 0].mean() for sigma in maps)


def test_a_prior_that_is_no_flow() -> None:
    with pytest.raises(OptionError, match=r"expected a flow prior .* a GaussianPrior"):
        AmortisedConfig(prior="natural-gaussian")
