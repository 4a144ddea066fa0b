"""What every degradation must do. New ones are taken from the registry; only one whose constructor needs
arguments has to be named in `EXAMPLES`, and one for another image size than 3x12x12 in `SIZES`. What concerns
the operator or the noise alone is asked in tests/operators and tests/noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch
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
    NamedDegradation,
    Poisson,
    Quantize,
    degradations,
    named,
)
from restora.errors import OptionError
from restora.noise import GaussianNoise
from restora.operators import Convolution, FourierMask, Identity, Luma, Masking, Radon, Stack
from restora.random import generators, randn
from restora.testing.operators import matrix

IMAGE = (3, 12, 12)
SIZES = {"jpeg": (3, 16, 16), "jpeg-444": (3, 16, 16), "jpeg-dither": (3, 16, 16), "jpeg-x2": (3, 32, 32)}
MATRIX = (
    torch.randn(20, math.prod(IMAGE), generator=torch.Generator().manual_seed(1), dtype=torch.float64) / 20
)
COLOURS = torch.tensor([[1.0, 0.6, 0.2], [0.6, 1.0, 0.6], [0.2, 0.6, 1.0]]).double()


def uniform(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def masks(count: int, sigma: float = 0.0) -> Mask:
    return Mask(uniform(count, 1, *IMAGE[1:]) < 0.6, sigma=sigma)


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
    "noise-map": lambda: Degradation(Identity(), GaussianNoise(0.02 + 0.1 * uniform(1, *IMAGE))),
    "noise-one-an-image": lambda: Degradation(Luma(), GaussianNoise(torch.tensor([0.02, 0.1, 0.3]).double())),
    "noise-channels": lambda: Degradation(Identity(), GaussianNoise(covariance=0.01 * COLOURS)),
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
    "grey-levels": lambda: Chain(Grayscale(), Quantize(9)),
    "stack": lambda: Degradation(
        Stack(Luma(), Masking(uniform(*IMAGE[1:]) < 0.3), shape=IMAGE), GaussianNoise(0.03)
    ),
    "blur-noise-map": lambda: Blur(width=0.7, sigma=0.02 + 0.1 * uniform(1, *IMAGE)),
    "kernels": lambda: Degradation(Convolution(uniform(3, 4, 3) / 6), GaussianNoise(0.05)),
    "frequencies": lambda: Degradation(FourierMask(uniform(*IMAGE[1:]) < 0.4), GaussianNoise(0.05)),
    "rays": lambda: Degradation(Radon(IMAGE[1], 5), GaussianNoise(0.3)),
    "jpeg-444": lambda: JPEG(30, "4:4:4"),
    "jpeg-dither": lambda: JPEG(20, sigma=0.02),
    "linear": sensing,
    "linear-noisy": lambda: sensing(0.1),
}
ALL = [*degradations.names(), *VARIANTS]


def build(name: str) -> Degradation:
    make = VARIANTS.get(name) or EXAMPLES.get(name) or degradations.get(name)
    try:
        return make()
    except TypeError as error:
        pytest.fail(f"task {name!r} cannot be built without arguments: add it to EXAMPLES ({error})")


@pytest.fixture(params=ALL)
def degradation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Degradation:
    monkeypatch.setitem(globals(), "IMAGE", SIZES.get(request.param, IMAGE))
    return build(request.param)


@pytest.fixture
def linear(degradation: Degradation) -> Degradation:
    if not degradation.linear:
        pytest.skip("not linear")
    return degradation


def images(count: int, seed: int = 0, low: float = 0.0, high: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(count, *IMAGE, generator=generator, dtype=torch.float64)


def observed(degradation: Degradation, seed: int = 1) -> tuple[Degradation, Tensor]:
    """Observations of three images, and what the degradation is once they are known."""
    y = degradation(images(3, seed), generators(0, 3))
    return degradation.given(y), y


def first(degradation: Degradation, count: int) -> Degradation:
    """The degradation of the first image, for `count` images."""
    return degradation.take(torch.zeros(count, dtype=torch.long))


def covariance(degradation: Degradation) -> Tensor:
    """Of the noise of the first observation, (m, m)."""
    shape = degradation.operator(images(3)).shape[1:]
    size = math.prod(shape)
    noise = first(degradation, size).noise
    assert isinstance(noise, GaussianNoise)
    return noise.N(torch.eye(size).double().view(size, *shape)).flatten(1)


def dense_gain(degradation: Degradation, variance: float) -> tuple[Tensor, Tensor]:
    """A, and v A^T (v A A^T + N)^-1, of the first image."""
    A = matrix(degradation.operator, IMAGE)
    inner = variance * A @ A.T + covariance(degradation)
    return A, variance * A.T @ torch.linalg.pinv(inner, hermitian=True)


def invertible(degradation: Degradation) -> bool:
    """Whether A^+ is exact, and not cut where A lets nothing through."""
    return degradation.operator.gram is not None or degradation.operator.kernel is None


def determined(degradation: Degradation) -> bool:
    """Whether the posterior is that of the exact pseudo-inverse, or of noise that keeps it away from it."""
    return degradation.sigma > 0 or invertible(degradation)


def steady(degradation: Degradation) -> bool:
    """Whether an image is always observed the same way."""
    x = images(3)
    return torch.equal(degradation(x, generators(0, 3)), degradation(x, generators(3, 3)))


def exact(degradation: Degradation) -> bool:
    """Whether d(y, A x) is 0 for the truth."""
    return steady(degradation) and getattr(degradation.noise, "distance", "cell") == "cell"


# prox


@pytest.mark.parametrize("gamma", [0.3, 1e4])
def test_prox_against_a_dense_solve(linear: Degradation, gamma: float) -> None:
    z, (_, y) = images(3), observed(linear)
    A = matrix(linear.operator, IMAGE)
    expected = torch.linalg.solve(
        gamma * A.T @ A + torch.eye(A.shape[1]).double(), gamma * A.T @ y[0].flatten() + z[0].flatten()
    )
    torch.testing.assert_close(linear.prox_l2(z, y, gamma)[0].flatten(), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.7, 20.0])
def test_prox_is_a_minimum(degradation: Degradation, gamma: float) -> None:
    z, (known, y) = images(3, low=-0.2, high=1.2), observed(degradation)
    best = known.prox_l2(z, y, gamma)

    def objective(x: Tensor) -> Tensor:
        return gamma / 2 * known.fidelity(x, y) + (x - z).square().flatten(1).sum(1) / 2

    lowest = objective(best)
    assert (lowest <= objective(z) + 1e-9).all()
    for scale in (1.0, 0.1, 1e-2, 1e-4):
        for seed in range(3):
            other = best + scale * randn(best.shape, generators(seed, 3), like=best)
            assert (lowest <= objective(other)).all(), f"lower at a distance of {scale}"


def test_prox_of_infinite_gamma_satisfies_the_observation(degradation: Degradation) -> None:
    known, y = observed(degradation)
    if known.noise.linear:  # with noise there may be no such image
        y = known.A(images(3, 1))
    x = known.prox_l2(images(3), y, math.inf)
    zero = known.fidelity(x, y) / y[0].numel()
    assert (zero < (1e-15 if invertible(known) else 4e-6)).all()


def test_prox_takes_a_gamma_an_image(degradation: Degradation) -> None:
    z, (known, y) = images(3), observed(degradation)
    gamma = torch.tensor([0.0, 2.0, 30.0]).double().view(3, 1, 1, 1)
    together = known.prox_l2(z, y, gamma)
    for i in range(3):
        index = torch.tensor([i])
        alone = known.take(index).prox_l2(z[index], y[index], float(gamma[i]))
        torch.testing.assert_close(together[index], alone, rtol=0, atol=1e-9)
    torch.testing.assert_close(together[0], z[0], rtol=0, atol=1e-12)


# condition and draw


@pytest.mark.parametrize("variance", [1e-3, 0.2])
def test_condition_against_the_dense_posterior_mean(linear: Degradation, variance: float) -> None:
    if not determined(linear):
        pytest.skip("the pseudo-inverse is cut")
    x_hat, (_, y) = images(3), observed(linear)
    A, gain = dense_gain(linear, variance)
    expected = x_hat[0].flatten() + gain @ (y[0].flatten() - A @ x_hat[0].flatten())
    result = linear.condition(x_hat, variance, y)[0].flatten()
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


def test_condition_is_the_posterior_mean(degradation: Degradation) -> None:
    """By Monte Carlo through `forward` alone: x - E[x | y] has mean 0 and is orthogonal to E[x | y]."""
    count, std = 150, 0.05
    d = first(degradation, count)
    x_hat = images(1, low=0.35, high=0.65).expand(count, -1, -1, -1)
    if not degradation.operator.linear:  # the largest channel by far, so that it is the same in all
        x_hat = (x_hat + torch.tensor([0.5, 0.0, -0.3]).view(3, 1, 1)).contiguous()
    x = x_hat + std * randn(x_hat.shape, torch.Generator().manual_seed(3), like=x_hat)
    y = d(x, generators(0, count))
    mean = d.given(y).condition(x_hat, std**2, y)
    error = x - mean
    # The floor is for errors that are rare, and so are missing from the deviation of the samples.
    z_score = error.mean(0) / (error.std(0) / count**0.5 + 1e-3 * std)
    assert z_score.abs().max() < 6
    if not d.noise.separable:
        return  # what one plane says of another does not count: see test_jpeg
    inner = (error * (mean - x_hat)).flatten(1).sum(1)
    assert inner.mean().abs() < 5 * inner.std() / count**0.5 + 1e-9


def test_condition_without_variance_is_x_hat(degradation: Degradation) -> None:
    x_hat, (known, y) = images(3), observed(degradation)
    if not known.operator.linear and known.sigma == 0:
        y = known.A(x_hat) + torch.tensor([0.0, 0.1, 0.0]).double().view(3, 1, 1, 1)  # no contradiction
    assert torch.equal(known.condition(x_hat, 0.0, y)[::2], x_hat[::2])
    mixed = torch.tensor([0.0, 0.1, 0.0]).double().view(3, 1, 1, 1)
    result = known.condition(x_hat, mixed, y)
    assert torch.equal(result[::2], x_hat[::2])
    assert not torch.equal(result[1], x_hat[1])


@pytest.mark.parametrize("variance", [0.01, 0.2])
def test_draws_have_the_dense_posterior(linear: Degradation, variance: float) -> None:
    if not determined(linear):
        pytest.skip("the pseudo-inverse is cut")
    count = 300 if linear.operator.gram is not None else 60
    x_hat, (_, y) = images(3), observed(linear)
    A, gain = dense_gain(linear, variance)
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
    x_hat, (known, y) = images(3, 1), observed(degradation, 0)
    draws = known.draw(x_hat, 0.01, y, generators(7, 3))
    for i in range(3):
        index = torch.tensor([i])
        alone = known.take(index).draw(x_hat[index], 0.01, y[index], generators(7 + i, 1))
        torch.testing.assert_close(alone, draws[index], rtol=0, atol=1e-9)
    again = known.draw(x_hat, 0.01, y, generators(8, 3))
    assert not torch.equal(again, draws)
    if exact(degradation) and invertible(degradation):
        zero = torch.zeros(3).double()
        torch.testing.assert_close(known.fidelity(draws, y), zero, rtol=0, atol=1e-12)


# fidelity


@pytest.mark.parametrize("p", [1, 2, 1.5])
def test_fidelity_is_a_weighted_sum_with_a_gradient(degradation: Degradation, p: float) -> None:
    x, (known, y) = images(3, low=-0.3, high=1.3), observed(degradation)
    weight = torch.rand(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = known.fidelity(x, y, p)
    assert values.shape == (3,)
    assert (values > 0).all()
    split = known.fidelity(x, y, p, weight) + known.fidelity(x, y, p, 1 - weight)
    torch.testing.assert_close(split, values)
    if known.linear and known.operator.mask is None:
        torch.testing.assert_close(values, (known.A(x) - y).abs().pow(p).flatten(1).sum(1))
    direction, step = images(3, 2) - 0.5, 1e-7
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(known.fidelity(x, y, p).sum(), x)
    ahead, behind = (known.fidelity(x + s * step * direction, y, p).sum() for s in (1, -1))
    torch.testing.assert_close(
        (gradient * direction).sum(), (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-6
    )


def test_fidelity_of_the_truth_is_zero(degradation: Degradation) -> None:
    if not exact(degradation):
        pytest.skip("noise, or the deck's distance, which is not zero at the truth")
    x = images(3)
    torch.testing.assert_close(degradation.fidelity(x, degradation(x)), torch.zeros(3).double())


# what the observation itself tells


def test_given_an_observation(degradation: Degradation) -> None:
    x, (known, y) = images(3, 1), observed(degradation)
    assert (known is degradation) == (not degradation.blind)
    assert not known.blind
    assert known.given(y) is known
    assert known.operator.observed_shape(IMAGE) == degradation.operator.observed_shape(IMAGE)
    assert known.sigma == degradation.sigma
    seen = named.seen(degradation, IMAGE[1:])
    assert (type(seen.noise), type(seen.operator)) == (type(known.noise), type(known.operator))
    for i in range(3):
        one = degradation.take(torch.tensor([i])).given(y[i : i + 1])
        torch.testing.assert_close(one.A(x[i : i + 1]), known.A(x)[i : i + 1])
    if degradation.blind and known.sigma == 0:  # what is left of it explains the truth
        torch.testing.assert_close(known.fidelity(x, y), torch.zeros(3).double())


# batches, seeds, shapes, types


def test_an_image_does_not_depend_on_its_batch(degradation: Degradation) -> None:
    x, x_hat = images(3), images(3, 1)
    y = degradation(x, generators(5, 3))
    mean = degradation.given(y).condition(x_hat, 0.01, y)
    for i in range(3):
        index = torch.tensor([i])
        one = degradation.take(index)
        torch.testing.assert_close(one(x[index], generators(5 + i, 1)), y[index], rtol=0, atol=1e-12)
        alone = one.given(y[index]).condition(x_hat[index], 0.01, y[index])
        torch.testing.assert_close(alone, mean[index], rtol=0, atol=1e-9)


def test_take_repeats_and_reorders(degradation: Degradation) -> None:
    index, x = torch.tensor([2, 0, 0, 1]), images(3)
    torch.testing.assert_close(degradation.take(index).A(x[index]), degradation.A(x)[index])


@pytest.mark.parametrize("name", degradations.names())
def test_seeds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "IMAGE", SIZES.get(name, IMAGE))
    task = build(name)
    assert isinstance(task, NamedDegradation)
    noisy, x = replace(task, sigma=0.2), images(3)
    assert noisy.sigma == pytest.approx(0.2)
    runs = [noisy(x, generators(seed, 3)) for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], noisy.A(x))


@pytest.mark.parametrize("name", degradations.names())
def test_no_noise_at_sigma_zero(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "IMAGE", SIZES.get(name, IMAGE))
    task = build(name)
    assert isinstance(task, NamedDegradation)
    clear = replace(task, sigma=0.0)
    assert clear.sigma == 0
    if clear.noise.linear:
        assert torch.equal(clear(images(3)), clear.A(images(3)))


def test_shapes(degradation: Degradation) -> None:
    seen = degradation.operator.observed_shape(IMAGE)
    assert degradation.A(images(3)).shape == degradation(images(3)).shape == (3, *seen)
    assert degradation.operator.image_shape(seen) == IMAGE
    assert degradation.A_adjoint(torch.zeros(3, *seen)).shape == (3, *IMAGE)
    assert degradation.A_dagger(torch.zeros(3, *seen)).shape == (3, *IMAGE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_types_are_kept(degradation: Degradation, dtype: torch.dtype) -> None:
    x = images(3).to(dtype)
    y = degradation(x, generators(0, 3))
    known = degradation.given(y)
    results = [y, known.A_adjoint(y), known.A_dagger(y), known.fidelity(x, y), known.project(x, y)]
    results += [known.draw(x, 0.1, y, generators(0, 3))]
    results += [known.prox_l2(x, y, 3.0), known.condition(x, 0.1, y)]
    for result in results:
        assert result.dtype == dtype
        assert result.isfinite().all()
    precise = known.condition(x.double(), 0.1, y.double())
    torch.testing.assert_close(results[-1].double(), precise, rtol=0, atol=2e-3)


# options


def scalar_fields(cls: type[NamedDegradation]) -> list:
    return [f for f in fields(cls) if f.init and not f.metadata.get("per_image")]


@pytest.mark.parametrize("name", degradations.names())
def test_options_are_fit_for_a_command_line(name: str) -> None:
    cls = degradations.get(name)
    hints = get_type_hints(cls)
    for entry in scalar_fields(cls):
        kinds = get_args(hints[entry.name]) or (hints[entry.name],)
        words = get_origin(hints[entry.name]) is Literal
        assert words or any(kind in (int, float, str) for kind in kinds)
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
