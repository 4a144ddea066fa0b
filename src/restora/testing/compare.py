"""What the checks share: comparisons that say what went wrong, and random tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from restora.random import generators, randn


def require(condition: object, message: str) -> None:
    """AssertionError with this message unless the condition holds."""
    if not bool(condition):
        raise AssertionError(message)


def close(found: Tensor, expected: Tensor, what: str, tolerance: float) -> None:
    """AssertionError unless both have one shape, and differ by `tolerance` at most, of the largest expected
    value where that is above 1."""
    require(
        found.shape == expected.shape,
        f"{what}: expected shape {tuple(expected.shape)}, got {tuple(found.shape)}",
    )
    if not found.numel():
        return
    require(found.isfinite().all(), f"{what}: expected finite values, got NaN or infinite ones")
    difference = (found - expected).abs().max().item()
    allowed = tolerance * max(1.0, expected.abs().max().item())
    require(
        difference <= allowed, f"{what}: expected a difference of at most {allowed:.3g}, got {difference:.3g}"
    )


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each image, (B,)."""
    return (a * b).flatten(1).sum(1)


def images(count: int, shape: Sequence[int], seed: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Uniform values, (count, ...), float64."""
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(count, *shape, generator=generator, dtype=torch.float64)


def normal(like: Tensor, seed: int) -> Tensor:
    """Standard normal values, shaped like another tensor, each image from its own stream."""
    return randn(like.shape, generators(seed, len(like), "testing"), like=like)


def repeated(tensor: Tensor, count: int) -> Tensor:
    """The first image `count` times."""
    return tensor[:1].expand(count, *tensor.shape[1:])


def slope(function: object, x: Tensor, direction: Tensor, step: float) -> Tensor:
    """The derivative of a function at x along a direction, by central differences."""
    assert callable(function)
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


def unbiased(error: Tensor, what: str, scale: float, limit: float = 6) -> None:
    """AssertionError unless errors (n, ...) have mean 0, as far as n of them tell.

    scale: the size of a common error. Its thousandth part is allowed, since errors that are rare may be
    missing among the n.
    """
    z = error.mean(0).abs() / (error.std(0) / len(error) ** 0.5 + 1e-3 * scale)
    require(
        z.max() < limit,
        f"{what}: expected errors of mean 0, got a mean {z.max().item():.1f} of its standard deviations away",
    )
