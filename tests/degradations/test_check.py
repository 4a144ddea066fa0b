"""Degradation.check, which runs by itself for a user's operator; several observations of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from restora import restore
from restora.degradations import (
    Blur,
    Chain,
    Degradation,
    Downsample,
    Grayscale,
    LinearDegradation,
    Poisson,
    Quantize,
    Stacked,
    degradations,
    named,
)
from restora.errors import OptionError, ShapeError
from restora.noise import GaussianNoise
from restora.operators import Operator
from restora.operators.base import Shape
from restora.random import generators

SHAPE = (3, 12, 12)


def images(count: int = 2) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


@dataclass(eq=False)
class Shift(Operator):
    """By a pixel; `back` is how far the adjoint takes it."""

    back: int = -1
    calls: list[int] = field(default_factory=list)

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(len(x))
        return x.roll(1, -1)

    def adjoint(self, u: Tensor) -> Tensor:
        return u.roll(self.back, -1)


@dataclass(eq=False)
class Bent(Operator):
    """Not linear, and does not say so."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.3 * x.square()


@dataclass(eq=False)
class Mixed(Operator):
    """Sees the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True) / 2

    def adjoint(self, u: Tensor) -> Tensor:
        return u - u.mean(0, keepdim=True) / 2

    def observed_shape(self, image_shape: Shape) -> Shape:
        return tuple(image_shape)


@pytest.mark.parametrize("name", [n for n in degradations.names() if n != "inpaint"])
def test_every_task_passes(name: str) -> None:
    named.build(name, SHAPE[1:]).check(SHAPE if name != "superres" else (3, 12, 12))


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        (Shift(back=1), r"adjoint: expected <A x, u> = <x, adjoint u>, got a relative error of 0\.\d+"),
        (Bent(), r"A: expected a linear map, got a relative error of 0\.\d+"),
        (Mixed(), "A: expected each image to be processed alone"),
    ],
)
def test_what_is_wrong_is_told_with_its_error(operator: Operator, text: str) -> None:
    degradation = Degradation(operator, GaussianNoise(0.05))
    with pytest.raises(OptionError, match=text):
        degradation.check(SHAPE)
    with pytest.raises(OptionError, match=text):
        restore(images(), degradation, method="tv")


def test_a_wrong_adjoint_of_a_function() -> None:
    wrong = LinearDegradation(lambda x: 2 * x, lambda y: y)
    with pytest.raises(OptionError, match=r"relative error of 0\.3"):
        wrong.check(SHAPE)


def test_it_is_checked_once_for_a_shape() -> None:
    operator = Shift()
    degradation = Degradation(operator, GaussianNoise(0.05))
    restore(images(), degradation, method="observed")
    first = len(operator.calls)
    restore(images(), degradation, method="observed")
    second = len(operator.calls) - first
    assert 0 < second < first
    restore(images()[..., :8], degradation, method="observed")
    assert len(operator.calls) - first - second == first


# several observations


def test_several_observations_of_one_image() -> None:
    x = images().double()
    parts = Blur(width=0.8, sigma=0.02), Downsample(2, sigma=0.01), Grayscale(sigma=0.05)
    both = Stacked(*parts, shape=SHAPE)
    ys = [part(x, generators(k, 2)) for k, part in enumerate(parts)]
    y = both.join(*ys)
    assert y.shape == (2, both.operator.observed_shape(SHAPE)[0])
    z, variance = torch.full_like(x, 0.5), 0.05
    A = [torch.func.jacrev(part.A)(x[:1]).reshape(-1, x[0].numel()) for part in parts]
    precision = sum(M.T @ M / part.sigma**2 for M, part in zip(A, parts, strict=True))
    precision = precision + torch.eye(x[0].numel()).double() / variance
    right = sum(
        (v - part.A(z)).flatten(1) @ M / part.sigma**2 for v, M, part in zip(ys, A, parts, strict=True)
    )
    expected = z + torch.linalg.solve(precision, right.T).T.view_as(x)
    torch.testing.assert_close(both.condition(z, variance, y), expected, rtol=0, atol=1e-6)
    with pytest.raises(ShapeError, match="expected observations of shapes"):
        both.join(*reversed(ys))
    with pytest.raises(
        OptionError, match="expected Gaussian noise of a known sigma in every part, got Poisson"
    ):
        Stacked(Blur(), Poisson(), shape=SHAPE)


def test_stacked_noise_of_one_level_or_one_an_image() -> None:
    same = Stacked(Blur(sigma=0.02), Grayscale(sigma=0.02), shape=SHAPE)
    assert same.noise.sigma == 0.02
    levels = torch.tensor([0.01, 0.1])
    each = Stacked(Degradation(Blur().operator, GaussianNoise(levels)), Grayscale(sigma=0.02), shape=SHAPE)
    sigma = each.noise.sigma
    assert sigma.shape == (2, math.prod(SHAPE) + 144)
    assert torch.equal(sigma[:, 0], levels)
    assert (sigma[:, -1] == 0.02).all()


def test_a_chain_that_ends_in_what_is_not_linear() -> None:
    """The last member rounds, or is not linear itself; observations are explained all the same."""
    x = images()
    chain = Chain(Blur(width=0.6, sigma=0.0), Quantize(9))
    y = chain(x, generators(0, 2))
    found = restore(y, chain, method="tv")
    assert (found.residual < 0.02).all()
    value = Chain(Blur(width=0.6, sigma=0.0), Grayscale("value", sigma=0.01))
    assert not value.operator.linear
    seen = value(x, generators(0, 2))
    assert seen.shape == (2, 1, 12, 12)
    moved = value.condition(torch.full_like(x, 0.5), 0.1, seen)
    assert (value.fidelity(moved, seen) < 0.2 * value.fidelity(torch.full_like(x, 0.5), seen)).all()
