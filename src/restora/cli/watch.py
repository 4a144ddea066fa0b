"""How a run is watched: its progress bar, and its traces."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from restora.cli.progress import progress
from restora.runs import items as files
from restora.runs.items import Item
from restora.runs.loading import Loaded
from restora.runs.trace import Trace
from restora.solvers import Step


class Watch:
    """The progress bar of a run, which counts planes and frames, and its traces."""

    def __init__(self, text: str, items: Sequence[Item], trace: bool):
        self.bar, self.trace, self.items = progress(), Trace() if trace else None, items
        self.line = self.bar.add_task(text, total=len(items))

    def __enter__(self) -> Watch:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def step(self, loaded: Sequence[Loaded], y: Tensor, step: Step) -> None:
        self._update(len(loaded) * step.i / step.total)
        if self.trace:
            self.trace.watch(loaded, y, step)

    def finished(self) -> None:
        self._update()
        if self.trace:
            self.trace.write()

    def _update(self, more: float = 0) -> None:
        completed, total = files.progress(self.items, more)
        self.bar.update(self.line, completed=completed, total=total)
