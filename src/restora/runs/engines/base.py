"""What an engine is asked, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from restora.runs.batch import Watch
from restora.runs.ending import Done
from restora.runs.item import Item
from restora.runs.work import Call, Work


@dataclass(frozen=True)
class Following:
    """Who follows a run. told: sees each item, and whether it is restored, before that, or
    after it where it is done elsewhere. watch: sees each step. done: is called
    when an item's results are written, in some thread."""

    told: Callable[[Item, bool], None] = lambda item, restored: None
    watch: Watch | None = None
    done: Done = lambda item: None


@dataclass(frozen=True)
class Engine:
    """Restores the inputs of a run. Its fields are its options."""

    steps: ClassVar[bool] = True
    """Whether `watch` sees the steps, so that they can be traced."""

    def run(
        self, work: Work, make: Callable[[], Work], calls: Iterable[Call], following: Following
    ) -> Iterator[list[Item]]:
        """Yields items as they end. make: makes the same work in another process, where it is pickled by its
        name."""
        raise NotImplementedError
