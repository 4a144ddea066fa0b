"""How a run is watched: its progress bar, and its traces."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from restora.cli.progress import progress
from restora.runs.item import Item
from restora.runs.loading import Loaded
from restora.runs.trace import Trace
from restora.solvers import Step


class Watch:
    """The progress bar of a run of `count` items, which counts planes and frames, and its traces."""

    def __init__(self, text: str, count: int, trace: bool = False):
        self.bar, self.trace = progress(), Trace() if trace else None
        self.line = self.bar.add_task(text, total=count)
        self.completed, self.total = 0, count
        self.under_way: dict[int, Item] = {}

    def __enter__(self) -> Watch:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def step(self, loaded: Sequence[Loaded], y: Tensor, step: Step) -> None:
        self.under_way |= {x.item.number: x.item for x in loaded}
        self._update(len(loaded) * step.i / step.total)
        if self.trace:
            self.trace.watch(loaded, y, step)

    def written(self, item: Item) -> None:
        """In any thread: its results are."""
        if self.trace:
            self.trace.write(item)

    def ended(self, items: Sequence[Item]) -> None:
        for item in items:
            self.under_way.pop(item.number, None)
            self.completed += item.planes
            self.total += item.planes - 1
            if self.trace:
                self.trace.write(item)  # forgets one that failed
        self._update()

    def _update(self, more: float = 0) -> None:
        items = self.under_way.values()
        completed = self.completed + sum(item.ready for item in items) + more
        total = self.total + sum(item.planes - 1 for item in items)
        self.bar.update(self.line, completed=completed, total=total)
