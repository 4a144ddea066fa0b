"""What every operator must do. New ones are taken from the registry; only one that cannot be built without
arguments has to be named in `EXAMPLES`, and one for another image size than 3x12x12 in `SIZES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from restora.operators import (
    Coefficients,
    Convolution,
    FourierMask,
    Function,
    Gain,
    Identity,
    Luma,
    Masking,
    Matrix,
    Mosaic,
    Operator,
    Radon,
    Reduction,
    Stack,
    operators,
)
from restora.operators.coefficients import Transform
from restora.operators.convolution import gaussian, motion
from restora.random import generators, randn
from restora.testing import check_operator

SHAPE = (3, 12, 12)
SIZES = {
    "power": (1, 4, 4),
    "coefficients": (3, 16, 16),
    "coefficients-444": (3, 13, 9),
    "coefficients-grey": (1, 16, 16),
    "mosaic-odd": (3, 9, 7),
    "fourier-odd": (1, 9, 7),
    "radon": (1, 12, 12),
    "radon-diagonal": (1, 9, 9),
}


def values(*shape: int, low: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return low + (1 - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


def masks(count: int = 1) -> Masking:
    return Masking(values(count, 1, *SHAPE[1:]) < 0.6)


def sensing(rows: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, 432, generator=generator, dtype=torch.float64) / rows


def power(x: Tensor) -> Tensor:
    return x.clamp(min=0) ** 2.2


def crop(x: Tensor) -> Tensor:
    return x[..., 1:-1, 2:]


EXAMPLES: dict[str, Callable[[], Operator]] = {
    "mask": masks,
    "convolution": lambda: Convolution(gaussian(0.8)),
    "gain": lambda: Gain(values(1, 3, *SHAPE[1:], low=0.3)),
    "coefficients": lambda: Coefficients(Transform("4:2:0"), SIZES["coefficients"][1:]),
    "matrix": lambda: Matrix(sensing(), SHAPE),
    "fourier-mask": lambda: FourierMask.lines(SHAPE[1:], 3, 0.2),
    "radon": lambda: Radon(12, 8),
    "function": lambda: Function(lambda x: x.roll(1, -1) + 0.5 * x),
    "compose": lambda: Reduction(2) @ Convolution(gaussian(0.6)),
    "stack": lambda: Stack(Luma(), Reduction(4), masks(), shape=SHAPE),
}
VARIANTS: dict[str, Callable[[], Operator]] = {
    "masks": lambda: masks(3),
    "gains": lambda: Gain(values(3, 1, *SHAPE[1:])),
    "box-2": lambda: Reduction(2),
    "bicubic": lambda: Reduction(3, "bicubic"),
    "gaussian": lambda: Reduction(2, "gaussian"),
    "blur-wide": lambda: Convolution(gaussian(1.6)),
    "blur-circular": lambda: Convolution(gaussian(1.6), "circular"),
    "blur-circular-narrow": lambda: Convolution(gaussian(0.6), "circular"),
    "motion": lambda: Convolution(motion(5, 30)),
    "motion-circular": lambda: Convolution(motion(5, 30), "circular"),
    "kernel-even": lambda: Convolution(values(4, 2) / 8),
    "kernel-even-circular": lambda: Convolution(values(2, 5) / 10, "circular"),
    "kernels": lambda: Convolution(values(3, 4, 3) / 12),
    "kernels-circular": lambda: Convolution(values(3, 1, 3, 4) / 12, "circular"),
    "mosaic-odd": lambda: Mosaic("GBRG"),
    "fourier-masks": lambda: FourierMask(values(3, 1, *SHAPE[1:]) < 0.4),
    "fourier-odd": lambda: FourierMask(values(9, 7) < 0.5),
    "radon-diagonal": lambda: Radon(9, (0.0, 20.0, 45.0, 90.0, 133.0), circle=False),
    "coefficients-444": lambda: Coefficients(Transform("4:4:4"), SIZES["coefficients-444"][1:]),
    "coefficients-grey": lambda: Coefficients(Transform("4:2:0"), SIZES["coefficients-grey"][1:]),
    "matrix-orthogonal": lambda: Matrix(torch.linalg.qr(sensing().T).Q.T * 3, SHAPE),
    "function-adjoint": lambda: Function(
        crop, lambda u: torch.nn.functional.pad(u, (2, 0, 1, 1)), shape=SHAPE
    ),
    "power": lambda: Function(power, linear=False),
    "power-of-means": lambda: Function(power, linear=False) @ Reduction(2),
    "compose-masks": lambda: masks(3) @ Luma(),
    "compose-gains": lambda: Gain(values(1, 1, 6, 6, low=0.2)) @ Reduction(2),
    "nothing": lambda: Identity() @ Identity(),
    "stack-masks": lambda: Stack(masks(3), Luma(), shape=SHAPE),
}
ALL = [*operators.names(), *VARIANTS]


def build(name: str) -> Operator:
    make = VARIANTS.get(name) or EXAMPLES.get(name) or operators.get(name)
    try:
        return make()
    except TypeError as error:
        pytest.fail(f"operator {name!r} cannot be built without arguments: add it to EXAMPLES ({error})")


@pytest.mark.parametrize("name", ALL)
def test_what_every_operator_does(name: str) -> None:
    check_operator(build(name), SIZES.get(name, SHAPE))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
@pytest.mark.parametrize("name", ALL)
def test_adjoint(name: str, seed: int) -> None:
    """Of an operator that is not linear, that of its tangent."""
    operator, shape = build(name), SIZES.get(name, SHAPE)
    x = randn((3, *shape), generators(seed, 3)).double()
    operator, _ = operator.tangent(0.5 + 0.1 * x)
    Ax = operator(x)
    u = randn(Ax.shape, generators(seed + 3, 3)).double()
    left, right = (Ax * u).flatten(1).sum(1), (x * operator.adjoint(u)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, rtol=0, atol=1e-9)


@dataclass(eq=False)
class Swap(Operator):
    """Red and blue are exchanged. Nothing here names it but the line that registers it."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(1)


@dataclass(eq=False)
class Wrong(Swap):
    def adjoint(self, u: Tensor) -> Tensor:
        return u


@pytest.fixture
def registered() -> Iterator[str]:
    operators.register("swap", Swap)
    yield "swap"
    operators._own.pop("swap")


def test_a_new_operator_is_picked_up(registered: str) -> None:
    assert registered in operators.names()
    check_operator(build(registered), SHAPE)
    with pytest.raises(AssertionError, match="the adjoint is not the transpose"):
        check_operator(Wrong(), SHAPE)
