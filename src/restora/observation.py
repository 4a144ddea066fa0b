"""Observations as people have them, made what solvers work on, and results made what the observations were.

integers         -> floats by their dtype, 255 or 65535 for white, where the operator gives pictures
NumPy            -> a tensor; results are arrays
float16, ...     -> computed in float32; results are of the dtype of y
complex          -> real and imaginary part of each channel, where that is what the operator gives
no batch axis    -> a batch of one, where y without it fits the degradation and the prior
hole             -> 0, whatever y holds there, NaN too

What has no certain meaning is refused, in one line that says what came and what was expected.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import CallError, ObservationError, OptionError, RestoraError, ShapeError
from restora.operators.base import Shape
from restora.options import plain
from restora.priors import Prior

Seeds = int | Sequence[int]
FULL = {torch.uint8: 255, torch.uint16: 65535}
MARGIN, DEVIATIONS, STRAY, FAR = 0.25, 4.0, 0.01, 4.0
"""Values of a picture may lie beyond 0 and 1 by the margin and so many standard deviations of the noise; a
larger share of them than `STRAY` may be of another range: of -1 to 1, or of one that goes `FAR`."""
MOST_CHANNELS = 4  # of a picture


@dataclass(frozen=True)
class Observation:
    """y (B, ...), real floats; images behind it are of `shape` (C, H, W). `attached`: with its gradients."""

    y: Tensor
    shape: Shape
    array: bool = False
    attached: bool = False

    def back(self, found: Tensor) -> Any:
        """A result where y is: on its device, or a NumPy array."""
        found = found if self.attached and not self.array else found.detach()
        return found.cpu().numpy() if self.array else found.to(self.y.device)

    def images(self, found: Tensor, degradation: Degradation) -> Tensor:
        """Images `found` (B, ..., C, H, W) in [0, 1], in the dtype of y, with the pixels that y tells."""
        return self.keep(found.clamp(0, 1).to(self.y.device, self.y.dtype), degradation)

    def keep(self, found: Tensor, degradation: Degradation) -> Tensor:
        """Images `found` (B, ..., C, H, W), with the pixels that y tells exactly."""
        mask = degradation.known
        if mask is None:
            return found
        more = [1] * (found.ndim - self.y.ndim)
        known, y = (
            part.to(found).reshape(len(part), *more, *part.shape[1:]) for part in (mask, self.y.clamp(0, 1))
        )
        return torch.where(known > 0, y, found)


def check_degradation(degradation: object) -> None:
    """OptionError for anything else than a Degradation."""
    if not isinstance(degradation, Degradation):
        raise OptionError(
            "expected a Degradation, such as AdditiveNoise(0.1), or from_physics(physics) of deepinv; "
            f"got {type(degradation).__name__}",
            "degradation",
        )


def shape_of(y: Any, degradation: Degradation) -> Shape | None:
    """The (C, H, W) of images behind y, with or without a batch axis, as far as it is known."""
    if isinstance(y, Tensor | np.ndarray) and degradation.operator.complex:
        with suppress(RestoraError):
            y = _floats(_tensor(y), degradation)
    for observed in (tuple(np.shape(y))[1:], tuple(np.shape(y))):
        try:
            found = degradation.operator.image_shape(observed)
        except (RestoraError, IndexError, ValueError):
            continue
        if len(found) == 3:
            return found
    return None


def receive(
    y: Any, degradation: Degradation, fit: Callable[[Shape], Shape], attached: bool = False
) -> Observation:
    """What y is. A RestoraError where it is nothing that `degradation` makes.

    fit: from the shape of one observation to that of the image behind it; ShapeError where there is none.
    """
    array = isinstance(y, np.ndarray)
    tensor = _floats(_tensor(y) if attached else _tensor(y).detach(), degradation)
    tensor, shape = _batch(tensor, degradation, fit)
    if not all(tensor.shape[1:]):
        raise ShapeError(f"y: got shape {tuple(tensor.shape)}, which has no values; expected (B, ...)")
    tensor = degradation.operator.restrict(tensor)
    _finite(tensor, degradation)
    return Observation(tensor, shape, array, attached)


def check(y: Tensor, degradation: Degradation) -> None:
    """ObservationError for another range than pictures have; OptionError for another number of noise levels
    than of images. `degradation` is not blind, and y is as `receive` gives it."""
    sigma = getattr(degradation.noise, "sigma", None)
    if isinstance(sigma, Tensor) and sigma.ndim and len(sigma) not in (1, len(y)):
        raise OptionError(f"expected one number, or {len(y)}, one per image; got {len(sigma)}", "sigma")
    if degradation.operator.picture:
        _range(y, degradation)


def precision(y: Tensor, prior: Prior | None) -> torch.dtype:
    """In what to compute: as the prior's networks do, else in float64 if y has it, else in float32."""
    own = () if prior is None else chain(prior.parameters(), prior.buffers())
    dtype = next((tensor.dtype for tensor in own if tensor.is_floating_point()), y.dtype)
    return torch.float64 if dtype == torch.float64 else torch.float32


