"""Other networks as priors: a denoiser and its convention, with a check that the two fit each other."""

from __future__ import annotations

import itertools
import math
from dataclasses import fields, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from restora.errors import OptionError
from restora.options import options as options_of
from restora.options import words
from restora.priors.conventions import Convention, conventions
from restora.priors.flow import FlowPrior
from restora.priors.gaussian import GaussianPrior

NOMINAL = 64  # the size of a prior for images of any size
NOISE, ENOUGH = 0.1, 0.7  # of the picture that a network is checked on; the part of it that may be left
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


def from_denoiser(
    network: nn.Module,
    convention: str | Convention = "ve",
    value_range: tuple[float, float] | None = None,
    levels: tuple[float, float] | None = None,
    *,
    channels: int = 3,
    size: int | tuple[int, int] | None = None,
    gaussian: GaussianPrior | None = None,
    symmetries: Literal[1, 2, 8] = 1,
    check: bool = True,
    **options: Any,
) -> FlowPrior:
    """Make a prior from a network that removes noise.

    Args:
        network: any `nn.Module`: images (B, C, H, W) and levels (B,) to (B, C, H, W).
        convention: input and output of the network, by name (`restora.priors.conventions`), or an object.
        value_range: values of black and white for the network; by default those of the convention.
        levels: lowest and highest noise level in training, as standard deviations for images in [0, 1].
        channels: number of channels of its images.
        size: side, or height and width, of its images; None if it accepts any size.
        gaussian: a Gaussian model of the same images. Without it, `mmse` uses an isotropic covariance.
        symmetries: 1, 2 if images may be mirrored, or 8 if they may also be rotated.
        check: denoise a smooth image, and raise an error if the result contradicts the convention.
        options: options of the convention.

    Raises:
        OptionError: for an option that the convention does not have, or if the check fails.
    """
    found = named(convention, value_range, levels, **options)
    sides = (NOMINAL, NOMINAL) if size is None else (size, size) if isinstance(size, int) else size
    if gaussian is not None:
        gaussian = gaussian.with_channels(channels).sized(*sides)  # type: ignore[assignment]
    shape = (channels, *sides)
    prior = FlowPrior(network, gaussian, found, shape, symmetries, size is None)
    if check:
        contradict(prior)
    return prior


def named(
    convention: str | Convention,
    value_range: tuple[float, float] | None = None,
    levels: tuple[float, float] | None = None,
    **options: Any,
) -> Convention:
    """The convention of this name with these options."""
    kind = type(convention) if isinstance(convention, Convention) else conventions.get(convention)
    known = [entry.name for entry in fields(kind)]
    for name in options:
        if name not in known:
            raise OptionError(f"expected an option of this convention: {', '.join(known)}", name)
    if value_range is not None:
        options |= {"low": value_range[0], "high": value_range[1]}
    if levels is not None:
        options |= {"least": levels[0], "most": levels[1]}
    return replace(convention, **options) if isinstance(convention, Convention) else kind(**options)


def contradict(prior: FlowPrior) -> None:
    """OptionError where a smooth picture with noise comes out hardly better; it names a convention that
    fits, if one does."""
    assert prior.convention is not None
    error, sigma = _error(prior)
    if error < ENOUGH * sigma:
        return
    near = [(_error(_as(prior, other))[0], other) for other in _others(prior.convention)]
    best, other = min(near, key=lambda pair: pair[0], default=(math.inf, prior.convention))
    hint = (
        f"it fits {_told(prior.convention, other)}"
        if best < sigma / 2
        else "check the output of the network and the level it receives"
    )
    raise OptionError(
        f"convention {conventions.name_of(type(prior.convention))!r} contradicts the network: a smooth "
        f"image with noise {sigma:.3g} was denoised to an error of {error:.3g} rms; {hint}, or skip "
        "this check (check=False)"
    )


def _error(prior: FlowPrior) -> tuple[float, float]:
    """Of the denoised picture, rms, infinite where there is none; and the noise that it had."""
    x = _picture(prior.image_shape)
    assert prior.convention is not None
    least, most = prior.convention.levels
    sigma = min(max(NOISE, least), 0.8 * most)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    t = 1 / (1 + sigma / prior.scale)
    with torch.no_grad():
        error = (prior.denoise(t * (x + sigma * noise), t) - x).square().mean().sqrt().item()
    return (error if math.isfinite(error) else math.inf), sigma


def _picture(shape: tuple[int, int, int]) -> Tensor:
    """(1, C, H, W): a few soft hills, whose channels differ."""
    channels, height, width = shape
    y, x = torch.linspace(0, 3, height).view(-1, 1), torch.linspace(0, 4, width)
    return torch.stack([0.5 + 0.3 * torch.sin(y + k) * torch.cos(x - k) for k in range(channels)])[None]


def _others(convention: Convention) -> list[Convention]:
    """The same convention with other answers and ranges."""
    hints = {entry.name: words(hint) for entry, hint in options_of(type(convention))}
    pairs = itertools.product(hints.get("answer", (None,)), RANGES)
    return [
        replace(convention, low=low, high=high, **({"answer": answer} if answer else {}))  # type: ignore[arg-type]
        for answer, (low, high) in pairs
    ]


def _as(prior: FlowPrior, convention: Convention) -> FlowPrior:
    return FlowPrior(prior.network, None, convention, prior.image_shape)


def _told(said: Convention, other: Convention) -> str:
    """In what the other differs."""
    pairs = [(entry.name, getattr(other, entry.name)) for entry in fields(other)]
    return ", ".join(f"{name}={value}" for name, value in pairs if value != getattr(said, name))
