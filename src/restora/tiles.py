"""Large images piece by piece: windows that overlap, each restored by itself, and faded into each other.

The noise a solver draws is that of the whole image, cut to the window (`restora.random.Patches`), so that two
windows find the same where they overlap, but for what the network and the prior see beyond the border of one
and not of the other. What a window finds near an inner border counts for less the nearer it is, and for
nothing at it. Memory is what a window needs, and the image itself.

Where a mask hides a part of an image, and the rest is known exactly, the windows cover that part and OVERLAP
around it. A window without a hidden pixel is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import OptionError
from restora.operators.base import Shape
from restora.priors import Prior
from restora.random import Stream, Window
from restora.solvers import Solver, Step

TILE, OVERLAP = 512, 64
GRAIN = 16  # what a network halves four times


def check(tile: int) -> None:
    """OptionError for pieces that overlap all over."""
    if tile < 2 * OVERLAP:
        raise OptionError(f"tile must be at least {2 * OVERLAP}, got {tile}; the default is {TILE}")


def windows(height: int, width: int, tile: int, grain: int = 1) -> list[Window]:
    """Windows of about `tile` pixels a side that cover an image, in rows. Neighbours share OVERLAP pixels or
    more; windows begin and end at multiples of `grain`, or at the border of the image."""
    rows, columns = _spans(height, tile, grain), _spans(width, tile, grain)
    return [Window(top, left, bottom - top, right - left) for top, bottom in rows for left, right in columns]


def _spans(size: int, tile: int, grain: int) -> list[tuple[int, int]]:
    tile = -(-max(tile, 2 * OVERLAP) // grain) * grain
    if size <= tile:
        return [(0, size)]
    step = max((tile - OVERLAP) // grain * grain, grain)
    last = -(-(size - tile) // grain) * grain
    starts = [*range(0, last, step), last]
    return [(start, min(start + tile, size)) for start in starts]


def fade(parts: Sequence[Window], height: int, width: int) -> Iterator[Tensor]:
    """The weights of the pixels of each of the `windows`, (h, w): they fall to 0 over OVERLAP at inner
    borders, and those of all windows at a pixel are 1 together."""
    rows = _shares({w.top: w.height for w in parts}, height)
    columns = _shares({w.left: w.width for w in parts}, width)
    return (rows[window.top].outer(columns[window.left]) for window in parts)


def _shares(spans: dict[int, int], size: int) -> dict[int, Tensor]:
    """By its start, the weights of each of the spans {start: length} of an axis."""
    ramps = {start: _ramp(start, length, size) for start, length in spans.items()}
    total = torch.zeros(size)
    for start, ramp in ramps.items():
        total[start : start + len(ramp)] += ramp
    return {start: ramp / total[start : start + len(ramp)] for start, ramp in ramps.items()}


def _ramp(start: int, length: int, size: int) -> Tensor:
    place = torch.arange(length) + 0.5
    low = place / OVERLAP if start > 0 else torch.ones(length)
    high = (length - place) / OVERLAP if start + length < size else torch.ones(length)
    return torch.sin(torch.minimum(low, high).clamp(max=1) * torch.pi / 2).square()


def cut(
    degradation: Degradation, window: Window, y: Tensor, size: tuple[int, int]
) -> tuple[Degradation, Tensor]:
    """The degradation, and its observations y of images of (H, W) `size`, for a window of them."""
    operator, observed = degradation.operator.window(window, y, size)
    seen = window.coarser(window.height // observed.shape[-2])
    return Degradation(operator, degradation.noise.window(seen, (y.shape[-2], y.shape[-1]))), observed


def grain(degradation: Degradation) -> int:
    """Pixels a side of an image that are observed together."""
    return degradation.operator.grain * degradation.noise.grain


class Piece(NamedTuple):
    """A window of the images `rows` of a batch, and the weights of its pixels, (h, w)."""

    rows: slice
    window: Window
    weight: Tensor


def hidden(degradation: Degradation, rows: slice = slice(None)) -> Tensor | None:
    """What a noiseless mask hides in any of these images, (H, W); None for other degradations."""
    known = degradation.known
    return None if known is None else (known[rows] == 0).flatten(0, 1).any(0)


def whole(degradation: Degradation, shape: Shape, tile: int) -> bool:
    """Whether images of `shape` (C, H, W) are restored in one piece."""
    size = shape[1], shape[2]
    everything = Window(0, 0, *size)
    return max(size) <= tile and all(p.window == everything for p in pieces(degradation, size, tile))


def _around(mask: Tensor | None, size: tuple[int, int], grain: int) -> Window:
    if mask is None or not bool(mask.any()):
        return Window(0, 0, *size)
    spans = []
    for axis, side in enumerate(size):
        places = mask.any(1 - axis).nonzero()
        unit = math.lcm(GRAIN, grain)
        start = max(int(places.min()) - OVERLAP, 0) // unit * unit
        end = min(-(-(int(places.max()) + 1 + OVERLAP) // unit) * unit, side)
        spans.append((start, end - start))
    (top, height), (left, width) = spans
    return Window(top, left, height, width)


def pieces(degradation: Degradation, size: tuple[int, int], tile: int) -> Iterator[Piece]:
    """Those that cover what is to be restored of images of (H, W) `size`; each image has its own mask."""
    count = 1 if degradation.known is None else len(degradation.known)
    for rows in [slice(i, i + 1) for i in range(count)] if count > 1 else [slice(None)]:
        mask = hidden(degradation, rows)
        area = _around(mask, size, grain(degradation))
        parts = windows(area.height, area.width, tile, math.lcm(GRAIN, grain(degradation)))
        for part, weight in zip(parts, fade(parts, area.height, area.width), strict=True):
            window = Window(area.top + part.top, area.left + part.left, part.height, part.width)
            if mask is None or not bool(mask.any()) or bool(window.of(mask).any()):
                yield Piece(rows, window, weight)


def steps(
    solver: Solver,
    y: Tensor,
    degradation: Degradation,
    prior: Prior,
    generator: Sequence[Stream],
    shape: Shape,
    tile: int = TILE,
) -> Iterator[Step]:
    """As `solver.steps`, for images of `shape` (C, H, W), window by window: the steps of all, whose x
    is one tensor, written on from window to window.

    PairingError for a degradation that cannot be cut.
    """
    size = shape[1], shape[2]
    parts = list(pieces(degradation, size, tile))
    base = y.new_zeros(len(y), *shape) if hidden(degradation) is None else y
    found = {"x": base.clone()}
    sized: dict[tuple[int, int], Prior] = {}
    loss = y.new_zeros(len(y))
    for i, (rows, window, weight) in enumerate(parts):
        index = torch.arange(len(y), device=y.device)[rows]
        model, observed = cut(degradation.take(index), window, y[rows], size)
        own = [stream.within(window) for stream in generator[rows]]
        sides = window.height, window.width
        if sides not in sized:
            sized = {sides: prior.sized(*sides)}
        for last in solver.steps(observed, model, sized[sides], own):
            if last.i < last.total:
                yield Step(i * last.total + last.i, len(parts) * last.total, found["x"], loss)
        loss = loss.index_add(0, index, last.loss)
        for name, start in (("x", base), ("samples", base[:, None]), ("std", None)):
            part = getattr(last, name)
            if part is None:
                continue
            before = torch.zeros_like(base) if start is None else start
            if name not in found:
                found[name] = before.expand(len(y), *part.shape[1:-2], *size).clone()
            change = part - window.of(before[rows])
            window.of(found[name][rows]).add_(change * weight.to(part))
        total = len(parts) * last.total
        if i + 1 < len(parts):
            yield Step((i + 1) * last.total, total, found["x"], loss)
    yield Step(total, total, found["x"], loss, found.get("samples"), found.get("std"))
