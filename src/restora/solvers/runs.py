"""Independent runs of a sampler, all those of an image side by side in one batch.

Their mean is the restoration, they are its further samples, and their spread is its standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.random import Stream
from restora.solvers.base import Step


class Runs:
    """`count` runs for each of the observations `y` (B, ...): a batch of B count rows, an image's together.

    y, degradation, streams: the observation, the degradation and the random stream of each row.
    """

    def __init__(self, y: Tensor, degradation: Degradation, generator: Sequence[Stream], count: int):
        rows = torch.arange(len(y), device=y.device).repeat_interleave(count)
        self.y, self.degradation = y[rows], degradation.take(rows)
        self.streams = [g for g in generator for _ in range(count)]
        self.count = count
        self._images = y, degradation

    def step(self, i: int, total: int, x: Tensor) -> Step:
        """Where the runs x (B count, C, H, W) stand."""
        mean = self._by_image(x).mean(1)
        return Step(i, total, mean, self._loss(mean))

    def last(self, total: int, x: Tensor, best: Tensor | None = None) -> Step:
        """The runs at their end; `best` (B, C, H, W) is known to be better than their mean."""
        runs = self._by_image(x)
        best = runs.mean(1) if best is None else best
        if self.count == 1:
            return Step(total, total, runs[:, 0], self._loss(runs[:, 0]), runs)
        samples = torch.cat([best.unsqueeze(1), runs], 1)
        return Step(total, total, best, self._loss(best), samples, runs.std(1))

    def _by_image(self, x: Tensor) -> Tensor:
        """(B count, C, H, W) -> (B, count, C, H, W)."""
        return x.unflatten(0, (-1, self.count))

    def _loss(self, x: Tensor) -> Tensor:
        y, degradation = self._images
        return degradation.fidelity(x, y)
