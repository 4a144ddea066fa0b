"""What every noise has to do: against draws of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from restora.noise import Noise
from restora.random import generators
from restora.testing.compare import close, images, inner, normal, repeated, require, slope, unbiased

STD = 0.05  # of u about m, where a posterior is asked for
ROUGH = 0.03  # by how much a posterior in closed form may move too far, or not far enough
INSIDE = 0.01  # of the way from a projection to the truth: clear of the edge of a cell


class Seen(NamedTuple):
    """Values u, observations y of them, what the noise is once y is known, and which values of y count."""

    u: Tensor
    y: Tensor
    noise: Noise
    counts: Tensor


def check_noise(
    noise: Noise,
    shape: Sequence[int],
    *,
    batch: int = 3,
    draws: int = 200,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None:
    """Check that the members of a noise model are consistent, in float64 and in float32.

    It checks that

    - `simulate` gives the same y for the same streams, and the images of a batch do not affect each other.
    - `given` estimates the parameters of a blind model, and does not change other models.
    - `fidelity` has a gradient, and is 0 after `prox` with gamma=inf; `prox` is a minimum.
    - `posterior` is the mean of u given y, by Monte Carlo with `simulate` alone; `draw` has this mean.
    - The noise of the approximation `gaussian` has the right power, and its errors have mean 0.
    - `take` selects images; `project` gives values that are consistent with y.

    Args:
        noise: the noise model to check. It must be able to simulate, so its level must be known.
        shape: the (C, H, W) of observations, such as (3, 12, 12).
        batch: number of images; that of the noise model, if it differs between images.
        draws: number of Monte Carlo samples.
        tolerance: the largest difference that counts as rounding.
        seed: seed of the random images and streams.

    Raises:
        AssertionError: if a check fails; the message is one line.
    """
    u = images(batch, tuple(shape), seed, 0.05, 0.95)
    y = noise.simulate(u, generators(seed, batch))
    _check_simulate(noise, u, y, seed, tolerance)
    seen = _given(noise, u, y)
    _check_fidelity(seen)
    _check_prox(seen, tolerance)
    _check_certainty(seen, seed, tolerance)
    _check_posterior(noise, u, draws, seed)
    _check_draws(seen, draws, seed)
    _check_stand_in(seen, draws, seed)
    _check_take(seen, tolerance)
    _check_project(seen, tolerance)
    _check_dtypes(noise, u, seed)


def _given(noise: Noise, u: Tensor, y: Tensor) -> Seen:
    known, counts = noise.given(y)
    if not noise.blind:
        require(known is noise and counts is None, "given: expected the noise itself, since it is not blind")
    require(not known.blind, "given: expected noise that is not blind any more")
    require(known.given(y)[0] is known, "given, once more: expected the same noise")
    require(known.level >= 0, f"level: expected a number of at least 0, got {known.level}")
    counts = torch.ones_like(y) if counts is None else counts.expand_as(y)
    return Seen(u, torch.where(counts > 0, y, u), known, counts)


def _check_simulate(noise: Noise, u: Tensor, y: Tensor, seed: int, tolerance: float) -> None:
    require(y.shape == u.shape, f"simulate: expected shape {tuple(u.shape)}, got {tuple(y.shape)}")
    again = noise.simulate(u, generators(seed, len(u)))
    require(torch.equal(y, again), "simulate: expected the same y of the same streams")
    for i in range(len(u)):
        index = torch.tensor([i])
        alone = noise.take(index).simulate(u[index], generators(seed + i, 1))
        close(alone, y[index], "simulate of an image by itself, after take", tolerance)


def _check_fidelity(seen: Seen) -> None:
    u, y, noise, _ = seen
    v, direction = u + 0.3 * normal(u, 1), normal(u, 3)
    weight = images(len(u), u.shape[1:], 2)
    for p in (1.0, 2.0):
        values = noise.fidelity(v, y, p)
        require(values.shape == (len(u),), f"fidelity: expected one number an image, got {values.shape}")
        require((values >= 0).all(), "fidelity: expected at least 0")
        parts = noise.fidelity(v, y, p, weight) + noise.fidelity(v, y, p, 1 - weight)
        close(parts, values, "fidelity: expected that of two weights to add up", 1e-9)
        x = v.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(noise.fidelity(x, y, p).sum(), x)
        expected = slope(lambda x, p=p: noise.fidelity(x, y, p), v, direction, 1e-7)
        close(inner(gradient, direction), expected, "fidelity: its gradient is not its derivative", 1e-4)


def _check_prox(seen: Seen, tolerance: float) -> None:
    u, y, noise, _ = seen
    z = images(len(u), u.shape[1:], 4, -0.2, 1.2)
    close(noise.prox(z, y, 0.0), z, "prox for gamma=0: expected u", tolerance)
    exact = noise.fidelity(noise.prox(z, y, math.inf), y)
    close(exact, torch.zeros_like(exact), "prox for gamma=inf: expected a fidelity of 0", tolerance)
    for gamma in (0.7, 20.0):
        best = noise.prox(z, y, gamma)

        def objective(v: Tensor, gamma: float = gamma) -> Tensor:
            return gamma / 2 * noise.fidelity(v, y) + inner(v - z, v - z) / 2

        for step in (1.0, 1e-2, 1e-4):
            for turn in range(3):
                other = objective(best + step * normal(best, 5 + turn))
                require((objective(best) <= other).all(), f"prox for gamma={gamma}: not a minimum")


def _check_certainty(seen: Seen, seed: int, tolerance: float) -> None:
    """A u that is known stays as it is."""
    u, y, noise, _ = seen
    m = u + 0.02 * normal(u, 8)
    streams = generators(seed, len(u))
    close(noise.posterior(m, 0.0, y), m, "posterior for v=0: expected m", tolerance)
    close(noise.draw(m, 0.0, y, streams), m, "draw for v=0: expected m", tolerance)
    mixed = torch.tensor([0.0, *[0.1] * (len(u) - 1)]).to(u).view(-1, 1, 1, 1)
    found = noise.posterior(m, mixed, y)
    close(found[:1], m[:1], "posterior with a v for each image, 0 for the first: expected m", tolerance)
    require(found.isfinite().all(), "posterior with a v for each image: got NaN or infinite values")


def _check_posterior(noise: Noise, u: Tensor, draws: int, seed: int) -> None:
    """u - E[u | y] has mean 0; where the posterior is exact it is orthogonal to E[u | y] too."""
    one = noise.take(torch.zeros(draws, dtype=torch.long))
    m = repeated(0.35 + 0.3 * u, draws)
    truth = m + STD * normal(m, seed + 9)
    y = one.simulate(truth, generators(seed, draws))
    known, counts = one.given(y)
    mean = known.posterior(m, STD**2, y)
    if counts is not None:
        mean = torch.where(counts > 0, mean, m)
    error = truth - mean
    unbiased(error, "posterior: by Monte Carlo, E[u | y] is wrong", STD)
    if not known.separable:
        return
    product, power = inner(error, mean - m), inner(mean - m, mean - m).mean().item()
    allowed = 5 * product.std().item() / draws**0.5 + ROUGH * power + 1e-9
    require(
        abs(product.mean().item()) < allowed,
        f"posterior: expected an inner product of 0 with its errors, up to {allowed:.3g}, got "
        f"{product.mean().item():.3g}; it moves too much or too little",
    )


def _check_draws(seen: Seen, draws: int, seed: int) -> None:
    u, y, noise, counts = seen
    one = noise.take(torch.zeros(draws, dtype=torch.long))
    m, y = repeated(u + 0.02 * normal(u, 10), draws), repeated(y, draws)
    found = one.draw(m, STD**2, y, generators(seed, draws))
    require(
        torch.equal(found, one.draw(m, STD**2, y, generators(seed, draws))),
        "draw: expected the same of the same streams",
    )
    error = (found - one.posterior(m, STD**2, y)) * repeated(counts, draws)
    unbiased(error, "draw: its mean is not `posterior`", STD)


def _check_stand_in(seen: Seen, draws: int, seed: int) -> None:
    """z = F u + e, with e of the power that it says: exactly so for Gaussian noise; for other noise, no more
    than twice as much."""
    u, _, noise, _ = seen
    one = noise.take(torch.zeros(draws, dtype=torch.long))
    many = images(draws, u.shape[1:], seed + 11, 0.05, 0.95)
    y = one.simulate(many, generators(seed, draws))
    features, gaussian, z = one.gaussian(many, y)
    require(features.linear, "gaussian: expected linear features")
    require(gaussian.linear, "gaussian: expected Gaussian noise of a known level")
    expected = features(many)
    require(z.shape == expected.shape, f"gaussian: expected {tuple(expected.shape)}, got {tuple(z.shape)}")
    error = z - expected
    require(error.isfinite().all(), "gaussian: got NaN or infinite values")
    power, said = error.square().mean().item(), torch.as_tensor(gaussian.N.variance).double().mean().item()
    low, high = (0.8, 1.25) if noise.linear else (0.0, 2.0)
    require(
        low * said - 1e-12 <= power <= high * said + 1e-9,
        f"gaussian: expected an error of variance {said:.3g}, got {power:.3g}",
    )
    level = error.mean(0).abs().max().item()
    require(level <= 6 * (power / draws) ** 0.5 + 1e-6, f"gaussian: errors have mean {level:.3g}, not 0")


def _check_take(seen: Seen, tolerance: float) -> None:
    u, y, noise, _ = seen
    index = torch.tensor([len(u) - 1, 0, 0])
    some, m = noise.take(index), u + 0.05 * normal(u, 12)
    close(some.fidelity(m[index], y[index]), noise.fidelity(m, y)[index], "fidelity after take", tolerance)
    found = some.posterior(m[index], STD**2, y[index])
    close(found, noise.posterior(m, STD**2, y)[index], "posterior after take", tolerance)
    if noise.shared:
        first = noise.take(torch.zeros(len(u), dtype=torch.long))
        found, expected = first.posterior(m, STD**2, y), noise.posterior(m, STD**2, y)
        close(found, expected, "posterior of shared noise: expected one for all", tolerance)


def _check_project(seen: Seen, tolerance: float) -> None:
    u, y, noise, _ = seen
    z = images(len(u), u.shape[1:], 13)
    moved = noise.project(z, y)
    if moved is z:
        return
    close(noise.project(moved, y), moved, "project, once more: expected no change", tolerance)
    inside, what = moved + INSIDE * (u - moved), "project: expected values that explain y without any error"
    first, second = (noise.simulate(inside, generators(i, len(u))) for i in (0, len(u)))
    misfit = first - y if torch.equal(first, second) else noise.fidelity(inside, y)
    close(misfit, torch.zeros_like(misfit), what, tolerance)


def _check_dtypes(noise: Noise, u: Tensor, seed: int) -> None:
    for dtype in (torch.float32, torch.float64):
        v = u.to(dtype)
        y = noise.simulate(v, generators(seed, len(v)))
        known, _ = noise.given(y)
        results = {
            "simulate": y,
            "fidelity": known.fidelity(v, y),
            "prox": known.prox(v, y, 3.0),
            "posterior": known.posterior(v, 0.1, y),
            "draw": known.draw(v, 0.1, y, generators(seed, len(v))),
            "project": known.project(v, y),
            "gaussian": known.gaussian(v, y).observation,
            "unclipped": known.unclipped(y, v),
        }
        if (white := known.white(y)) is not None:
            require(white.ndim in (1, v.ndim), f"white: expected (B,) or a map, got {tuple(white.shape)}")
            results["white"] = white
        for name, found in results.items():
            require(found.dtype == dtype, f"{name}: expected {dtype}, got {found.dtype}")
            require(found.isfinite().all(), f"{name}: got NaN or infinite values in {dtype}")
