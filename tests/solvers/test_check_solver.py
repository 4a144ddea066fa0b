"""`restora.testing.check_solver`: it lets solvers pass, and finds what is wrong with others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from gaussian_flow import flow
from torch import Tensor

from restora.degradations import AdditiveNoise, Blur, Degradation, Downsample, Impulse, Mask, Poisson
from restora.noise import GaussianNoise
from restora.operators import Function, Luma
from restora.priors import GANPrior, Prior
from restora.random import Stream, randn
from restora.solvers import LMMSE, MMSE, TV, Flower, LatentMAP, LowRank, Solver, Step
from restora.testing import check_solver

SHAPE = (3, 12, 12)
TASKS: dict[str, Degradation] = {
    "noise": AdditiveNoise(0.1),
    "masks": Mask(torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0)) < 0.7),
    "superres": Downsample(2),
    "blur": Blur(width=0.7),
    "photons": Poisson(30.0),
    "impulse": Impulse(0.2),
    "power": Degradation(Function(lambda x: x.clamp(min=0) ** 2.2, linear=False), GaussianNoise(0.05)),
}


@pytest.mark.parametrize("task", TASKS)
def test_without_a_prior(task: str) -> None:
    check_solver(TV(iterations=5), None, TASKS[task], SHAPE)


def test_low_rank() -> None:
    check_solver(LowRank(iterations=5), None, TASKS["masks"], SHAPE)


def test_with_a_prior(prior: GANPrior) -> None:
    check_solver(LatentMAP(iterations=5, restarts=2, finish="none"), prior, Downsample(2))


@pytest.mark.parametrize("solver", [LMMSE(samples=3), MMSE(iterations=3), Flower(iterations=3)])
def test_luma_with_noise_of_a_covariance(solver: Solver) -> None:
    noise = GaussianNoise(covariance=torch.tensor([[0.01]]))
    model = flow().float()
    prior = model.gaussian if isinstance(solver, LMMSE) else model
    check_solver(solver, prior, Degradation(Luma(), noise))


@dataclass(frozen=True)
class Fair(Solver[Prior | None]):
    """Noise about the pseudo-inverse."""

    def steps(
        self, y: Tensor, degradation: Degradation, prior: Prior | None, generator: Sequence[Stream]
    ) -> Iterator[Step]:
        x = degradation.A_dagger(y)
        yield self.last(x + 0.1 * randn(x.shape, generator, like=x), y, degradation)

    def last(self, x: Tensor, y: Tensor, degradation: Degradation) -> Step:
        return Step(1, 1, x, degradation.fidelity(x, y))


class Seedless(Fair):
    def last(self, x: Tensor, y: Tensor, degradation: Degradation) -> Step:
        return super().last(x + 0.1 * torch.randn_like(x), y, degradation)


class Mixing(Fair):
    def last(self, x: Tensor, y: Tensor, degradation: Degradation) -> Step:
        return super().last(x - x.mean(0), y, degradation)


class Endless(Fair):
    def last(self, x: Tensor, y: Tensor, degradation: Degradation) -> Step:
        return replace(super().last(x, y, degradation), total=2)


class Broken(Fair):
    def last(self, x: Tensor, y: Tensor, degradation: Degradation) -> Step:
        return super().last(x / 0, y, degradation)


class Greedy(Fair):
    def last(self, x: Tensor, y: Tensor, degradation: Degradation) -> Step:
        y.zero_()
        return super().last(x, y, degradation)


class Small(Fair):
    def last(self, x: Tensor, y: Tensor, degradation: Degradation) -> Step:
        return replace(super().last(x, y, degradation), x=x[..., 1:])


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (Seedless, "a second run with the same seeds"),
        (Mixing, "x of an image by itself"),
        (Endless, "expected i = total = 2, got 1"),
        (Broken, "NaN or infinite values"),
        (Greedy, "y was changed in place"),
        (Small, r"x: expected shape \(2, 3, 12, 12\), got \(2, 3, 12, 11\)"),
    ],
)
def test_what_it_finds(solver: type[Fair], message: str) -> None:
    check_solver(Fair(), None, AdditiveNoise(0.1), SHAPE)
    with pytest.raises(AssertionError, match=message) as caught:
        check_solver(solver(), None, AdditiveNoise(0.1), SHAPE)
    assert "\n" not in str(caught.value)


def test_no_test_framework_is_needed() -> None:
    words = "import sys, restora.testing; assert not {'pytest', 'hypothesis'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", words], check=True)
