"""restora.restoration: the call that joins observation, degradation, prior and solver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import restora
from restora import Degradation, Downsample, GANPrior, Grayscale, Mask, Restoration, pairing
from restora.errors import OptionError, PairingError, ShapeError, UnknownNameError
from restora.pairing import describe
from restora.plan import Plan, decide
from restora.priors import FlowPrior, GaussianPrior, Prior, load_prior, store
from restora.restoration import stream
from restora.solvers import LatentMAP, Solver, Step, solvers

SOLVER = LatentMAP(iterations=4, restarts=3)


@pytest.fixture
def prior(tiny: Path) -> Prior:
    return load_prior(tiny)


@pytest.fixture
def y() -> Tensor:
    return torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))


def restore(y: Tensor, prior: Prior | Path, **options: Any) -> Restoration:
    return restora.restore(y, Downsample(), **{"method": SOLVER, "prior": prior, "device": "cpu"} | options)


def test_shapes_range_and_order(y: Tensor, prior: Prior) -> None:
    result = restore(y, prior, samples=3)
    assert result.image.shape == (2, 3, 8, 8)
    assert result.samples.shape == (2, 3, 3, 8, 8)
    assert torch.equal(result.samples[:, 0], result.image)
    assert result.image.min() >= 0
    assert result.image.max() <= 1
    assert result.history.shape == (4, 2)
    assert result.history.diff(dim=0).le(0).all()  # the best so far
    assert result.seconds > 0
    assert (result.method, result.settings["iterations"]) == ("map", 4)
    assert result.std is None


def test_residual_is_the_rms_of_what_is_left(y: Tensor, prior: Prior) -> None:
    result = restore(y, prior)
    left = y - Downsample().A(result.image)
    torch.testing.assert_close(result.residual, left.flatten(1).square().mean(1).sqrt())


def test_seed_of_each_image(y: Tensor, prior: Prior) -> None:
    both = restore(y, prior, seed=5)
    assert torch.equal(both.image, restore(y, prior, seed=[5, 6]).image)
    assert not torch.equal(both.image, restore(y, prior, seed=7).image)
    second = restore(y[1:], prior, seed=6).image
    assert (second - both.image[1:]).abs().max() < 1 / 255


def test_more_samples_than_restarts(y: Tensor, prior: Prior) -> None:
    assert restore(y, prior, samples=5).samples.shape[1] == 5


def test_prior_by_its_folder(y: Tensor, tiny: Path, prior: Prior) -> None:
    assert torch.equal(restore(y, tiny).image, restore(y, prior).image)
    assert torch.equal(restore(y, str(tiny)).image, restore(y, prior).image)  # type: ignore[arg-type]


def test_stream_yields_every_step_and_returns_the_restoration(y: Tensor, prior: Prior) -> None:
    steps, run = [], stream(y, Downsample(), method=SOLVER, prior=prior, device="cpu")
    while True:
        try:
            steps.append(next(run))
        except StopIteration as stop:
            result = stop.value
            break
    assert [step.i for step in steps] == [1, 2, 3, 4]
    assert torch.equal(result.image, restore(y, prior).image)


def test_arguments_are_not_changed(prior: Prior) -> None:
    y, degradation = torch.rand(2, 3, 8, 8), Mask.center((8, 8))
    before, weights = y.clone(), {k: v.clone() for k, v in prior.state_dict().items()}
    restora.restore(y, degradation, method=SOLVER, prior=prior, device="cpu")
    assert torch.equal(y, before)
    assert all(torch.equal(v, weights[k]) for k, v in prior.state_dict().items())


@dataclass(frozen=True)
class Mean(Solver):
    """A solver of one's own: needs no prior, and gives a single restoration."""

    def steps(self, y: Tensor, degradation: Degradation, prior: Any, generator: Any) -> Iterator[Step]:
        x = degradation.A_dagger(y)
        yield Step(1, 1, x, torch.zeros(len(x)))


