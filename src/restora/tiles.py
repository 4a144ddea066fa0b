"""Large images piece by piece: windows that overlap, each restored by itself, and faded into each other.

The noise a solver draws is that of the whole image, cut to the window (`restora.random.Patches`), so that two
windows find the same where they overlap, but for what the network and the prior see beyond the border of one
and not of the other. What a window finds near an inner border counts for less the nearer it is, and for
nothing at it. Memory is what a window needs, and the image itself a few times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.degradations.base import Shape
from restora.priors import Prior
from restora.random import Patches, Window
from restora.solvers import Solver, Step

TILE, OVERLAP = 512, 64
GRAIN = 16  # what a network halves four times


@dataclass
class _Canvas:
    """A weighted mean of what windows say of images (B, ..., H, W)."""

    total: Tensor
    weight: Tensor

    def add(self, part: Tensor, window: Window, weight: Tensor) -> None:
        window.of(self.total).add_(part * weight)

    @property
    def mean(self) -> Tensor:
        return self.total / self.weight.clamp(min=1e-12)


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


def fade(window: Window, height: int, width: int) -> Tensor:
    """The weight of each pixel of a window, (h, w): 1 inside, falling to 0 over OVERLAP at inner borders."""

    def ramp(start: int, length: int, size: int) -> Tensor:
        place = torch.arange(length) + 0.5
        low = place / OVERLAP if start > 0 else torch.ones(length)
        high = (length - place) / OVERLAP if start + length < size else torch.ones(length)
        return torch.sin(torch.minimum(low, high).clamp(max=1) * torch.pi / 2).square()

    return ramp(window.top, window.height, height).outer(ramp(window.left, window.width, width))


def steps(
    solver: Solver,
    y: Tensor,
    degradation: Degradation,
    prior: Prior,
    generator: Sequence[torch.Generator],
    shape: Shape,
    tile: int = TILE,
) -> Iterator[Step]:
    """As `solver.steps`, for images of `shape` (C, H, W), window by window: a step for each of them.

    PairingError for a degradation that cannot be cut.
    """
    height, width = shape[1:]
    parts = windows(height, width, tile, math.lcm(GRAIN, degradation.grain))
    weights = [fade(w, height, width).to(y) for w in parts]
    whole = y.new_zeros(height, width)
    for window, weight in zip(parts, weights, strict=True):
        window.of(whole).add_(weight)
    canvases: dict[str, _Canvas] = {}
    sized: dict[tuple[int, int], Prior] = {}
    loss = y.new_zeros(len(y))
    for i, (window, weight) in enumerate(zip(parts, weights, strict=True)):
        model, observed = degradation.window(window, y, (height, width))
        own = [Patches(g.initial_seed(), window) for g in generator]
        size = window.height, window.width
        if size not in sized:
            sized = {size: prior.sized(*size)}
        *_, last = solver.steps(observed, model, sized[size], own)
        loss = loss + last.loss
        for name, found in (("x", last.x), ("samples", last.samples), ("std", last.std)):
            if found is not None:
                empty = found.new_zeros(*found.shape[:-2], height, width)
                canvases.setdefault(name, _Canvas(empty, whole)).add(found, window, weight)
        x = canvases["x"].mean
        if i + 1 < len(parts):
            yield Step(i + 1, len(parts), x, loss)
    more = {name: canvas.mean for name, canvas in canvases.items() if name != "x"}
    yield Step(len(parts), len(parts), x, loss, more.get("samples"), more.get("std"))
