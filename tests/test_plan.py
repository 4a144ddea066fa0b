"""restora.plan: what is decided once, what a result says of it, and that nothing of the caller's is moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from restora import AdditiveNoise, Degradation, Downsample, Mask, plan, restore
from restora.degradations import named
from restora.device import on
from restora.errors import ObservationError, OptionError, PairingError, ResultError, ShapeError
from restora.plan import decide, finish
from restora.priors import FlowPrior, GaussianPrior, Prior
from restora.solvers import DPS, LMMSE, MMSE, TV, Flower, Solver, Step, solvers

SHAPE = (3, 8, 8)


class Nothing(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x[:, :3] * 0


@pytest.fixture
def gaussian() -> GaussianPrior:
    spread = 0.1 * torch.eye(3)[..., None, None].expand(-1, -1, 8, 8).contiguous()
    return GaussianPrior(torch.full(SHAPE, 0.5), torch.zeros(0, *SHAPE), spread)


@pytest.fixture
def flow(gaussian: GaussianPrior) -> FlowPrior:
    return FlowPrior(Nothing(), gaussian)


@pytest.fixture
def y() -> Tensor:
    return torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "more", [{}, {"samples": 3}, {"uncertainty": True}, {"samples": 4, "uncertainty": True}]
)
@pytest.mark.parametrize("method", ["auto", "mmse", "flower", MMSE(tolerance=0.2), Flower(iterations=3)])
def test_a_result_makes_its_solver_again(
    method: str | Solver, more: dict[str, Any], flow: FlowPrior, y: Tensor
) -> None:
    chosen = decide(method, flow, device="cpu", **more)
    result = finish(chosen.run(y, Mask.center((8, 8))))
    assert solvers.get(result.method)(**result.settings) == chosen.solver
    assert result.method == ("flower" if more or method in ("flower", Flower(iterations=3)) else "mmse")
    assert result.samples.shape[1] == more.get("samples", 1)


@pytest.mark.parametrize(
    ("method", "samples"), [("lmmse", 3), ("dps", 2), (DPS(iterations=5), 2), (LMMSE(), 1)]
)
def test_other_methods_keep_their_names(
    method: str | Solver, samples: int, flow: FlowPrior, gaussian: GaussianPrior, y: Tensor
) -> None:
    prior = gaussian if method in ("lmmse", LMMSE()) else flow
    result = restore(y, Mask.center((8, 8)), method=method, prior=prior, samples=samples, device="cpu")
    solver = solvers.get(result.method)(**result.settings)
    again = restore(y, Mask.center((8, 8)), method=solver, prior=prior, samples=samples, device="cpu")
    assert torch.equal(again.samples, result.samples)
    assert (again.method, again.settings) == (result.method, result.settings)


def test_what_was_set_is_kept_where_samples_are_drawn() -> None:
    assert MMSE(tolerance=0.2, orientations=3).for_samples(3) == Flower(tolerance=0.2, orientations=3, runs=3)
    assert MMSE(iterations=7).for_uncertainty() == Flower(iterations=7).for_uncertainty()
    assert MMSE(first=0.3).for_samples(1) == MMSE(first=0.3)
    with pytest.raises(OptionError, match=r"first: method .mmse. uses .flower. for samples .*, which has"):
        MMSE(first=0.3).for_samples(2)


def test_a_plan_fits_or_says_why(gaussian: GaussianPrior, flow: FlowPrior) -> None:
    chosen = decide(prior=flow, device="cpu")
    assert chosen.fit(Downsample(), (3, 2, 2)) == SHAPE
    with pytest.raises(ShapeError, match=r"3x2 with 3 channels, but prior 'unnamed' makes 8x8 .* needs 2x2"):
        chosen.fit(Downsample(), (3, 2, 3))
    assert decide("tv").fit(Downsample(2), (1, 3, 5)) == (1, 6, 10)
    with pytest.raises(PairingError, match="method 'nlmeans' has no answer to task 'superres'"):
        decide("nlmeans").fit(Downsample(2), (1, 3, 5))
    assert decide("nlmeans").fit(named.build("denoise", (8, 8), {"sigma": "auto"}), SHAPE) == SHAPE


def test_seeds_are_one_an_image(y: Tensor, gaussian: GaussianPrior) -> None:
    with pytest.raises(OptionError, match="seed: expected one number, or 2, one per image; got 3"):
        restore(y, AdditiveNoise(0.1), prior=gaussian, method="lmmse", seed=[1, 2, 3], device="cpu")


@dataclass(frozen=True)
class Bad(Solver):
    """Gives NaN for an image, or an infinite standard deviation."""

    std: bool = False

    def steps(self, y: Tensor, degradation: Degradation, prior: Any, generator: Any) -> Iterator[Step]:
        x = y.clone()
        x[-1, 0, 0, 0] = 0 if self.std else torch.nan
        std = torch.full_like(x, torch.inf) if self.std else None
        yield Step(1, 1, x, torch.zeros(len(x)), std=std)


@pytest.mark.parametrize("std", [False, True])
def test_a_result_that_is_not_finite(y: Tensor, std: bool) -> None:
    with pytest.raises(ResultError, match="method 'Bad': the result has NaN or infinite values; try other"):
        restore(y, AdditiveNoise(0.1), method=Bad(std), device="cpu")
    y[0, 0, 0, 0] = torch.inf
    with pytest.raises(ObservationError, match="1 of 384 values are NaN or infinite; expected finite ones"):
        restore(y, AdditiveNoise(0.1), method=Bad(std), device="cpu")


def devices(module: nn.Module) -> set[str]:
    return {tensor.device.type for tensor in (*module.parameters(), *module.buffers())}


def test_what_is_elsewhere_is_copied_and_stays(flow: FlowPrior, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on(flow, torch.device("cpu")) is flow
    for module in (flow, Mask.center((8, 8))):
        copied = on(module, torch.device("meta"))
        assert (devices(module), devices(copied)) == ({"cpu"}, {"meta"})
    monkeypatch.setattr(plan, "pick", lambda name: torch.device("meta"))
    chosen = decide(prior=flow)
    assert chosen.prior is not flow
    assert isinstance(chosen.prior, FlowPrior)
    assert (devices(flow), devices(chosen.prior)) == ({"cpu"}, {"meta"})


def test_nothing_of_the_caller_s_is_moved(
    flow: FlowPrior, y: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "_apply", lambda self, *_, **__: moved.append(self) or self)
    degradation = Mask.center((8, 8))
    result = restore(y, degradation, prior=flow, samples=2, device="cpu")
    assert moved == []
    assert result.degradation is degradation


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("place", ["cpu", "cuda"])
def test_results_are_where_the_observations_are(place: str, flow: FlowPrior, y: Tensor) -> None:
    degradation, y = Mask.center((8, 8)), y.to(place)
    result = restore(y, degradation, prior=flow, samples=2, uncertainty=True, device="cuda")
    assert (devices(flow), devices(degradation)) == ({"cpu"}, {"cpu"})
    found = (result.image, result.samples, result.std, result.residual, result.history)
    assert all(tensor is not None and tensor.device == y.device for tensor in found)


def test_a_method_without_a_prior_has_none() -> None:
    chosen = decide("tv", device="cpu", samples=1)
    assert (chosen.method, chosen.solver, chosen.prior) == ("tv", TV(), None)
    assert decide(TV(), device="cpu") == chosen


class Other(Prior):
    image_shape = SHAPE


def test_a_prior_of_one_s_own_is_used_as_it_is() -> None:
    prior = Other()
    assert decide(TV(), prior, device="cpu").prior is prior