def test_solver_of_one_s_own(y: Tensor, prior: Prior) -> None:
    result = restore(y, prior, method=Mean())
    assert torch.equal(result.image, y.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert result.method == "Mean"
    with pytest.raises(PairingError, match=r"Mean does not sample .* use a method that does"):
        restore(y, prior, method=Mean(), uncertainty=True)
    with pytest.raises(OptionError, match="Mean returns one restoration per image"):
        restore(y, prior, method=Mean(), samples=2)


def test_method_without_a_prior(y: Tensor, prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(solvers._entries, "mean", Mean)
    result = restora.restore(y, Downsample(), method="mean", device="cpu")
    assert result.image.shape == (2, 3, 8, 8)
    wide = restora.restore(torch.rand(1, 1, 2, 5), Downsample(), method="mean", device="cpu")
    assert wide.image.shape == (1, 1, 8, 20)
    with pytest.raises(PairingError, match="method 'mean' uses no prior; leave the prior out"):
        restora.restore(y, Downsample(), method="mean", prior=prior)
    assert restora.restore(y[0], Downsample(), method="mean").image.shape == (1, 3, 8, 8)
    with pytest.raises(ShapeError, match=r"expected \(B, C, H, W\)"):
        restora.restore(y[0, 0], Downsample(), method="mean")


def test_method_whose_kind_of_prior_does_not_ship(y: Tensor) -> None:
    class Needy(Mean):
        needs = OtherPrior

    with pytest.raises(
        PairingError, match=r"method 'Needy' needs a OtherPrior, and none is installed. Train one"
    ):
        restora.restore(y, Downsample(), method=Needy())


def test_method_that_cannot_do_the_task(y: Tensor) -> None:
    class Never(Mean):
        def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
            return False

    with pytest.raises(PairingError, match="method 'Never' has no answer to task 'superres'"):
        restora.restore(y, Downsample(), method=Never())


class OtherPrior(Prior):
    kind = "other"
    image_shape = (3, 8, 8)


def test_method_by_name(prior: GANPrior) -> None:
    expected = Plan("map", LatentMAP(), prior, torch.device("cpu"))
    assert decide("auto", prior, device="cpu") == expected
    assert decide("map", prior, device="cpu") == expected
    shipped = decide("map", device="cpu")
    assert shipped.prior is not None
    assert (shipped.method, shipped.solver, shipped.prior.name) == ("map", LatentMAP(), GANPrior.shipped[0])
    with pytest.raises(UnknownNameError, match="unknown method 'mpa'"):
        decide("mpa", prior)


def test_the_prior_that_ships_for_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = tiny_flow(8), tiny_flow(16)
    monkeypatch.setattr(FlowPrior, "shipped", ("missing", "small", "large"))
    monkeypatch.setattr(store, "names", lambda: ["large", "small"])
    monkeypatch.setattr(pairing, "_loaded", {"small": small, "large": large}.__getitem__)
    assert decide(device="cpu").prior is small
    assert decide(device="cpu", images=(3, 16, 16)).prior is large
    assert decide("flower", device="cpu", images=(3, 16, 16)).prior is large
    assert decide(device="cpu", images=(3, 5, 5)).prior is small  # none fits: its size is named in the error
    assert decide("auto", large, device="cpu", images=(3, 8, 8)).prior is large
    y = torch.rand(1, 1, 16, 16)
    assert restora.restore(y, Grayscale()).image.shape == (1, 3, 16, 16)


def tiny_flow(size: int) -> FlowPrior:
    spread = 0.1 * torch.eye(3)[..., None, None].expand(-1, -1, size, size)
    gaussian = GaussianPrior(torch.zeros(3, size, size), torch.zeros(0, 3, size, size), spread)
    return FlowPrior(Nothing(), gaussian)


class Nothing(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x[:, :3] * 0


def test_wrong_pairing() -> None:
    with pytest.raises(PairingError, match="solver 'map' needs a GANPrior; 'unnamed' is a OtherPrior"):
        decide("map", OtherPrior())
    with pytest.raises(PairingError, match="no method is known for a OtherPrior"):
        decide("auto", OtherPrior())


def test_observation_of_the_wrong_shape_says_what_is_needed(prior: Prior) -> None:
    for shape in [(1, 3, 4, 4), (1, 2, 2, 2), (3, 2, 3)]:
        with pytest.raises(ShapeError, match="needs 2x2 with 3 channels"):
            restore(torch.rand(*shape), prior)


def test_shapes_as_people_say_them() -> None:
    assert describe((1, 48, 64)) == "64x48 with 1 channel"
    assert describe((3, 2, 2)) == "2x2 with 3 channels"
    assert describe((5,)) == "of shape (5,)"


def test_no_samples(y: Tensor, prior: Prior) -> None:
    with pytest.raises(OptionError, match="samples must be at least 1, got 0"):
        restore(y, prior, samples=0)


def test_a_prior_of_any_size_says_which_channels_are_wanted() -> None:
    pair = torch.rand(1, 2, 20, 30)
    for degradation in (restora.AdditiveNoise(0.1), Mask(torch.ones(20, 30))):
        with pytest.raises(ShapeError, match="with 3 channels"):
            restora.restore(pair, degradation, prior="natural")