def seeds_of(seed: Any, count: int) -> Seeds:
    """One number, or one per image, as Python numbers. OptionError for another number of them."""
    seed = plain(seed)
    if _integer(seed):
        return int(seed)
    try:
        found = [plain(value) for value in seed]
    except TypeError:
        raise OptionError(f"expected a whole number, or one per image; got {seed!r}", "seed") from None
    if not all(map(_integer, found)):
        raise OptionError(f"expected whole numbers, one per image; got {found!r}", "seed")
    if len(found) != count:
        raise OptionError(f"expected one number, or {count}, one per image; got {len(found)}", "seed")
    return [int(value) for value in found]


def whole(name: str, value: Any) -> int:
    """A whole number of any kind as an int; OptionError for anything else."""
    value = plain(value)
    if not _integer(value):
        raise OptionError(f"expected a whole number, got {value!r}", name)
    return int(value)


def _integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _tensor(y: Any) -> Tensor:
    if isinstance(y, Tensor):
        if y.layout != torch.strided or y.is_meta:
            kind = "without values (meta)" if y.is_meta else f"of layout {y.layout}, which y.to_dense() fills"
            raise ObservationError(f"y: expected a tensor with all its values, got one {kind}")
        return y
    if isinstance(y, np.ndarray) and not y.dtype.isnative:
        y = y.astype(y.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(np.ascontiguousarray(y).reshape(np.shape(y)))
    except (TypeError, ValueError):
        kind = f"an array of {y.dtype}" if isinstance(y, np.ndarray) else type(y).__name__
        raise ObservationError(f"y: expected a tensor or an array of numbers (B, ...), got {kind}") from None


def _floats(y: Tensor, degradation: Degradation) -> Tensor:
    if y.is_floating_point():
        return y
    name = str(y.dtype).removeprefix("torch.")
    if y.is_complex() and degradation.operator.complex and y.ndim >= 3:
        return torch.view_as_real(y.resolve_conj()).movedim(-1, -3).flatten(-4, -3)
    if y.is_complex():
        raise ObservationError(
            f"y: expected real numbers, got {name}; observe real and imaginary parts as values of their own, "
            "by torch.view_as_real of y and of what A returns"
        )
    if y.dtype in FULL and degradation.operator.picture:
        return y.float() / FULL[y.dtype]
    if y.dtype in FULL:
        raise ObservationError(
            f"y: got integers ({name}), and A does not return images, so their unit is unknown; "
            "expected floats in the unit of A x"
        )
    raise ObservationError(
        f"y: expected floats, or uint8 or uint16 of a picture, got {name}; divide by the value of white"
    )


def _batch(y: Tensor, degradation: Degradation, fit: Callable[[Shape], Shape]) -> tuple[Tensor, Shape]:
    """y with a batch axis, and the shape of the images behind it."""
    try:
        return y, fit(tuple(y.shape[1:]))
    except (CallError, ShapeError):
        try:
            shape = fit(tuple(y.shape))
        except RestoraError:
            shape = ()
        if not shape:
            raise
    if degradation.operator.picture and y.shape[-1] <= MOST_CHANNELS < min(y.shape[:-1]):
        raise ShapeError(
            f"y: got shape {tuple(y.shape)}, channels last; expected (B, C, H, W), channels before rows"
        )
    return y.unsqueeze(0), shape


def _finite(y: Tensor, degradation: Degradation) -> None:
    lost = int((~y.isfinite()).sum())
    if lost:
        where = " that were observed" if degradation.operator.mask is not None else ""
        raise ObservationError(
            f"y: {lost} of {y.numel()} values{where} are NaN or infinite; expected finite ones. Mark missing "
            "pixels with a mask (Mask), which may hold anything in y"
        )


def _range(y: Tensor, degradation: Degradation) -> None:
    for i, row in enumerate(y):
        level = degradation.noise.take(torch.tensor([i])).reach
        margin = MARGIN + DEVIATIONS * level
        seen = degradation.operator.take(torch.tensor([i])).restrict(torch.ones_like(row[None]))[0] > 0
        count = STRAY * int(seen.sum())
        above, below = int((seen & (row > 1 + margin)).sum()), int((seen & (row < -margin)).sum())
        if max(above, below) <= count:
            continue
        low, high = row[seen].min().item(), row[seen].max().item()
        if above > count and high > FAR + margin:
            full = next((full for full in (255, 65535) if high <= full * (1 + margin)), None)
            remedy = f"divide by {full}" if full and low >= -margin * full else "scale them"
        elif below > count and low < -FAR - margin:
            remedy = "add an offset and scale them"
        elif below > count and low >= -1 - margin and high <= 1 + margin:
            remedy = "use (y + 1) / 2"
        else:
            continue
        raise ObservationError(
            f"y: values from {low:.4g} to {high:.4g}, expected a picture's, from 0 to 1; {remedy}"
        )
