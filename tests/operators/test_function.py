"""Functions and matrices as operators, and what is made of several."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from restora.degradations import Degradation, LinearDegradation
from restora.errors import CallError, OptionError, PairingError, ShapeError
from restora.noise import GaussianNoise
from restora.operators import Compose, Function, Gain, Identity, Luma, Masking, Matrix, Reduction, Stack
from restora.operators.base import verify
from restora.operators.checking import check
from restora.random import Window, generators

SHAPE = (3, 8, 8)


def images(count: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, *SHAPE, generator=generator, dtype=torch.float64)


def crop(x: Tensor) -> Tensor:
    return x[..., 1:-1, 1:-1]


def pad(y: Tensor) -> Tensor:
    return F.pad(y, (1, 1, 1, 1))


def power(x: Tensor) -> Tensor:
    return x.clamp(min=0) ** 2.2


def test_the_adjoint_is_checked() -> None:
    right = LinearDegradation(crop, pad)
    right.check((3, 8, 8))
    LinearDegradation(crop, shape=SHAPE).check((3, 8, 8))
    assert right.operator.observed_shape((3, 8, 8)) == (3, 6, 6)
    with pytest.raises(OptionError, match="transpose"):
        LinearDegradation(crop, lambda y: 2 * pad(y)).check((3, 8, 8))
    with pytest.raises(OptionError, match="function"):
        LinearDegradation(torch.eye(3), pad)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="sigma"):
        LinearDegradation(crop, pad, sigma=-1)


def test_modules_and_any_unit_of_noise() -> None:
    turn = torch.nn.Linear(4, 4, bias=False).double()
    back = torch.nn.Linear(4, 4, bias=False).double()
    back.weight.data = turn.weight.data.T.clone()
    d = LinearDegradation(turn, back, sigma=30.0).double().requires_grad_(False)
    d.check((3, 2, 4))
    x = torch.rand(2, 3, 2, 4).double()
    torch.testing.assert_close(d.A(d.A_dagger(d.A(x))), d.A(x), rtol=0, atol=1e-6)


def test_an_adjoint_is_not_needed() -> None:
    x, y = images(), images(seed=1)
    mix = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.2, 0.0, 1.0]]).double()
    given = Function(
        lambda x: torch.einsum("ij,bjhw->bihw", mix, x), lambda u: torch.einsum("ij,bihw->bjhw", mix, u)
    )
    found = Function(given.A).double()  # as its trials of shapes have to be
    torch.testing.assert_close(found.adjoint(y), given.adjoint(y))
    torch.testing.assert_close(found.pseudo_inverse(y), given.pseudo_inverse(y), rtol=0, atol=1e-8)
    torch.testing.assert_close(found.prox(x, y, 5.0), given.prox(x, y, 5.0), rtol=0, atol=1e-8)
    models = (Degradation(operator, GaussianNoise(0.1)) for operator in (given, found))
    one, other = (model.condition(x, 0.04, y) for model in models)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-8)
    assert found.image_shape(SHAPE) == given.image_shape(SHAPE) == SHAPE


def test_shapes_that_nothing_tells() -> None:
    with pytest.raises(ShapeError, match=r"are not known; give Function\(A, shape=\(C, H, W\)\)"):
        Function(lambda x: x.flatten(1)).image_shape((192,))
    assert Function(lambda x: x.flatten(1), shape=SHAPE).image_shape((192,)) == SHAPE
    assert Function(lambda x: x.mean(1, keepdim=True)).image_shape((1, 8, 8)) == (1, 8, 8)


def test_a_power_is_restored_by_its_tangent() -> None:
    """y = x^2.2 + noise: the posterior mean about an estimate is closer to the truth than both."""
    x = 0.1 + 0.8 * images(4)
    d = Degradation(Function(power, linear=False), GaussianNoise(0.02))
    y = d(x, generators(0, 4))
    tangent, z = d.gaussian(x, y)
    torch.testing.assert_close(tangent.A(y), 2.2 * x**1.2 * y)
    torch.testing.assert_close(z - tangent.A(x), y - d.A(x))
    near = x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double()
    found = d.condition(near, 0.01, y)
    slope = 2.2 * near.clamp(min=0) ** 1.2
    expected = near + 0.01 * slope * (y - power(near)) / (0.01 * slope**2 + 0.02**2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    again = d.condition(found, 0.01, y)  # about a better point: its tangent is made anew
    errors = [(v - x).square().mean().item() ** 0.5 for v in (near, y, found, again)]
    assert errors[2] < 0.6 * min(errors[:2])
    assert errors[3] < errors[2]


def test_a_power_without_noise_is_inverted() -> None:
    x = 0.05 + 0.9 * images()
    d = Degradation(Function(power, linear=False))
    torch.testing.assert_close(d.A_dagger(d.A(x)), x, rtol=0, atol=1e-3)
    draw = d.draw(x + 0.1, 0.01, d.A(x), generators(0, 2))
    torch.testing.assert_close(d.A(draw), d.A(x), rtol=0, atol=1e-3)


def test_matrices_are_what_they_say() -> None:
    M = torch.randn(10, 192, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = images()
    torch.testing.assert_close(Matrix(M, SHAPE)(x), x.flatten(1) @ M.T)
    assert Matrix(M, SHAPE).gram is None
    rows = torch.linalg.qr(M.T).Q.T * torch.arange(1, 11).view(-1, 1)
    gram = Matrix(rows, SHAPE).gram
    assert isinstance(gram, Tensor)
    torch.testing.assert_close(gram, torch.arange(1, 11).double() ** 2)
    with pytest.raises(ShapeError, match=r"expected \(m, 192\) for images of shape \(3, 8, 8\)"):
        Matrix(M[:, 1:], SHAPE)
    with pytest.raises(PairingError, match="does not support tiles"):
        Matrix(M, SHAPE).window(Window(0, 0, 4, 4), M @ M.T, (8, 8))


def test_one_after_the_other() -> None:
    x, gain = images(), Gain(torch.full((1, 1, 8, 8), 0.5).double())
    both = Reduction(2) @ gain
    assert isinstance(both, Compose)
    torch.testing.assert_close(both(x), 0.5 * F.avg_pool2d(x, 2))
    torch.testing.assert_close((Luma() @ both)(x), Luma()(both(x)))
    assert len((Luma() @ both).parts) == 3
    assert (Identity() @ gain) is gain
    assert (gain @ Identity()) is gain
    assert (Identity() @ Identity()).identity


def test_stacked_observations_say_what_all_of_them_say() -> None:
    """Luma of all pixels, and the colours of some: against one dense system."""
    x, y = images(1), images(1, seed=1)
    mask = (torch.rand(8, 8, generator=torch.Generator().manual_seed(2)) < 0.3).double()
    stack = Stack(Luma(), Masking(mask), shape=SHAPE)
    d = Degradation(stack, GaussianNoise(0.05))
    u = stack(y)
    parts = stack.split(u)
    torch.testing.assert_close(parts[0], Luma()(y))
    torch.testing.assert_close(parts[1], mask * y)
    A = stack(torch.eye(192).double().view(192, *SHAPE)).T
    inner = 0.04 * A @ A.T + 0.05**2 * torch.eye(len(A))
    expected = x.flatten() + 0.04 * A.T @ torch.linalg.solve(inner, u[0] - A @ x.flatten())
    torch.testing.assert_close(d.condition(x, 0.04, u).flatten(), expected, rtol=0, atol=1e-7)
    with pytest.raises(OptionError, match="expected linear operators"):
        Stack(Function(power, linear=False), shape=SHAPE)


@pytest.mark.parametrize("adjoint", [None, lambda u: u.mul_(0.5)])
def test_a_function_may_write_on_what_it_is_given(adjoint: Any) -> None:
    operator, x = Function(lambda v: v.mul_(0.5), adjoint), torch.rand(2, 3, 8, 8)
    before = x.clone()
    check(operator, (3, 8, 8))
    torch.testing.assert_close(operator(x), before / 2)
    torch.testing.assert_close(operator.adjoint(x), before / 2)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("A", "linear", "message"),
    [
        (lambda v: v - v.mean(0, keepdim=True), True, "A: expected each image to be processed alone"),
        (lambda v: v * v.amax(), False, "A: expected each image to be processed alone"),
        (lambda v: v - v.sum() / v[0].numel(), True, "A: expected each image to be processed alone"),
    ],
)
def test_images_of_a_batch_are_seen_apart(A: Any, linear: bool, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        verify(Function(A, linear=linear), (3, 8, 8))


@pytest.mark.parametrize(
    ("A", "message"),
    [
        (lambda v: (255 * v).int(), r"expected a tensor of floats, got int32"),
        (lambda v: v[0], r"expected \(B, \.\.\.\) as of its argument, \(2, 3, 8, 8\), got \(3, 8, 8\)"),
        (lambda v: v.sum(), r"expected \(B, \.\.\.\) as of its argument.*got \(\)"),
        (lambda v: v[:1], r"expected \(B, \.\.\.\) as of its argument.*got \(1, 3, 8, 8\)"),
    ],
)
def test_what_is_no_batch_of_floats(A: Any, message: str) -> None:
    with pytest.raises(CallError, match=message):
        Function(A)(torch.rand(2, 3, 8, 8))


def test_an_adjoint_of_another_shape() -> None:
    with pytest.raises(OptionError, match=r"adjoint: expected images of shape \(3, 8, 8\), got \(1, 8, 8\)"):
        check(Function(lambda v: v[:, :1], lambda u: u, shape=(3, 8, 8)), (3, 8, 8))


def test_one_image_at_a_time_is_enough_where_no_more_are_needed() -> None:
    def A(v: torch.Tensor) -> torch.Tensor:
        if len(v) > 1:
            raise ValueError("one image at a time")
        return v / 2

    verify(Function(A), (3, 8, 8))


def test_a_map_that_tells_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="A: expected observations that depend on the image"):
        verify(Function(torch.zeros_like), (3, 8, 8))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x * float("nan"), "A: expected finite values, got NaN or infinite ones"),
        (
            lambda x: x + 0.1 * torch.randn_like(x),
            "A: expected the same values of the same image, got others",
        ),
    ],
)
def test_values_that_are_none_or_random_are_named_as_such(function: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        verify(Function(function, function), (3, 8, 8), torch.float32)
