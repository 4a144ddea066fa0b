"""What every degradation must do. New ones are taken from the registry; only one whose constructor needs
arguments has to be named in `EXAMPLES`, and one for another image size than 3x12x12 in `SIZES`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from restora.degradations import (
    JPEG,
    AdditiveNoise,
    Blur,
    Chain,
    Degradation,
    Downsample,
    Grayscale,
    Impulse,
    LinearDegradation,
    Mask,
    Poisson,
    Quantize,
    degradations,
)
from restora.errors import OptionError
from restora.random import generators, randn

IMAGE = (3, 12, 12)
SIZES = {"jpeg": (3, 16, 16), "jpeg-444": (3, 16, 16), "jpeg-dither": (3, 16, 16)}  # whole blocks
MATRIX = (
    torch.randn(20, math.prod(IMAGE), generator=torch.Generator().manual_seed(1), dtype=torch.float64) / 20
)


def masks(count: int, sigma: float = 0.0) -> Mask:
    mask = torch.rand(count, 1, *IMAGE[1:], generator=torch.Generator().manual_seed(2)) < 0.6
    return Mask(mask, sigma=sigma)


def sensing(sigma: float = 0.0) -> LinearDegradation:
    return LinearDegradation(
        lambda x: x.flatten(1) @ MATRIX.to(x).T,
        lambda y: (y @ MATRIX.to(y)).view(-1, *IMAGE),
        sigma=sigma,
    )


EXAMPLES: dict[str, Callable[[], Degradation]] = {"inpaint": lambda: Mask.center(IMAGE[1:])}
VARIANTS: dict[str, Callable[[], Degradation]] = {
    "masks": lambda: masks(3),
    "masks-noisy": lambda: masks(3, 0.03),
    "value": lambda: Grayscale("value"),
    "value-noisy": lambda: Grayscale("value", sigma=0.03),
    "luma-noisy": lambda: Grayscale(sigma=0.03),
    "superres-noisy": lambda: Downsample(2, sigma=0.03),
    "bicubic": lambda: Downsample(3, "bicubic"),
    "gaussian": lambda: Downsample(2, "gaussian", sigma=0.02),
    "no-noise": lambda: AdditiveNoise(0.0),
    "poisson-read": lambda: Poisson(200.0, sigma=0.02),
    "impulse-noisy": lambda: Impulse(0.4, sigma=0.03),
    "impulse-given": lambda: Impulse(0.4).given(Impulse(0.4)(images(3), generators(2, 3))),
    "pixels": lambda: Mask.pixels(IMAGE[1:], 0.3),
    "dither": lambda: Quantize(9, sigma=0.05),
    "identity": lambda: Quantize(distance="identity"),
    "blur-circular": lambda: Blur(boundary="circular"),
    "blur-circular-exact": lambda: Blur(boundary="circular", width=0.6, sigma=0.0),
    "motion": lambda: Blur("motion", length=5, angle=30),
    "motion-circular": lambda: Blur("motion", length=5, angle=30, boundary="circular"),
    "chain": lambda: Chain(Blur(width=0.7, sigma=0.0), Downsample(2, sigma=0.02)),
    "chain-masks": lambda: Chain(Grayscale(), masks(3, 0.03)),
    "jpeg-444": lambda: JPEG(30, "4:4:4"),
    "jpeg-dither": lambda: JPEG(20, sigma=0.02),
    "linear": sensing,
    "linear-noisy": lambda: sensing(0.1),
}


@pytest.fixture(params=[*degradations.names(), *VARIANTS])
def degradation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Degradation:
    name = request.param
    monkeypatch.setitem(globals(), "IMAGE", SIZES.get(name, IMAGE))
    build = VARIANTS.get(name) or EXAMPLES.get(name) or degradations.get(name)
    try:
        return build()
    except TypeError as error:
        pytest.fail(f"task {name!r} cannot be built without arguments: add it to EXAMPLES ({error})")


@pytest.fixture
def linear(degradation: Degradation) -> Degradation:
    if not degradation.linear:
        pytest.skip("not linear")
    return degradation


def images(count: int, seed: int = 0, low: float = 0.0, high: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(count, *IMAGE, generator=generator, dtype=torch.float64)


def first(degradation: Degradation, count: int) -> Degradation:
    """The degradation of the first image, for `count` images."""
    return degradation.take(torch.zeros(count, dtype=torch.long))


def dense(degradation: Degradation) -> Tensor:
    """A of the first image as a matrix, from its action on the basis."""
    size = math.prod(IMAGE)
    basis = torch.eye(size, dtype=torch.float64).view(size, *IMAGE)
    return first(degradation, size).A(basis).flatten(1).T


def invertible(degradation: Degradation) -> bool:
    """Whether A^+ is exact, and not cut where A lets nothing through."""
    return degradation.gram is not None or not degradation.linear or not isinstance(degradation, Blur)


def noiseless(degradation: Degradation) -> bool:
    return degradation.sigma == 0 and not isinstance(degradation, Poisson | Impulse)


# A, adjoint, pseudo-inverse


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
@pytest.mark.parametrize("name", [*degradations.names(), *VARIANTS])
def test_adjoint(name: str, seed: int) -> None:
    d = (VARIANTS.get(name) or EXAMPLES.get(name) or degradations.get(name))()
    if not d.linear:
        pytest.skip("not linear")
    x = images(3, seed) - 0.5
    Ax = d.A(x)
    y = randn(Ax.shape, torch.Generator().manual_seed(seed + 1), like=x)
    left, right = (Ax * y).flatten(1).sum(1), (x * d.A_adjoint(y)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, rtol=0, atol=1e-10)


def test_A_is_linear(linear: Degradation) -> None:
    a, b = images(3), images(3, 1)
    torch.testing.assert_close(linear.A(2 * a - 3 * b), 2 * linear.A(a) - 3 * linear.A(b))


def test_A_dagger_A_is_A(degradation: Degradation) -> None:
    y = degradation.A(images(3))
    tolerance = 1e-9 if invertible(degradation) else 2e-3
    torch.testing.assert_close(degradation.A(degradation.A_dagger(y)), y, rtol=0, atol=tolerance)


def test_A_dagger_is_the_pseudo_inverse(linear: Degradation) -> None:
    if not invertible(linear):
        pytest.skip("the pseudo-inverse is cut")
    y = randn(linear.A(images(3)).shape, generators(0, 3), like=images(1))
    expected = torch.linalg.pinv(dense(linear)) @ y[0].flatten()
    torch.testing.assert_close(linear.A_dagger(y)[0].flatten(), expected, rtol=0, atol=1e-8)


# prox and condition


@pytest.mark.parametrize("gamma", [0.0, 0.3, 50.0, 1e4])
def test_prox_against_a_dense_solve(linear: Degradation, gamma: float) -> None:
    z = images(3)
    y = linear.forward(images(3, 1), generators(0, 3))
    A = dense(linear)
    expected = torch.linalg.solve(
        gamma * A.T @ A + torch.eye(A.shape[1]).double(), gamma * A.T @ y[0].flatten() + z[0].flatten()
    )
    torch.testing.assert_close(linear.prox_l2(z, y, gamma)[0].flatten(), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.7, 20.0])
def test_prox_is_a_minimum(degradation: Degradation, gamma: float) -> None:
    z, y = images(3, low=-0.2, high=1.2), degradation.forward(images(3, 1), generators(0, 3))
    best = degradation.prox_l2(z, y, gamma)

    def objective(x: Tensor) -> Tensor:
        return gamma / 2 * degradation.fidelity(x, y) + (x - z).square().flatten(1).sum(1) / 2

    lowest = objective(best)
    assert (lowest <= objective(z) + 1e-9).all()
    for scale in (1.0, 0.1, 1e-2, 1e-4):
        for seed in range(5):
            other = best + scale * randn(best.shape, generators(seed, 3), like=best)
            assert (lowest <= objective(other)).all(), f"lower at a distance of {scale}"


def test_prox_of_infinite_gamma_satisfies_the_observation(degradation: Degradation) -> None:
    degradation.sigma = 0.0
    z, y = images(3), degradation.A(images(3, 1))
    x = degradation.prox_l2(z, y, math.inf)
    zero = degradation.fidelity(x, y) / y[0].numel()
    assert (zero < (1e-15 if invertible(degradation) else 4e-6)).all()


def test_prox_takes_a_gamma_an_image(degradation: Degradation) -> None:
    z, y = images(3), degradation.forward(images(3, 1), generators(0, 3))
    gamma = torch.tensor([0.0, 2.0, 30.0]).double().view(3, 1, 1, 1)
    together = degradation.prox_l2(z, y, gamma)
    for i in range(3):
        index = torch.tensor([i])
        alone = degradation.take(index).prox_l2(z[index], y[index], float(gamma[i]))
        torch.testing.assert_close(together[index], alone, rtol=0, atol=1e-9)
    torch.testing.assert_close(together[0], z[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("variance", [1e-3, 0.2])
def test_condition_against_the_dense_posterior_mean(linear: Degradation, variance: float) -> None:
    if linear.sigma == 0 and not invertible(linear):
        pytest.skip("the pseudo-inverse is cut")
    x_hat, y = images(3), linear.forward(images(3, 1), generators(0, 3))
    A = dense(linear)
    covariance = variance * A @ A.T + linear.sigma**2 * torch.eye(len(A)).double()
    residual = y[0].flatten() - A @ x_hat[0].flatten()
    gain = variance * A.T @ torch.linalg.pinv(covariance, hermitian=True)
    expected = x_hat[0].flatten() + gain @ residual
    result = linear.condition(x_hat, variance, y)[0].flatten()
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


def test_condition_is_the_posterior_mean(degradation: Degradation) -> None:
    """By Monte Carlo through `forward` alone: x - E[x | y] has mean 0 and is orthogonal to E[x | y]."""
    count, std = 150, 0.05
    d = first(degradation, count)
    x_hat = images(1, low=0.35, high=0.65).expand(count, -1, -1, -1)
    x = x_hat + std * randn(x_hat.shape, torch.Generator().manual_seed(3), like=x_hat)
    y = d.forward(x, generators(0, count))
    mean = d.given(y).condition(x_hat, std**2, y)
    error = x - mean
    # The floor is for errors that are rare, and so are missing from the deviation of the samples.
    z_score = error.mean(0) / (error.std(0) / count**0.5 + 1e-3 * std)
    assert z_score.abs().max() < 6
    if isinstance(d, JPEG):
        return  # what one plane says of another does not count: see test_jpeg
    inner = (error * (mean - x_hat)).flatten(1).sum(1)
    assert inner.mean().abs() < 5 * inner.std() / count**0.5 + 1e-9


def test_condition_without_variance_is_x_hat(degradation: Degradation) -> None:
    x_hat, y = images(3), degradation.forward(images(3, 1), generators(0, 3))
    assert torch.equal(degradation.condition(x_hat, 0.0, y), x_hat)
    mixed = torch.tensor([0.0, 0.1, 0.0]).double().view(3, 1, 1, 1)
    result = degradation.condition(x_hat, mixed, y)
    assert torch.equal(result[::2], x_hat[::2])
    assert not torch.equal(result[1], x_hat[1])


@pytest.mark.parametrize("variance", [0.01, 0.2])
def test_draws_have_the_dense_posterior(linear: Degradation, variance: float) -> None:
    if linear.sigma == 0 and not invertible(linear):
        pytest.skip("the pseudo-inverse is cut")
    count, A = 300 if linear.gram is not None else 60, dense(linear)
    x_hat, y = images(3), linear.forward(images(3, 1), generators(0, 3))
    inner = variance * A @ A.T + linear.sigma**2 * torch.eye(len(A)).double()
    gain = variance * A.T @ torch.linalg.pinv(inner, hermitian=True)
    std = (variance - variance * (gain * A.T).sum(1)).clamp(min=0).sqrt()
    d = first(linear, count)
    draws = d.draw(
        x_hat[:1].expand(count, -1, -1, -1), variance, y[:1].expand(count, *y.shape[1:]), generators(9, count)
    )
    error = (draws - linear.condition(x_hat, variance, y)[0]).flatten(1)
    assert (error.mean(0).abs() < 5 * std / count**0.5 + 1e-6).all()
    assert (error.square().mean(0).sqrt() - std).abs().max() < 6 * variance**0.5 / (2 * count) ** 0.5
    # over all values together, where the errors of one value are averaged out
    assert error.square().mean().sqrt().item() == pytest.approx(
        std.square().mean().sqrt().item(), rel=0.02, abs=1e-6
    )


def test_draws_explain_the_observation_and_depend_on_their_stream_alone(degradation: Degradation) -> None:
    x_hat, y = images(3, 1), degradation.forward(images(3), generators(5, 3))
    draws = degradation.draw(x_hat, 0.01, y, generators(7, 3))
    for i in range(3):
        index = torch.tensor([i])
        alone = degradation.take(index).draw(x_hat[index], 0.01, y[index], generators(7 + i, 1))
        torch.testing.assert_close(alone, draws[index], rtol=0, atol=1e-9)
    again = degradation.draw(x_hat, 0.01, y, generators(8, 3))
    assert not torch.equal(again, draws)
    if (
        noiseless(degradation)
        and invertible(degradation)
        and getattr(degradation, "distance", "") != "identity"
    ):
        torch.testing.assert_close(
            degradation.fidelity(draws, y), torch.zeros(3).double(), rtol=0, atol=1e-12
        )


# fidelity


@pytest.mark.parametrize("p", [1, 2, 1.5])
def test_fidelity_is_a_weighted_sum_with_a_gradient(degradation: Degradation, p: float) -> None:
    x, y = images(3, low=-0.3, high=1.3), degradation.forward(images(3, 1), generators(0, 3))
    weight = torch.rand(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = degradation.fidelity(x, y, p)
    assert values.shape == (3,)
    assert (values > 0).all()
    split = degradation.fidelity(x, y, p, weight) + degradation.fidelity(x, y, p, 1 - weight)
    torch.testing.assert_close(split, values)
    if degradation.linear and not isinstance(degradation, Mask):
        torch.testing.assert_close(values, (degradation.A(x) - y).abs().pow(p).flatten(1).sum(1))
    direction, step = images(3, 2) - 0.5, 1e-7
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(degradation.fidelity(x, y, p).sum(), x)
    ahead, behind = (degradation.fidelity(x + s * step * direction, y, p).sum() for s in (1, -1))
    torch.testing.assert_close(
        (gradient * direction).sum(), (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-6
    )


def test_fidelity_of_the_truth_is_zero(degradation: Degradation) -> None:
    if getattr(degradation, "distance", "") == "identity":
        pytest.skip("the deck's distance is not zero at the truth")
    x = images(3)
    torch.testing.assert_close(degradation.fidelity(x, degradation.A(x)), torch.zeros(3).double())


# what the observation itself tells


def test_given_an_observation(degradation: Degradation) -> None:
    x = images(3)
    y = degradation.forward(x, generators(5, 3))
    known = degradation.given(y)
    assert (known is degradation) == (not degradation.blind)
    assert not known.blind
    assert known.given(y) is known
    assert type(degradation.example(IMAGE[1:])) is type(known)
    assert known.observed_shape(IMAGE) == degradation.observed_shape(IMAGE)
    assert known.sigma == degradation.sigma
    for i in range(3):
        one = degradation.take(torch.tensor([i])).given(y[i : i + 1])
        torch.testing.assert_close(one.A(x[i : i + 1]), known.A(x)[i : i + 1])
    if degradation.blind and known.sigma == 0:  # what is left of it explains the truth
        torch.testing.assert_close(known.fidelity(x, y), torch.zeros(3).double())


# batches, seeds, shapes, types


def test_an_image_does_not_depend_on_its_batch(degradation: Degradation) -> None:
    x, x_hat = images(3), images(3, 1)
    y = degradation.forward(x, generators(5, 3))
    mean = degradation.condition(x_hat, 0.01, y)
    for i in range(3):
        index = torch.tensor([i])
        one = degradation.take(index)
        torch.testing.assert_close(one.forward(x[index], generators(5 + i, 1)), y[index], rtol=0, atol=1e-12)
        torch.testing.assert_close(
            one.condition(x_hat[index], 0.01, y[index]), mean[index], rtol=0, atol=1e-9
        )


def test_take_repeats_and_reorders(degradation: Degradation) -> None:
    index, x = torch.tensor([2, 0, 0, 1]), images(3)
    torch.testing.assert_close(degradation.take(index).A(x[index]), degradation.A(x)[index])


def test_seeds(degradation: Degradation) -> None:
    degradation.sigma = 0.2
    x = images(3)
    runs = [degradation.forward(x, generators(seed, 3)) for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], degradation.A(x))


def test_no_noise_at_sigma_zero(degradation: Degradation) -> None:
    degradation.sigma = 0.0
    if noiseless(degradation):
        assert torch.equal(degradation.forward(images(3)), degradation.A(images(3)))
    else:
        assert not torch.equal(degradation.forward(images(3)), degradation.forward(images(3)))


def test_shapes(degradation: Degradation) -> None:
    observed = degradation.observed_shape(IMAGE)
    assert degradation.A(images(3)).shape == (3, *observed)
    assert degradation.image_shape(observed) == IMAGE
    assert degradation.A_adjoint(torch.zeros(3, *observed)).shape == (3, *IMAGE)
    assert degradation.A_dagger(torch.zeros(3, *observed)).shape == (3, *IMAGE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_types_are_kept(degradation: Degradation, dtype: torch.dtype) -> None:
    x = images(3).to(dtype)
    y = degradation.forward(x, generators(0, 3))
    results = [y, degradation.A_adjoint(y), degradation.A_dagger(y), degradation.fidelity(x, y)]
    results += [degradation.prox_l2(x, y, 3.0), degradation.condition(x, 0.1, y)]
    for result in results:
        assert result.dtype == dtype
        assert result.isfinite().all()
    exact = degradation.condition(x.double(), 0.1, y.double())
    torch.testing.assert_close(results[-1].double(), exact, rtol=0, atol=2e-3)


# options


def scalar_fields(cls: type[Degradation]) -> list:
    return [f for f in fields(cls) if f.init and not f.metadata.get("per_image")]


@pytest.mark.parametrize("name", degradations.names())
def test_options_are_fit_for_a_command_line(name: str) -> None:
    cls = degradations.get(name)
    hints = get_type_hints(cls)
    for entry in scalar_fields(cls):
        assert hints[entry.name] in (int, float, str) or get_origin(hints[entry.name]) is Literal
        assert entry.metadata["help"]
        assert entry.default is not MISSING
    for entry in set(fields(cls)) - set(scalar_fields(cls)):
        assert entry.metadata["help"]
        assert hints[entry.name] is Tensor
    assert "sigma" in {entry.name for entry in scalar_fields(cls)}


@pytest.mark.parametrize("name", degradations.names())
def test_bad_options_raise(name: str) -> None:
    cls = degradations.get(name)
    hints = get_type_hints(cls)
    needed = {"mask": torch.ones(1, 1, 4, 4)} if cls is Mask else {}
    for entry in scalar_fields(cls):
        bad = ["rubbish", None, float("nan")]
        if get_origin(hints[entry.name]) is not Literal:
            bad += [entry.metadata["low"] - 1, entry.metadata["high"] + 1, math.inf]
        bad += [2.5] if hints[entry.name] is int else []
        bad += [f"{a}x" for a in get_args(hints[entry.name])]
        for value in bad:
            with pytest.raises(OptionError, match=f"^{entry.name}: expected .*got") as caught:
                cls(**needed, **{entry.name: value})
            assert "\n" not in str(caught.value)
