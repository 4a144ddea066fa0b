"""How many pictures are restored together."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from restora.runs import memory
from restora.runs.loading import KINDS, Loaded
from restora.runs.window import Kind, batch_kind, room

FIRST, LAST = 8, 1024  # pictures in a batch
GAIN = 1.05  # in pictures per second, from which on twice as many are tried
PART = 0.5  # of the memory that is left, which a batch may take


class BatchSize:
    """How many of a kind; it may learn from the batches that were restored."""

    def most(self, kind: Kind, pixels: int) -> int:
        """Of images that have so many pixels each."""
        raise NotImplementedError

    @contextlib.contextmanager
    def watching(self, group: Sequence[Loaded]) -> Iterator[None]:
        """While these are restored."""
        yield

    def too_many(self, group: Sequence[Loaded], error: Exception) -> bool:
        """Whether these could not be restored because memory ran out, so that half of them are tried."""
        return False


class Fixed(BatchSize):
    """As many as are given, but no more than MAX_PIXELS."""

    def __init__(self, count: int):
        self.count = count

    def most(self, kind: Kind, pixels: int) -> int:
        return room((1, pixels), self.count)


@dataclass
class _Trial:
    """size: of the next batch. best, rate: the size that was fastest, and its pictures per second."""

    size: int
    best: int = 0
    rate: float = 0.0
    settled: bool = False


class Auto(BatchSize):
    """Twice as many, as long as that is faster and memory suffices; half as many where memory runs out."""

    def __init__(self, device: torch.device):
        self.device = device
        self.trials: dict[Kind, _Trial] = {}

    def most(self, kind: Kind, pixels: int) -> int:
        return self._trial(kind, pixels).size

    @contextlib.contextmanager
    def watching(self, group: Sequence[Loaded]) -> Iterator[None]:
        trial, start = self._trial(batch_kind(group[0]), group[0].pixels), time.monotonic()
        with memory.Peak(self.device) as peak:
            yield
        if not trial.settled and len(group) == trial.size:
            self._learn(trial, len(group) / (time.monotonic() - start), peak.bytes)

    def too_many(self, group: Sequence[Loaded], error: Exception) -> bool:
        if not memory.is_lack(error):
            return False
        trial = self._trial(batch_kind(group[0]), group[0].pixels)
        trial.size, trial.settled = min(trial.size, (len(group) + 1) // 2), True
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return True

    def _trial(self, kind: Kind, pixels: int) -> _Trial:
        if len(self.trials) > KINDS:
            self.trials.clear()
        return self.trials.setdefault(kind, _Trial(room((1, pixels), FIRST)))

    def _learn(self, trial: _Trial, rate: float, taken: int) -> None:
        """From a batch of that size, and the memory that it has taken."""
        faster = rate > GAIN * trial.rate
        if rate > trial.rate:
            trial.best, trial.rate = trial.size, rate
        fits = 0 < 2 * taken < PART * memory.available(self.device)
        if faster and fits and 2 * trial.size <= LAST:
            trial.size *= 2
        else:
            trial.size, trial.settled = trial.best, True
